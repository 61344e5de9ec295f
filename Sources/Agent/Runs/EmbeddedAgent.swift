public import Engine
import Foundation
import Glibc
public import Logging
import Model

/// What an agent inside a program needs on its host: a keeper of its own, and where that keeps its journal.
public struct EmbeddedPlace: Sendable {
  /// Starts the processes.
  public let keeper: Keeper
  /// Its journal.
  public let journal: String
  /// Where steps with limits get a cgroup, if this process may make one.
  public let cgroups: CgroupTree?
  let incarnation: String

  /// Forks the keeper, with a journal of its own in `directory`, which must be there. Best called before there is a second
  /// thread, a connection or a secret: see ``Keeper/launch(journal:)``.
  ///
  /// - Throws: ``KeeperError``.
  public init(in directory: String) throws {
    incarnation = UUID().uuidString
    journal = "\(directory)/\(incarnation).journal"
    // Before the keeper, which is to be where this process is.
    cgroups = try? CgroupTree.prepare()
    keeper = try Keeper.launch(journal: journal)
  }
}

extension EmbeddedPlace {
  /// Ends the keeper of a place where no step was started.
  public func close() async {
    await keeper.quit()
    _ = try? KeeperJournal.remove(journal)
  }
}

/// An agent inside a program, which works on one run of its own until it is over or nothing more is to be done.
public struct EmbeddedAgent: Sendable {
  private let store: any RunStore
  private let place: EmbeddedPlace
  private let version: String
  private let log: Logger

  /// An agent for runs in `store`; `version` is the program's, as others are shown it.
  public init(store: any RunStore, place: EmbeddedPlace, version: String, log: Logger) {
    self.store = store
    self.place = place
    self.version = version
    self.log = log
  }

  /// Drives `run`, going on with what an agent that is gone left running.
  ///
  /// - Parameters:
  ///   - processes: Carries out steps as processes.
  ///   - executor: Carries out steps; it hands to `processes` what it doesn't do itself.
  ///   - options: How the agent works.
  ///   - listener: Told what happens.
  ///   - began: Given the agent just before it begins, to drain it or have it look.
  /// - Throws: ``StoreError`` if another process works on the run; errors of the store that waiting does not mend.
  public func drive(
    _ run: String, _ processes: ProcessExecutor, _ executor: any StepExecutor, _ options: RunAgent.Options,
    listener: @escaping @Sendable (RunAgent.Happening) -> Void, began: (RunAgent) throws -> Void
  ) async throws -> RunAgent.Ending {
    let agent = try await enlist()
    defer { place.keeper.detach() }
    try await store.tend(run, by: agent, isGone: Takeover.isGone)
    let adopted = try await takeOver(run, agent, processes, options)
    let worker = RunAgent(
      store: store, run: run, agent: agent, executor: executor, options: options, log: log, listener: listener
    )
    try began(worker)
    let ending = try await worker.work(adopted: adopted)
    // What its steps have left running in the background was not to outlive it.
    if ending == .over(.cancelled) { await processes.endLeftovers(of: run) }
    await processes.finished(run: run)
    await dismiss(agent)
    await place.keeper.quit()
    _ = try KeeperJournal.remove(place.journal)
    return ending
  }

  /// Ends a standalone run whose agent is gone, with whatever it left running, so that it can be begun again. What had
  /// ended by itself meanwhile is recorded.
  public func interrupt(_ run: String, _ processes: ProcessExecutor) async throws {
    let agent = try await enlist()
    try await store.tend(run, by: agent, isGone: Takeover.isGone)
    func advance(_ ends: [TaskEnd]) async throws -> Advance {
      try await store.advance(
        AdvanceRequest(
          run: run, agent: agent, ends: ends, slots: 0, lockFor: TimeSpan(seconds: 30), host: nil,
          localHost: LocalHost.name))
    }
    var now = try await advance([])
    let ends = try await Takeover(store: store, run: run, agent: agent, lockFor: TimeSpan(seconds: 30))
      .settle(processes, now.context)
    if !ends.isEmpty { now = try await advance(ends) }
    if !now.status.isOver {
      try await store.interrupt(run, because: "interrupted: the process that worked on it was gone")
    }
    await dismiss(agent)
  }

  /// Everything is recorded: a store that is away just now is not told goodbye.
  private func dismiss(_ agent: Int64) async {
    do {
      try await store.dismiss(agent: agent)
    } catch {
      log.warning("agent not dismissed", metadata: ["error": "\(error)"])
    }
  }

  private func enlist() async throws -> Int64 {
    let pid = getpid()
    return try await store.enlist(
      AgentIdentity(
        host: LocalHost.name, instance: "embedded-\(pid)", incarnation: place.incarnation, pid: pid,
        processStart: LocalProcess.startTime(of: pid) ?? 0, bootID: LocalProcess.bootID(),
        journal: place.journal, version: version, isEmbedded: true))
  }

  private func takeOver(
    _ run: String, _ agent: Int64, _ processes: ProcessExecutor, _ options: RunAgent.Options
  ) async throws -> [Adopted] {
    let holders = try await store.holders(of: run, otherThan: agent)
    guard !holders.isEmpty else { return [] }
    let first = try await store.advance(
      AdvanceRequest(
        run: run, agent: agent, ends: [], slots: 0, lockFor: options.lockFor, host: nil,
        localHost: options.localHost))
    return try await Takeover(store: store, run: run, agent: agent, lockFor: options.lockFor)
      .begin(processes, first.context)
  }
}
