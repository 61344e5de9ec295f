import Engine
import Foundation
import Glibc
import Logging
import Model
import Runtime

/// What an agent asks of its store on behalf of its loop, each in a task of its own.
extension HostAgent {
  /// Reports ends and takes tasks of one run; again as long as the store is away.
  ///
  /// - Parameters:
  ///   - isShare: Whether a look has seen what it is to take.
  ///   - waits: Whether another's transaction in the run is waited for.
  /// - Throws: `RunIsBusy` if it is not.
  ///
  /// A try whose answer was lost may have taken tasks that nobody began: the next heartbeat finds them.
  func advance(
    _ run: String, _ ends: [TaskEnd], _ keys: [TaskKey], _ slots: Int, _ queues: [String], isShare: Bool,
    waits: Bool
  ) async throws -> AdvanceReply {
    try await touch.reach { attempt in
      let (asked, sinceBoot) = (ContinuousClock.now, LocalClock.sinceBoot)
      let advance = try await self.store.advance(
        AdvanceRequest(
          run: run, agent: self.agent, ends: ends, slots: slots, lockFor: self.options.lockFor, host: nil,
          queues: queues, localHost: self.options.host, waits: waits,
          passesEmptySteps: self.options.passesEmptySteps, namesPassed: self.log.logLevel <= .debug))
      return AdvanceReply(
        run: run, granted: slots, isShare: isShare, endedKeys: keys, asked: asked, askedSinceBoot: sinceBoot,
        advance: advance, wasRepeated: attempt > 0)
    }
  }

  /// Does what is to be done for everybody.
  func perform(_ chore: Chore) async throws {
    switch chore {
    case .queues:
      mailbox.post(.queues(try await touch.reach { _ in try await self.store.joinQueues(agent: self.agent) }))
    case .reap:
      let expired = try await touch.reach { _ in try await self.store.expiredLocks() }
      let due = expired.locks.filter { touch.outlasts($0.length) }
        .map { (lock: $0, within: StoreTouch.longestPause(for: $0.length)) }
      let given = try await touch.attempt { try await self.store.reap(due, seen: expired.seen) } ?? 0
      if given > 0 {
        log.warning("locks of agents that are gone were given up", metadata: ["tasks": "\(given)"])
        wake()
      } else {
        // Not yet: its holder, or this agent, may still be within its time.
        try await Task.sleep(for: .milliseconds(250))
      }
    case .sensors: try await askSensors()
    case .schedules: try await fireSchedules()
    case .retention:
      guard let age = options.retention else { return }
      let removed = try await touch.reach { _ in
        try await self.store.purgeSome(olderThan: age, limit: 100)
      }
      if removed > 0 { log.notice("old runs removed", metadata: ["runs": "\(removed)"]) }
    case .look, .publishing, .orphans: break
    }
  }

  /// Goes on with what agents of this host left running that are gone.
  ///
  /// - Parameter known: What this agent holds and knows of, by run.
  func adoptOrphans(known: [String: Set<Int64>]) async throws {
    guard let adopter else { return }
    let host = options.host
    let holders = try await touch.reach { _ in
      try await self.store.orphans(on: host, otherThan: self.agent)
    }
    for holder in holders {
      let isOwn = holder.agent == agent
      guard isOwn || holder.hasLeft || Takeover.isGone(holder.identity, on: host) else { continue }
      for (run, all) in Dictionary(grouping: holder.tasks, by: \.run) {
        // The answer to a take-over of its own was lost: the process may run, so its journal is asked again.
        let tasks = all.filter { !isOwn || known[run]?.contains($0.number) != true }
        if tasks.isEmpty { continue }
        let part = Holder(
          agent: holder.agent, identity: holder.identity, journal: holder.journal, tasks: tasks,
          isExpired: holder.isExpired, hasLeft: holder.hasLeft)
        let (adopted, context) = try await touch.reach { _ in
          let context = try await self.store.context(of: run)
          let takeover = Takeover(
            store: self.store, run: run, agent: self.agent, lockFor: self.options.lockFor, host: host)
          return (try await takeover.begin(part, adopter, context), context)
        }
        mailbox.post(.adopted(adopted, context))
      }
    }
  }

