import Foundation
import Glibc
import Testing

/// Agents of a test: each a process of its own that takes itself for another host.
extension World {
  /// Locks that expire soon, so that tests of losses don't wait half a minute.
  static let shortLocks = ["--lock-for", "2s", "--poll", "200ms"]
  /// The same for tests in which nobody may lose anything because the machine was slow to renew a lock.
  static let slackLocks = ["--lock-for", "12s", "--poll", "200ms"]

  /// Starts the agent of `host` and waits until it serves; its files are below `host/`.
  @discardableResult
  func agent(
    _ host: String, _ options: [String] = [], env: [String: String] = [:],
    from place: SourceLocation = #_sourceLocation
  ) async throws -> Call {
    let call = try launchAgent(host, options, env: env)
    try await until("the agent of \(host) serves", from: place) {
      if call.isOver { Issue.record("it has ended: \(call.stderr)", sourceLocation: place) }
      return call.isOver || call.stderr.contains("serving")
    }
    return call
  }

  /// As ``agent(_:_:env:from:)``, without waiting.
  func launchAgent(_ host: String, _ options: [String] = [], env: [String: String] = [:]) throws -> Call {
    let words = [
      "--store", store, "--host", host, "--work-dir", path("\(host)/work"), "--log-dir", path("\(host)/logs"),
    ]
    return try start(words + options, env: env, executable: Executable.agent)
  }

  /// Submits the program as run `id`.
  func submit(_ id: String = "r", _ arguments: String..., from place: SourceLocation = #_sourceLocation)
    async throws
  {
    let answer = try await start(["submit", program, "--run-id", id] + arguments).answer(from: place)
    #expect(answer.code == 0, "\(answer)", sourceLocation: place)
  }

  /// Waits for the end of a run and returns its report.
  func wait(for id: String = "r", exit: Int32 = 0, from place: SourceLocation = #_sourceLocation)
    async throws -> Report
  {
    let patience = "\(Scale.count(100, full: 3600))s"
    let answer = try await start(["wait", id, "--json", "--timeout", patience]).answer(from: place)
    #expect(answer.code == exit, "\(answer)", sourceLocation: place)
    return try answer.decoded(as: Report.self, from: place)
  }

  /// Waits until a line of `name` holds `text`.
  func line(
    _ text: String, in name: String, times: Int = 1, from place: SourceLocation = #_sourceLocation
  ) async throws {
    try await until("\(name) says \(text)", from: place) {
      lines(name).count { $0.contains(text) } >= times
    }
  }

  /// Processes that carry the mark of run `id`.
  func processes(ofRun id: String) -> [pid_t] {
    Leftovers(mark: "EVENTOR_RUN_ID=\(id)").pids.filter { pid in
      Leftovers(mark: mark).pids.contains(pid)
    }
  }
}

extension Call {
  /// Kills it, and waits until it is gone.
  func kill() async {
    signal(SIGKILL)
    _ = await answer()
  }

  /// Ends it as systemd would, and expects it to go well.
  func stop(from place: SourceLocation = #_sourceLocation) async {
    signal(SIGTERM)
    let answer = await answer(from: place)
    #expect(answer.code == 0, "\(answer)", sourceLocation: place)
  }
}

/// How much of a test is done: small numbers everywhere, the full ones where `EVENTOR_STRESS=full` says so.
enum Scale {
  static let isFull = ProcessInfo.processInfo.environment["EVENTOR_STRESS"] == "full"

  static func count(_ small: Int, full: Int) -> Int { isFull ? full : small }
}
