public import Engine
import Foundation
import Glibc
public import Model
import Synchronization

/// A task of an earlier agent that this one goes on with.
public struct Adopted: Sendable {
  /// The task, locked by this agent.
  public let claim: Claim
  private let end: EndBox

  init(_ claim: Claim, _ end: EndBox) {
    self.claim = claim
    self.end = end
  }

  /// Calls `body` once with how it ended, now if it has.
  func whenEnded(_ body: @escaping @Sendable (Outcome) -> Void) { end.whenSet(body) }
}

/// An outcome that may come before or after somebody asks for it.
final class EndBox: Sendable {
  private enum State {
    case empty
    case asked(@Sendable (Outcome) -> Void)
    case set(Outcome)
    case done
  }
  private let state = Mutex(State.empty)

  func set(_ outcome: Outcome) {
    let body = state.withLock { state -> (@Sendable (Outcome) -> Void)? in
      switch state {
      case .empty: state = .set(outcome)
      case .asked(let body):
        state = .done
        return body
      case .set, .done: break
      }
      return nil
    }
    body?(outcome)
  }

  func whenSet(_ body: @escaping @Sendable (Outcome) -> Void) {
    let outcome = state.withLock { state -> Outcome? in
      if case .set(let outcome) = state {
        state = .done
        return outcome
      }
      state = .asked(body)
      return nil
    }
    if let outcome { body(outcome) }
  }
}

/// Takes tasks over from agents of this host that are gone, by what their keepers wrote down.
public struct Takeover: Sendable {
  private let store: any RunDriver
  private let run: String
  private let agent: Int64
  private let lockFor: TimeSpan
  private let host: String

  /// Takes over tasks of `run` for `agent` on this host, which agents know as `host`.
  public init(
    store: any RunDriver, run: String, agent: Int64, lockFor: TimeSpan, host: String = LocalHost.name
  ) {
    self.store = store
    self.run = run
    self.agent = agent
    self.lockFor = lockFor
    self.host = host
  }

  /// Whether the process of an agent is certainly gone. Nothing is certain about another host.
  public static func isGone(_ identity: AgentIdentity) -> Bool { isGone(identity, on: LocalHost.name) }

  /// As ``isGone(_:)``, where agents know this host as `host`.
  public static func isGone(_ identity: AgentIdentity, on host: String) -> Bool {
    guard identity.host == host else { return false }
    return !LocalProcess.isAlive(
      ProcessIdentity(pid: identity.pid, startTime: identity.processStart, bootID: identity.bootID))
  }

  /// Goes on with what agents that are gone left running; what can't be gone on with follows `on_lost`.
  public func begin(_ executor: ProcessExecutor, _ context: RunContext) async throws -> [Adopted] {
    var adopted: [Adopted] = []
    for holder in try await store.holders(of: run, otherThan: agent)
    where Self.isGone(holder.identity, on: host) {
      adopted += try await begin(holder, executor, context)
    }
    return adopted
  }

  /// Ends every process that agents that are gone left running, and waits until they are.
  public func endLeftovers() async throws {
    for holder in try await store.holders(of: run, otherThan: agent)
    where Self.isGone(holder.identity, on: host) {
      await endProcesses(of: holder)
    }
  }

  /// Ends every process that agents that are gone left running, and waits until they are. Returns what had ended by
  /// itself before, for this agent to record.
  public func settle(_ executor: ProcessExecutor, _ context: RunContext) async throws -> [TaskEnd] {
    var ends: [TaskEnd] = []
    for holder in try await store.holders(of: run, otherThan: agent)
    where Self.isGone(holder.identity, on: host) {
      let entries = entries(of: holder)
      await endProcesses(of: holder)
      for claim in try await store.adopt(holder.tasks, of: run, by: agent, lockFor: lockFor) {
        let end: ProcessEnd
        switch entries[TaskKey(claim, in: run).text]?.state {
        case .ended(let ended): end = ended
        case .notStarted(let why) where entries[TaskKey(claim, in: run).text]?.wasWithheld == false:
          end = ProcessEnd(.notStarted(why))
        case .notStarted, .running, .announced, nil: continue
        }
        let outcome = await Self.outcome(of: end, claim, holder, executor, context)
        ends.append(TaskEnd(of: claim, outcome))
      }
    }
    return ends
  }

  private static func outcome(
    of end: ProcessEnd, _ claim: Claim, _ holder: Holder, _ executor: ProcessExecutor, _ context: RunContext
  ) async -> Outcome {
    await withCheckedContinuation { continuation in
      do throws(Job.Failure) {
        let ended = try executor.adopt(
          claim, in: context, identity: nil, mark: "", files: files(of: holder),
          onEnd: { continuation.resume(returning: $0) })
        ended(end)
      } catch {
        continuation.resume(returning: Outcome(.failure, message: error.message))
      }
    }
  }

