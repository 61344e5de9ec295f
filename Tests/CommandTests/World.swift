import Database
import Foundation
import Glibc
import TestSupport
import Testing

/// A store and a directory of a test's own, and `coordinator` called in it as a person calls it.
///
/// Every call finds the store in `EVENTOR_STORE`, its home in the directory, and a mark in its environment that
/// steps inherit: whatever still runs at the end is found by it and killed.
struct World: Sendable {
  let directory: String
  let kind: TestStore.Kind
  /// The store's URL, with its password.
  let store: String
  let url: StoreURL
  /// The program that `run` runs, where a test has only one.
  var program: String { path("program.yaml") }

  /// Hands `body` a world with `program` as its program file, and removes it afterwards, whatever happened.
  static func with(
    _ kind: TestStore.Kind = .sqlite, program text: String = "", _ body: (World) async throws -> Void
  ) async throws {
    await gate.enter()
    let result: Result<Void, any Error>
    do {
      result = .success(try await make(kind, text, body))
    } catch {
      result = .failure(error)
    }
    await gate.leave()
    try result.get()
  }

  private static func make(
    _ kind: TestStore.Kind, _ text: String, _ body: (World) async throws -> Void
  ) async throws {
    var template = Array("/tmp/eventor-command-XXXXXX".utf8CString)
    let made = mkdtemp(&template) != nil
    try #require(made)
    let directory = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    // The steps of other users go through it.
    chmod(directory, 0o755)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    try await withStore(kind) { url in
      let world = World(directory: directory, kind: kind, store: url.textWithPassword, url: url)
      if !text.isEmpty { try world.write("program.yaml", text) }
      defer { Leftovers(mark: world.mark).kill() }
      try await body(world)
    }
  }

  /// What the environment of everything that a test starts holds.
  var mark: String { "COMMAND_TEST=\(directory)" }

  // MARK: Files

  func path(_ name: String) -> String { "\(directory)/\(name)" }

  @discardableResult
  func write(_ name: String, _ text: String, mode: Int = 0o644) throws -> String {
    let path = path(name)
    try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
    return path
  }

  func text(_ name: String) throws -> String { try String(contentsOfFile: path(name), encoding: .utf8) }

  func lines(_ name: String) -> [String] {
    ((try? text(name)) ?? "").split(separator: "\n").map(String.init)
  }

  func exists(_ name: String) -> Bool { FileManager.default.fileExists(atPath: path(name)) }

  // MARK: Commands

  /// Calls `coordinator` and waits for its end.
  @discardableResult
  func run(
    _ arguments: String..., env: [String: String] = [:], stdin: String? = nil, store: String? = nil,
    from place: SourceLocation = #_sourceLocation
  ) async throws -> Answer {
    try await start(arguments, env: env, stdin: stdin, store: store).answer(from: place)
  }

  /// Calls `coordinator` with `--json` and reads the report it prints.
  func report(
    _ arguments: String..., exit: Int32? = nil, env: [String: String] = [:],
    from place: SourceLocation = #_sourceLocation
  ) async throws -> Report {
    let answer = try await start(arguments + ["--json"], env: env).answer(from: place)
    if let exit { #expect(answer.code == exit, "\(answer)", sourceLocation: place) }
    return try answer.decoded(as: Report.self, from: place)
  }

  /// Starts `coordinator` and goes on; `host` gives the process a host name of its own, for which it must be root.
  func start(
    _ arguments: [String], env: [String: String] = [:], stdin: String? = nil, store: String? = nil,
    host: String? = nil, executable: String = Executable.path
  ) throws -> Call {
    var environment = [
      "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": path("home"),
      "LANG": "C.UTF-8",
      "NO_COLOR": "1", "EVENTOR_STORE": store ?? self.store, "COMMAND_TEST": directory,
    ]
    environment.merge(env) { $1 }
    environment = environment.filter { !$0.value.isEmpty }
    let named = host.map { ["unshare", "--uts", "sh", "-c", #"hostname "$0" && exec "$@""#, $0] } ?? []
    return try Call(
      command: named + [executable], arguments: arguments, environment: environment,
      directory: directory,
      stdin: stdin)
  }

  /// Runs the program as run `r` to its end.
  func finish(
    _ arguments: String..., exit: Int32 = 0, env: [String: String] = [:],
    from place: SourceLocation = #_sourceLocation
  ) async throws -> Report {
    let words = ["run", program, "--run-id", "r", "--json", "--quiet"] + arguments
    let answer = try await start(words, env: env).answer(from: place)
    #expect(answer.code == exit, "\(answer)", sourceLocation: place)
    return try answer.decoded(as: Report.self, from: place)
  }

  /// Starts the program as run `r` and goes on.
  func begin(_ arguments: String..., env: [String: String] = [:]) throws -> Call {
    try start(["run", program, "--run-id", "r"] + arguments, env: env)
  }

  // MARK: Waiting for what happens

  /// The report on a run, asked for again until it is as the test wants it.
  @discardableResult
  func status(
    of run: String = "r", until isWanted: (Report) -> Bool, from place: SourceLocation = #_sourceLocation
  ) async throws -> Report {
    var last: Report?
    for _ in 0..<patience {
      let answer = try await self.run("status", run, "--json", from: place)
      if answer.code == 0 {
        let report = try answer.decoded(as: Report.self, from: place)
        if isWanted(report) { return report }
        last = report
      }
      try await Task.sleep(for: .milliseconds(50))
    }
    Issue.record("the run did not come so far: \(String(describing: last))", sourceLocation: place)
    throw Impatience()
  }

  /// Waits for a file that a step makes.
  func file(_ name: String, from place: SourceLocation = #_sourceLocation) async throws {
    try await until("\(name) is there", from: place) { exists(name) }
  }
}

/// What was waited for didn't come.
struct Impatience: Error {}

/// How often a condition is looked at before a test gives up: a bound against hanging, not a measure.
private let patience = 4800

/// Waits until `condition` holds.
func until(
  _ what: String, from place: SourceLocation = #_sourceLocation, _ condition: () throws -> Bool
) async throws {
  for _ in 0..<patience {
    if try condition() { return }
    try await Task.sleep(for: .milliseconds(25))
  }
  Issue.record("never: \(what)", sourceLocation: place)
  throw Impatience()
}

/// A few worlds at a time: each has processes of its own.
private let gate = Gate(places: 4)

/// The built commands.
enum Executable {
  static let path = BuiltExecutable.path(of: "coordinator")
  static let agent = BuiltExecutable.path(of: "eventor-agent")
  static let bench = BuiltExecutable.path(of: "eventor-bench")
  static let probe = BuiltExecutable.path(of: "step-probe")
}

/// Processes of a test that are still there.
struct Leftovers {
  let mark: String

  /// The processes whose environment holds the mark.
  var pids: [pid_t] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
    return names.compactMap { pid_t($0) }.filter { pid in
      guard pid != getpid(), let environment = FileManager.default.contents(atPath: "/proc/\(pid)/environ")
      else { return false }
      return environment.split(separator: 0).contains { $0.elementsEqual(mark.utf8) }
    }
  }

  func kill() {
    for _ in 0..<100 {
      let left = pids
      if left.isEmpty { return }
      for pid in left { Glibc.kill(pid, SIGKILL) }
      usleep(10_000)
    }
  }
}
