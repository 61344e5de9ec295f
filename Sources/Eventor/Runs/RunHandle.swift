import Agent
import Database
import Engine
import Model
import Runtime
import Storage
import Synchronization

/// A run that goes on in the background: to be awaited, watched, and cancelled.
public final class RunHandle: Sendable {
  /// The run's id.
  public let id: String
  /// What happens in the run from its start, in order, ending with the work on it. For one reader; who falls behind by more
  /// than 10,000 events misses the oldest of them.
  public let events: AsyncStream<RunEvent>

  private let connection: StoreConnection
  /// The work on it, where this process does it.
  private let work: Task<RunOutcome, any Error>
  private let worker: WorkerBox

  init(
    id: String, connection: StoreConnection, events: AsyncStream<RunEvent>, worker: WorkerBox,
    work: Task<RunOutcome, any Error>
  ) {
    self.id = id
    self.connection = connection
    self.events = events
    self.worker = worker
    self.work = work
  }

  /// Whoever lets go of a run whose work has ended lets go of its store too. One that goes on keeps both.
  deinit {
    let (connection, work) = (connection, work)
    Task {
      _ = await work.result
      await connection.close()
    }
  }

  /// Closes the connections to the store. To be called when the work on the run has ended; nothing more can be asked then.
  func close() async { await connection.close() }

  /// Waits for the end of the run, or of the work on it. A wait that is cancelled leaves the run as it is.
  ///
  /// - Throws: Errors of the store; `CancellationError`.
  public func outcome() async throws -> RunOutcome {
    while !worker.end.isOpen {
      try Task.checkCancellation()
      await worker.end.wait(upTo: .milliseconds(100))
    }
    return try await work.value
  }

  /// Waits for the end of the work, whoever cancels the wait.
  func ended() async throws -> RunOutcome { try await work.value }

  /// How the run stands now.
  ///
  /// - Throws: Errors of the store.
  public func now() async throws -> RunOutcome { try await connection.outcome(of: id) }

  /// Cancels the run: nothing new starts, and what runs is told to end.
  ///
  /// - Throws: Errors of the store.
  public func cancel() async throws {
    try await connection.store.cancel(id, by: Person.name)
    worker.look()
  }

  /// Takes nothing new, and ends the work when what runs has ended; the run can be continued. Of a run that is left to
  /// agents, only the wait for it ends.
  public func drain() {
    if !worker.drain() { work.cancel() }
  }

  /// Triggers an event from outside.
  ///
  /// - Parameters:
  ///   - event: The event.
  ///   - sequence: The sequence; nil: the one in which the run started.
  /// - Returns: Whether it had not been triggered before.
  /// - Throws: Errors of the store, among others if the run is over and did not succeed.
  @discardableResult
  public func trigger(_ event: EventHandle, sequence: String? = nil) async throws -> Bool {
    let isNew = try await connection.store.trigger(
      event.name, in: sequence.map { Sequence($0) }, of: id, by: Person.name)
    worker.look()
    return isNew
  }
}

/// The agent that works on a run, from when there is one; without one, others do.
final class WorkerBox: Sendable {
  private struct State {
    var agent: RunAgent?
    var isDraining = false
  }

  private let state = Mutex(State())
  private let isHere: Bool
  /// Opens when the work on the run has ended.
  let end = Latch()

  /// A box that will be filled if `isHere`.
  init(isHere: Bool) { self.isHere = isHere }

  /// The agent is there.
  func fill(_ agent: RunAgent) {
    let drains = state.withLock { state in
      state.agent = agent
      return state.isDraining
    }
    if drains { agent.drain() }
  }

  /// Has the agent look at the store.
  func look() { state.withLock { $0.agent }?.look() }

  /// Has the agent take nothing new; false if there will be none.
  func drain() -> Bool {
    guard isHere else { return false }
    state.withLock { state in
      state.isDraining = true
      return state.agent
    }?.drain()
    return true
  }
}