  /// Ends what runs of what a holder holds. A living keeper sees to it, and says in its journal when nothing is left.
  private func endProcesses(of holder: Holder) async {
    let control = KeeperControl(journal: holder.journal)
    var isToldTo = false
    for round in 0..<200 {
      let isKept = KeeperJournal.isKeeperAlive(holder.journal)
      let unfinished = entries(of: holder).values.filter { !$0.state.isFinal }
      if unfinished.isEmpty { return }
      guard isKept else {
        for entry in unfinished { await LeftoverProcess(identity: entry.identity, mark: entry.mark).end() }
        return
      }
      if !isToldTo {
        let killAt = LocalClock.sinceBoot + 2_000_000
        isToldTo = control.send(KeeperRequests.stop(unfinished.map(\.ticket), killAt: killAt))
      }
      if !isToldTo {
        for entry in unfinished {
          LocalProcess.killTree(of: entry.identity, mark: entry.mark, round < 40 ? SIGTERM : SIGKILL)
        }
      }
      try? await Task.sleep(for: .milliseconds(50))
    }
  }

  private static func files(of holder: Holder) -> String {
    URL(fileURLWithPath: holder.journal).deletingLastPathComponent().path + "/files"
  }

  /// Goes on with what one agent that is gone left running.
  func begin(_ holder: Holder, _ executor: ProcessExecutor, _ context: RunContext) async throws -> [Adopted] {
    let journal = holder.journal
    // First whether the keeper lives, then what it wrote: what a dead one has not written never comes.
    let isKept = KeeperJournal.isKeeperAlive(journal)
    let entries = entries(of: holder)
    var adopted: [Adopted] = []
    var lost: [HeldTask] = []
    var waiting: [String: @Sendable (ProcessEnd) -> Void] = [:]
    for claim in try await store.adopt(holder.tasks, of: run, by: agent, lockFor: lockFor) {
      let key = TaskKey(claim, in: run)
      let held = HeldTask(run: run, number: claim.task.number, fence: claim.fence)
      guard let entry = entries[key.text] else {
        // Not even announced: at most its precondition has run.
        if let first = entries[key.text + "/precondition"], !first.state.isFinal {
          await LeftoverProcess(identity: first.identity, mark: first.mark).end()
        }
        lost.append(held)
        continue
      }
      let box = EndBox()
      do throws(Job.Failure) {
        let ended = try executor.adopt(
          claim, in: context, identity: entry.identity, mark: entry.mark, files: Self.files(of: holder),
          journal: journal, onEnd: box.set)
        switch entry.state {
        case .ended(let end): ended(end)
        case .notStarted where entry.wasWithheld:
          executor.abandon(key)
          lost.append(held)
          continue
        case .notStarted(let why): ended(ProcessEnd(.notStarted(why)))
        // A living keeper that is about to start it goes on to do so.
        case .running where isKept, .announced where isKept: waiting[key.text] = ended
        case .running, .announced:
          // Nobody will know how it ends: it is ended, and follows on_lost.
          await LeftoverProcess(identity: entry.identity, mark: entry.mark).end()
          executor.abandon(key)
          lost.append(held)
          continue
        }
        adopted.append(Adopted(claim, box))
      } catch {
        box.set(Outcome(.failure, message: error.message))
        adopted.append(Adopted(claim, box))
      }
    }
    if !lost.isEmpty {
      try await store.lose(lost, of: run, because: "its agent (process \(holder.identity.pid)) was lost")
    }
    if !waiting.isEmpty { follow(journal, waiting) }
    return adopted
  }

  /// Hands on ends as the living keeper writes them down; what it leaves unfinished is lost.
  private func follow(_ journal: String, _ waiting: [String: @Sendable (ProcessEnd) -> Void]) {
    Task {
      var waiting = waiting
      do {
        for try await entry in KeeperJournal.follow(journal) {
          guard let ended = waiting[entry.key] else { continue }
          switch entry.state {
          case .ended(let end): ended(end)
          case .notStarted(let why):
            var end = ProcessEnd(.notStarted(why))
            end.wasCutOff = entry.wasWithheld
            ended(end)
          case .running, .announced: ended(ProcessEnd(.lost("its keeper died, so nobody knows how it ended")))
          }
          waiting[entry.key] = nil
        }
      } catch {
        for ended in waiting.values {
          ended(ProcessEnd(.lost("the journal of its keeper can't be read: \(error)")))
        }
      }
    }
  }

  private func entries(of holder: Holder) -> [String: KeeperJournal.Entry] {
    guard holder.identity.host == host else { return [:] }
    // A journal that is not there any more has nothing to tell.
    let entries = (try? KeeperJournal.read(holder.journal)) ?? []
    return Dictionary(entries.map { ($0.key, $0) }, uniquingKeysWith: { $1 })
  }
}

/// Processes of a step that nobody watches any more.
struct LeftoverProcess: Sendable {
  let identity: ProcessIdentity?
  let mark: String

  /// Ends them, with SIGTERM and soon SIGKILL, and returns when none is left or none can be ended.
  func end() async {
    for signal in [SIGTERM, SIGKILL] {
      for _ in 0..<40 {
        if LocalProcess.killTree(of: identity, mark: mark, signal) == 0 { return }
        try? await Task.sleep(for: .milliseconds(50))
      }
    }
  }
}
