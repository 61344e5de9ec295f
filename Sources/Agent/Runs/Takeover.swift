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

  /// Takes over tasks of `run` for `agent`.
  public init(store: any RunDriver, run: String, agent: Int64, lockFor: TimeSpan) {
    self.store = store
    self.run = run
    self.agent = agent
    self.lockFor = lockFor
  }

  /// Whether the process of an agent is certainly gone. Nothing is certain about another host.
  public static func isGone(_ identity: AgentIdentity) -> Bool {
    guard identity.host == LocalHost.name else { return false }
    return !LocalProcess.isAlive(
      ProcessIdentity(pid: identity.pid, startTime: identity.processStart, bootID: identity.bootID))
  }

  /// Goes on with what agents that are gone left running; what can't be gone on with follows `on_lost`.
  public func begin(_ executor: ProcessExecutor, _ context: RunContext) async throws -> [Adopted] {
    var adopted: [Adopted] = []
    for holder in try await store.holders(of: run, otherThan: agent) where Self.isGone(holder.identity) {
      adopted += try await begin(holder, executor, context)
    }
    return adopted
  }

  /// Ends every process that agents that are gone left running, and waits until they are.
  public func endLeftovers() async throws {
    for holder in try await store.holders(of: run, otherThan: agent) where Self.isGone(holder.identity) {
      let entries = await Self.entries(of: holder.identity)
      for entry in entries.values where !entry.state.isFinal {
        await LeftoverProcess(identity: entry.identity, mark: entry.mark).end()
      }
    }
  }

  private func begin(
    _ holder: Holder, _ executor: ProcessExecutor, _ context: RunContext
  ) async throws -> [Adopted] {
    let journal = holder.identity.journal
    let entries = await Self.entries(of: holder.identity)
    let isKept = KeeperJournal.isKeeperAlive(journal)
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
        let files = URL(fileURLWithPath: journal).deletingLastPathComponent().path + "/files"
        let ended = try executor.adopt(
          claim, in: context, identity: entry.identity, mark: entry.mark, files: files, onEnd: box.set)
        switch entry.state {
        case .ended(let end): ended(end)
        case .notStarted(let why): ended(ProcessEnd(.notStarted(why)))
        case .running where isKept: waiting[key.text] = ended
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
    if !lost.isEmpty { try await store.lose(lost, of: run, because: "its agent (process \(holder.identity.pid)) was lost") }
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
          case .notStarted(let why): ended(ProcessEnd(.notStarted(why)))
          case .running, .announced: ended(ProcessEnd(.lost("its keeper died, so nobody knows how it ended")))
          }
          waiting[entry.key] = nil
        }
      } catch {
        for ended in waiting.values { ended(ProcessEnd(.lost("the journal of its keeper can't be read: \(error)"))) }
      }
    }
  }

  private static func entries(of identity: AgentIdentity) async -> [String: KeeperJournal.Entry] {
    guard identity.host == LocalHost.name else { return [:] }
    // A journal that is not there any more has nothing to tell.
    let entries = (try? KeeperJournal.read(identity.journal)) ?? []
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

/// This host.
public enum LocalHost {
  /// Its short name, as agents are known by.
  public static let name: String = {
    var buffer = [CChar](repeating: 0, count: 256)
    guard gethostname(&buffer, buffer.count - 1) == 0 else { return "localhost" }
    let full = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return full.split(separator: ".").first.map(String.init) ?? "localhost"
  }()
}
