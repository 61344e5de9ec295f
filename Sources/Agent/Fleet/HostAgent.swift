public import Engine
public import Logging
public import Model
import Runtime

/// Serves one store on one host: takes ready tasks of all runs that are left to agents, has them carried out, and records
/// their ends.
///
/// One loop decides; whatever waits for the store is a task of its own that leaves its answer in the mailbox. Of each run
/// one transaction is under way at a time, of different runs several, side by side. Shutting down has an order: nothing
/// more is taken, running steps end or are handed over to the next agent of this host, the agent says goodbye.
public final class HostAgent: Sendable {
  /// How an agent works.
  public struct Options: Sendable {
    /// Its host, as programs name it.
    public var host: String
    /// For how long a task is locked; renewed three times in that.
    public var lockFor: TimeSpan
    /// About how often an idle agent looks for work.
    public var poll: Duration
    /// Whether it ends steps without an action where it comes by them, instead of taking them; only measurements don't.
    public var passesEmptySteps = true
    /// Whether it ends once nothing is ready.
    public var once = false
    /// How long running steps are waited for at the end, before they are handed over.
    public var grace = Duration.seconds(5)
    /// How long ended runs are kept; nil is for ever.
    public var retention: TimeSpan?
    /// Where logs of steps are.
    public var logs: String
    /// The journal of its keeper, beside those of earlier agents; nil: it does not clear up after those.
    public var journal: String?

    /// The defaults, for `host` with logs below `logs`.
    public init(host: String, logs: String) {
      self.host = host
      self.logs = logs
      lockFor = TimeSpan(seconds: 30)
      poll = .seconds(1)
    }
  }

  /// How an agent came to its end.
  public enum Ending: Sendable, Hashable {
    /// Nothing is left of what it held.
    case done
    /// So many steps go on and wait for the next agent of this host.
    case handedOver(Int)
  }

  /// Another incarnation has the agent's seat.
  public struct Replaced: Error, Sendable, CustomStringConvertible {
    /// What happened, and what to do about it.
    public let description: String
  }

  enum Message: Sendable {
    case ended(run: String, number: Int64, fence: Int64, outcome: Outcome)
    case advanced(AdvanceReply)
    case busy(run: String, granted: Int)
    case advanceFailed(run: String, granted: Int, ends: [TaskEnd], keys: [TaskKey], error: String)
    case retaken(RunContext, claims: [Claim], sinceBoot: Int64, places: Int)
    case looked(Look, at: AgentQueues)
    case pulse(Pulse, asked: ContinuousClock.Instant, sinceBoot: Int64)
    case queues(AgentQueues)
    case adopted([Adopted], RunContext)
    case parted(TaskKey)
    case chore(Chore)
    case address(String?)
    case wake
    case drain
    case graceIsOver
  }

  /// Work that is done for everybody, one of a kind at a time.
  enum Chore: Hashable, Sendable {
    case look, queues, reap, sensors, schedules, orphans, retention, publishing
  }

  let store: any FleetDriver
  let agent: Int64
  let executor: any StepExecutor
  /// Goes on with what agents of this host that are gone left running.
  let adopter: ProcessExecutor?
  let probe: SensorProbe?
  let capacity: Capacity
  let options: Options
  let log: Logger
  let touch: StoreTouch
  let mailbox = Mailbox<Message>()

  /// An agent, enlisted in `store` under the number `agent`.
  public init(
    store: any FleetDriver, agent: Int64, executor: any StepExecutor, adopter: ProcessExecutor?,
    probe: SensorProbe?, capacity: Capacity, options: Options, log: Logger
  ) {
    self.store = store
    self.agent = agent
    self.executor = executor
    self.adopter = adopter
    self.probe = probe
    self.capacity = capacity
    self.options = options
    self.log = log
    touch = StoreTouch(log: log)
  }

  /// Takes nothing more, and ends when what runs has ended or the grace is over.
  public func drain() { mailbox.post(.drain) }

  /// Takes nothing more, and hands over at once what runs.
  public func handOver() {
    mailbox.post(.drain)
    mailbox.post(.graceIsOver)
  }

  /// Does `body`, and again as long as the store it asks is away, saying so once.
  public static func patiently<T: Sendable>(
    _ log: Logger, _ body: @Sendable () async throws -> T
  ) async throws -> T {
    try await StoreTouch(log: log).reach { _ in try await body() }
  }

  /// Looks at the store now instead of at the next poll.
  public func wake() { mailbox.post(.wake) }

  /// Wake-ups reach the agent at another address from now on; nil: they don't.
  public func announce(_ address: String?) { mailbox.post(.address(address)) }

  /// Works until it is drained, or, with ``Options/once``, until nothing is ready.
  ///
  /// - Throws: ``Replaced``; errors of the store that waiting does not mend; `CancellationError`.
  public func work() async throws -> Ending {
    let outcome = Mailbox<Result<Ending, any Error>>()
    try await withThrowingDiscardingTaskGroup { group in
      var loop = HostAgentLoop(self)
      group.addTask { try await self.unlessCancelled { try await self.keepBeating() } }
      do {
        outcome.post(.success(try await loop.run(&group)))
      } catch {
        outcome.post(.failure(error))
      }
      group.cancelAll()
    }
    guard let result = outcome.take().first else { throw CancellationError() }
    let ending = try result.get()
    // Who takes over what runs goes by the journal as soon as the goodbye is said.
    await adopter?.close()
    _ = try await touch.attempt { try await self.store.dismiss(agent: self.agent) }
    return ending
  }

  /// A child that is cancelled because the agent ends has not failed.
  func unlessCancelled(_ body: @Sendable () async throws -> Void) async throws {
    do { try await body() } catch is CancellationError {}
  }

  private static let beatsToLookBack = 6

  /// Renews all locks three times in their life. What is trusted is counted from when a renewal began, so that a slow
  /// success can't stretch it.
  private func keepBeating() async throws {
    var last: Timestamp?
    var beats = 0
    while true {
      // Now and then all it holds is looked for, however long ago the lock expired.
      let since = beats.isMultiple(of: Self.beatsToLookBack) ? nil : last
      beats += 1
      let beat = try await touch.beat {
        let (asked, sinceBoot) = (ContinuousClock.now, LocalClock.sinceBoot)
        let pulse = try await self.store.beat(
          agent: self.agent, lockFor: self.options.lockFor, since: since)
        return (pulse: pulse, asked: asked, sinceBoot: sinceBoot)
      }
      mailbox.post(.pulse(beat.pulse, asked: beat.asked, sinceBoot: beat.sinceBoot))
      last = beat.pulse.at
      let next = beat.asked + .microseconds(options.lockFor.microseconds / 3)
      try await Task.sleep(until: next, clock: .continuous)
    }
  }
}
