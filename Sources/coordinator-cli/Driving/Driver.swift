import Agent
import CommandSupport
import Coordinator
import Dispatch
import Documents
import Engine
import Foundation
import Glibc
import Logging
import Model
import Storage
import Synchronization

/// Works on one run with an embedded agent until it is over, and tells how it went.
struct Driver {
  let open: OpenStore
  let options: StepRunningOptions
  let configuration: Configuration
  let secrets: [String: String]
  let passes: Int?
  let log: Logger

  /// A driver of runs in `open`; `passes` bounds how many times it works off what has matured.
  init(
    _ open: OpenStore, _ options: StepRunningOptions, _ storeOptions: StoreOptions, secrets: [String: String],
    passes: Int? = nil
  ) throws {
    self.open = open
    self.options = options
    self.secrets = secrets
    self.passes = passes
    configuration = try storeOptions.configuration()
    log = try storeOptions.logger("eventor.run")
  }

  /// Drives `run`, going on with what an agent that is gone left running.
  func drive(_ run: String) async throws -> RunAgent.Ending {
    let store = open.store
    guard let slot = KeeperSlot.current else {
      throw CommandFailure(status: .bug, what: "this command has no keeper")
    }
    let agent = try await enlist(slot)
    defer { slot.keeper.detach() }
    try await store.tend(run, by: agent, isGone: Takeover.isGone)
    let executor = executor(slot)
    var agentOptions = RunAgent.Options(slots: options.slots(configuration), localHost: LocalHost.name)
    if let lockFor = configuration.lockFor { agentOptions.lockFor = lockFor }
    if let poll = configuration.poll { agentOptions.poll = .microseconds(poll.microseconds) }
    agentOptions.pinnedTo = options.pin ? LocalHost.name : nil
    agentOptions.passes = passes

    let adopted = try await takeOver(run, agent, executor, agentOptions)
    // Log lines say all that progress would; nobody wants both.
    let progress = try await Progress.start(run, store, isQuiet: options.quiet || log.logLevel <= .info)
    let worker = RunAgent(
      store: store, run: run, agent: agent, executor: executor, options: agentOptions, log: log,
      listener: progress.note)
    let signals = try Interrupts { _, count in
      if count == 1 {
        progress.say("finishing what runs; once more to cancel")
        worker.drain()
      } else {
        progress.say("cancelling")
        Task {
          try await store.cancel(run, by: Person.name)
          worker.look()
        }
      }
    }
    let ending: RunAgent.Ending
    do {
      ending = try await worker.work(adopted: adopted)
    } catch {
      signals.stop()
      progress.finish()
      throw error
    }
    signals.stop()
    progress.finish()
    // What its steps have left running in the background was not to outlive it.
    if ending == .over(.cancelled) { await executor.endLeftovers(of: run) }
    await executor.finished(run: run)
    await dismiss(agent)
    await slot.keeper.quit()
    _ = try KeeperJournal.remove(slot.journal)
    return ending
  }

  /// Everything is recorded: a store that is away just now is not told goodbye.
  private func dismiss(_ agent: Int64) async {
    do {
      try await open.store.dismiss(agent: agent)
    } catch {
      log.warning("agent not dismissed", metadata: ["error": "\(error)"])
    }
  }

  private func executor(_ slot: KeeperSlot) -> ProcessExecutor {
    ProcessExecutor(
      keeper: slot.keeper,
      places: .init(
        logs: options.logDirectory(configuration), files: options.workDirectory(configuration) + "/files"),
      cgroups: slot.cgroups, environment: open.url.withoutPassword(ProcessInfo.processInfo.environment),
      secrets: secrets, credentials: [])
  }

  private func enlist(_ slot: KeeperSlot) async throws -> Int64 {
    let pid = getpid()
    return try await open.store.enlist(
      AgentIdentity(
        host: LocalHost.name, instance: "embedded-\(pid)", incarnation: slot.incarnation, pid: pid,
        processStart: LocalProcess.startTime(of: pid) ?? 0, bootID: LocalProcess.bootID(),
        journal: slot.journal,
        version: CommandMain.version, isEmbedded: true))
  }

  private func takeOver(
    _ run: String, _ agent: Int64, _ executor: ProcessExecutor, _ options: RunAgent.Options
  ) async throws -> [Adopted] {
    let holders = try await open.store.holders(of: run, otherThan: agent)
    guard !holders.isEmpty else { return [] }
    let first = try await open.store.advance(
      AdvanceRequest(
        run: run, agent: agent, ends: [], slots: 0, lockFor: options.lockFor, host: nil,
        localHost: options.localHost))
    return try await Takeover(store: open.store, run: run, agent: agent, lockFor: options.lockFor)
      .begin(executor, first.context)
  }

  /// Ends a standalone run whose agent is gone, with whatever it left running, so that it can be begun again. What had
  /// ended by itself meanwhile is recorded.
  func interrupt(_ run: String) async throws {
    guard let slot = KeeperSlot.current else { return }
    let agent = try await enlist(slot)
    try await open.store.tend(run, by: agent, isGone: Takeover.isGone)
    func advance(_ ends: [TaskEnd]) async throws -> Advance {
      try await open.store.advance(
        AdvanceRequest(
          run: run, agent: agent, ends: ends, slots: 0, lockFor: TimeSpan(seconds: 30), host: nil,
          localHost: LocalHost.name))
    }
    var now = try await advance([])
    let ends = try await Takeover(store: open.store, run: run, agent: agent, lockFor: TimeSpan(seconds: 30))
      .settle(executor(slot), now.context)
    if !ends.isEmpty { now = try await advance(ends) }
    if !now.status.isOver {
      try await open.store.interrupt(run, because: "interrupted: the process that worked on it was gone")
    }
    await dismiss(agent)
  }
}
