import Agent
import Database
import Drivers
import Engine
import Logging
import Model
import Storage

/// An agent inside this process, whose statements are written down: the same loop as that of `eventor-agent`, with
/// steps that do nothing.
struct InnerAgent {
  private let recorder: RecordingDriver
  private let pool: Pool
  private let agent: HostAgent

  /// A caller that wakes nobody; the statements that find whom to wake are sent all the same.
  static let silence: any WakeCaller = SilentCaller()

  /// Enlists at `own`.
  ///
  /// - Parameters:
  ///   - handling: What it does with steps.
  ///   - once: Whether it ends when nothing is left to do; else it goes on until its task is cancelled.
  init(on own: OwnStore, slots: Int, _ handling: Handling = .passed, once: Bool = true) async throws {
    let number = try await Self.enlist(on: own, slots: slots)
    recorder = RecordingDriver(Drivers.driver(for: own.url))
    pool = Pool(url: own.url, driver: recorder, size: 5)
    var options = HostAgent.Options(host: Programs.host, logs: own.directory + "/inner-logs")
    options.once = once
    options.passesEmptySteps = handling == .passed
    agent = HostAgent(
      store: SQLStore(pool: pool, caller: Self.silence), agent: number, executor: NoProcesses(), adopter: nil,
      probe: nil, capacity: Capacity(slots), options: options,
      log: Logger(label: "inner") { _ in SwiftLogNoOpLogHandler() })
  }

  /// Takes a seat, which has the same number in each store that was prepared in the same way.
  static func enlist(on own: OwnStore, slots: Int) async throws -> Int64 {
    let identity = AgentIdentity(
      host: Programs.host, instance: "inner", incarnation: "inner", pid: 1, processStart: 1, bootID: "none",
      journal: "", version: "bench", isEmbedded: true)
    let profile = AgentProfile(capacity: slots, lockFor: TimeSpan(seconds: 30))
    return try await own.store.enlist(identity, as: profile, isGone: { _ in true })
  }

  /// Works to the end, and returns what it sent.
  func work() async throws -> Transcript {
    let result: Result<HostAgent.Ending, any Error>
    do { result = .success(try await agent.work()) } catch { result = .failure(error) }
    await pool.close()
    _ = try result.get()
    return recorder.tape.content
  }

  /// What it has sent up to now.
  var sent: Transcript { recorder.tape.content }

  /// What it sends for the work that `prepare` makes ready, in a store that is there for that alone.
  static func transcript(
    at place: StorePlace, slots: Int, _ handling: Handling, prepare: @Sendable (OwnStore) async throws -> Void
  ) async throws -> Transcript {
    try await OwnStore.with(place) { own in
      try await prepare(own)
      return try await InnerAgent(on: own, slots: slots, handling).work()
    }
  }

  /// Seconds that the same statements take on one bare connection, in a store prepared in the same way.
  static func replay(
    _ transcript: Transcript, at place: StorePlace, slots: Int, tasks: Int,
    prepare: @Sendable (OwnStore) async throws -> Void
  ) async throws -> Double {
    try await OwnStore.with(place) { own in
      try await prepare(own)
      _ = try await enlist(on: own, slots: slots)
      let seconds = try await Floor.open(own.url).replay(transcript)
      let ended = try await own.number("SELECT COUNT(*) FROM ev_task WHERE status = 'success'")
      guard ended == Int64(tasks) else { throw Wrong("the floor ended \(ended) tasks, of \(tasks)") }
      return seconds
    }
  }
}

private struct SilentCaller: WakeCaller {
  func ring(_ addresses: [String]) {}
  func close() async {}
}

/// Steps without an action never come here.
struct NoProcesses: StepExecutor {
  func begin(_ claim: Claim, in context: RunContext, onEnd: @escaping @Sendable (Outcome) -> Void) {
    onEnd(Outcome(.success))
  }

  func stop(_ tasks: [TaskKey], because reason: String) {}
  func recorded(_ tasks: [TaskKey]) {}
}