  /// Clears up after agents of this host that are gone: what their journals hold that is nobody's any more.
  ///
  /// - Parameter always: Whether files are looked for though no agent has left a journal.
  func sweep(always: Bool) async throws {
    guard let journal = options.journal else { return }
    let directory = (journal as NSString).deletingLastPathComponent
    let abandoned = await KeeperJournal.abandoned(in: directory, except: journal)
    guard always || !abandoned.isEmpty else { return }
    // Only now, when nothing can be added to those journals. An agent of another host may share the directory.
    let runs = await KeeperJournal.runs(in: directory)
    let held = Set(
      try await touch.reach { _ in try await self.store.heldTasks(of: runs) }.map { "\($0.run)/\($0.number)" }
    )
    let swept = await KeeperJournal.sweep(directory: directory, abandoned: abandoned) { attempt in
      TaskKey(text: attempt).map { held.contains("\($0.run)/\($0.number)") } ?? false
    }
    guard !swept.isNothing else { return }
    log.notice(
      "cleared up after agents that are gone",
      metadata: [
        "journals": "\(swept.journals)", "steps": "\(swept.steps)", "files": "\(swept.files)",
      ])
  }

  /// Starts the runs of schedules that are due. A crash before the commit leaves them due for whoever looks next.
  private func fireSchedules() async throws {
    let result = try await touch.reach { _ in
      try await self.store.fireSchedules(limit: 16, host: self.options.host)
    }
    for firing in result.firings {
      log.notice(
        "schedule",
        metadata: [
          "program": "\(firing.program)", "schedule": "\(firing.schedule)", "at": "\(firing.at)",
          "outcome": "\(firing.outcome)",
        ])
    }
    for problem in result.problems {
      log.error(
        "schedule can't be fired here",
        metadata: [
          "program": "\(problem.program)", "schedule": "\(problem.schedule)", "error": "\(problem.message)",
        ])
    }
    if !result.firings.isEmpty { wake() }
  }

  private func askSensors() async throws {
    guard let probe else { return }
    let turns = try await touch.reach { _ in try await self.store.takeSensorTurns(host: self.options.host) }
    for turn in turns {
      let reading = await probe.ask(turn)
      if let message = reading.message {
        log.warning("sensor failed", metadata: ["resource": "\(turn.name)", "error": "\(message)"])
      }
      try await touch.reach { _ in
        try await self.store.record(sensor: turn.resource, free: reading.free, message: reading.message)
      }
    }
    if !turns.isEmpty { wake() }
  }

  /// Puts the last of what running steps have written into the store, for those who follow it.
  func publish(_ running: [(run: String, claim: Claim)]) async throws {
    let logs = options.logs
    let tails = await withCheckedContinuation { continuation in
      // Reading files, so not on a cooperative thread.
      Self.files.enqueue {
        var tails: [String: [LiveOutput]] = [:]
        for (run, claim) in running {
          let task = claim.task
          guard
            let path = try? StepLog.path(
              in: logs, run: run, step: task.step, sequence: task.sequence.text, recovery: claim.recovery,
              attempt: task.attempt),
            let tail = try? StepLog.tail(of: path), tail.totalBytes > 0
          else { continue }
          tails[run, default: []].append(
            LiveOutput(
              number: task.number, attempt: task.attempt,
              tail: Outcome.Tail(text: tail.text, totalBytes: tail.totalBytes)))
        }
        continuation.resume(returning: tails)
      }
    }
    for (run, outputs) in tails {
      _ = try await touch.attempt { try await self.store.publish(outputs, of: run) }
    }
  }

  private static let files = SerialWorker(name: "followed-logs")
}
