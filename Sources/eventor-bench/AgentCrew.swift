import Database
import Engine
import Foundation
import Glibc
import Model

/// Agents at work: processes of the `eventor-agent` beside this program, or of this program itself.
struct AgentCrew {
  private struct Member {
    let process: Process
    let log: String
  }

  private let members: [Member]

  /// Starts agents that serve `own`, hands them to `body` once all of them serve, and ends them, whatever happened.
  static func with<T>(
    _ options: AgentOptions, _ handling: Handling = .passed, on own: OwnStore,
    _ body: (AgentCrew) async throws -> T
  ) async throws -> T {
    let program = try Executables.path(of: handling == .locked ? "eventor-bench" : "eventor-agent")
    var members: [Member] = []
    let result: Result<T, any Error>
    do {
      for number in 1...options.agents { members.append(try launch(program, number, options, handling, own)) }
      let crew = AgentCrew(members: members)
      try await crew.awaitService(on: own)
      result = .success(try await body(crew))
    } catch {
      result = .failure(error)
    }
    // Not cut short where this task is cancelled: nothing is to be left behind.
    let left = AgentCrew(members: members)
    await Task { await left.stop() }.value
    return try result.get()
  }

  private static func launch(
    _ program: String, _ number: Int, _ options: AgentOptions, _ handling: Handling, _ own: OwnStore
  ) throws -> Member {
    let directory = "\(own.directory)/agent-\(number)"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    let process = Process()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments =
      handling == .locked
      ? ["crew-agent", "--instance", "\(number)", "--slots", "\(options.slots)", "--directory", directory]
      : [
        "--host", Programs.host, "--instance", "\(number)", "--max-concurrent", "\(options.slots)",
        "--work-dir", directory + "/work", "--log-dir", directory + "/logs", "--log-level", options.agentLog,
        "--grace", "1s",
      ]
    process.environment = own.environment
    let log = directory + "/log"
    guard FileManager.default.createFile(atPath: log, contents: nil),
      let output = FileHandle(forWritingAtPath: log)
    else { throw Wrong("\(log) can't be made") }
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    process.standardError = output
    try process.run()
    try output.close()
    return Member(process: process, log: log)
  }

  private init(members: [Member]) { self.members = members }

  /// The agents' processes.
  var pids: [pid_t] { members.map(\.process.processIdentifier) }

  /// Each agent has a seat and can be woken: until it has an address, only its poll would find anything.
  private func awaitService(on own: OwnStore) async throws {
    while try await own.number(
      "SELECT COUNT(*) FROM ev_agent WHERE waiter IS NOT NULL AND stopped_at IS NULL") < Int64(members.count)
    {
      try check()
      try await Task.sleep(for: .milliseconds(20))
    }
  }

  /// Throws if one of them has ended.
  func check() throws {
    for member in members where !member.process.isRunning {
      let said = text(member).split(whereSeparator: \.isNewline).suffix(3).joined(separator: " | ")
      throw Wrong("an agent has ended: \(said)")
    }
  }

  /// As systemd would; whoever does not go in time is killed.
  private func stop() async {
    for member in members where member.process.isRunning { member.process.terminate() }
    for member in members {
      let deadline = ContinuousClock.now + .seconds(20)
      while member.process.isRunning, ContinuousClock.now < deadline { await Self.pause() }
      if member.process.isRunning { kill(member.process.processIdentifier, SIGKILL) }
      while member.process.isRunning { await Self.pause() }
    }
  }

  /// In a task that nobody cancels.
  private static func pause() async { try? await Task.sleep(for: .milliseconds(10)) }

  private func text(_ member: Member) -> String {
    FileManager.default.contents(atPath: member.log).map { String(decoding: $0, as: UTF8.self) } ?? ""
  }

  // MARK: Work

  /// Waits until no run goes on, and throws if one has not ended well. Index: ev_run_by_status.
  func awaitEnds(in own: OwnStore, every pause: Duration = .milliseconds(50)) async throws {
    while try await own.number("SELECT COUNT(*) FROM ev_run WHERE status = 'running'") > 0 {
      try check()
      try await Task.sleep(for: pause)
    }
    let bad = try await own.rows(
      """
      SELECT id, status, message FROM ev_run
      WHERE status IN \(list: RunStatus.allCases.filter { $0.isOver && $0 != .success }.map(\.rawValue)) LIMIT 1
      """)
    guard let row = bad.first else { return }
    throw Wrong("run \(try row.text(0)) ended as \(try row.text(1)): \(try row.optionalText(2) ?? "")")
  }

  /// Has the agents begin at one moment with what `prepare` has made ready, and waits until all runs are over.
  ///
  /// - Parameter pause: How often is looked whether they are.
  /// - Returns: How long that took from that moment on, in seconds.
  @discardableResult
  static func work(
    _ options: AgentOptions, _ handling: Handling = .passed, on own: OwnStore,
    every pause: Duration = .milliseconds(5),
    prepare: () async throws -> Void
  ) async throws -> Double {
    try await own.store.drain(Programs.host, reason: "all begin at once", within: nil, by: "bench")
    try await prepare()
    return try await with(options, handling, on: own) { crew in
      let start = ContinuousClock.now
      _ = try await own.store.undrain(Programs.host)
      try await crew.awaitEnds(in: own, every: pause)
      return (ContinuousClock.now - start) / .seconds(1)
    }
  }
}
