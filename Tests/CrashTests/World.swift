import Database
import Foundation
import Glibc
import TestSupport
import Testing

/// A fresh store and a directory, and `coordinator` started in it over and over.
///
/// Everything that descends from it carries a mark in its environment, by which what was left running is found.
struct World: Sendable {
  let directory: String
  let kind: TestStore.Kind
  let url: StoreURL
  /// The store's URL, with its password.
  let store: String

  /// Hands `body` a world, and expects it to leave no process behind.
  static func with(_ kind: TestStore.Kind, _ body: (World) async throws -> Void) async throws {
    try await withStore(kind) { url in try await with(kind, url, body) }
  }

  /// Hands `body` a world on a store that is there.
  static func with(_ kind: TestStore.Kind, _ url: StoreURL, _ body: (World) async throws -> Void) async throws
  {
    let directory = FileManager.default.temporaryDirectory
      .appendingPathComponent("evcrash-" + UUID().uuidString.lowercased()).path
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    var url = url
    if kind == .postgresql {
      // By this name the server's own list of connections tells which are of this world.
      url = try StoreURL(
        url.text + (url.options.isEmpty ? "?" : "&") + "application_name=\(UUID().uuidString)")
    }
    let world = World(directory: directory, kind: kind, url: url, store: url.text)
    try world.write("step.sh", StepJournal.script)
    defer {
      for process in world.leftovers() { kill(process.pid, SIGKILL) }
      try? FileManager.default.removeItem(atPath: directory)
    }
    try await body(world)
    try await until("no process is left: \(world.leftovers())") { world.leftovers().isEmpty }
  }

  func path(_ name: String) -> String { "\(directory)/\(name)" }

  func write(_ name: String, _ text: String) throws {
    try Data(text.utf8).write(to: URL(fileURLWithPath: path(name)))
  }

  func text(_ name: String) -> String { (try? String(contentsOfFile: path(name), encoding: .utf8)) ?? "" }

  // MARK: Commands

  /// Starts `coordinator`, whose steps write to the journal of `run`.
  func start(_ arguments: [String], journalOf run: String = "none", faults: String = "") throws -> Launched {
    try Launched(
      arguments,
      environment: [
        "PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": directory, "LC_ALL": "C.UTF-8", "NO_COLOR": "1",
        "EVENTOR_STORE": store, "EVENTOR_FAULTS": faults, "CRASH_JOURNAL": path(run + ".steps"),
        "CRASH_SCRIPT": path("step.sh"), "CRASH_TEST": directory,
      ],
      directory: directory)
  }

  /// Calls `coordinator` and waits for its end.
  func call(_ arguments: String...) async throws -> Launched {
    let launched = try start(arguments)
    _ = try await launched.ended()
    return launched
  }

  /// What `status --json` says of a run; nil if there is no such run.
  func report(on run: String) async throws -> Report? {
    let launched = try await call("status", run, "--json")
    if launched.end == .exited(3) { return nil }
    try #require(launched.end == .exited(0), "\(launched.stderr)")
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try decoder.decode(Report.self, from: Data(launched.stdout.utf8))
  }

  /// What the steps of `run` wrote down.
  func journal(of run: String) -> StepJournal { StepJournal(text(run + ".steps")) }

  /// Expects that the whole store fits together.
  func expectConsistent(_ context: String = "", from place: SourceLocation = #_sourceLocation) async throws {
    let check = try await call("db", "check")
    #expect(check.end == .exited(0), "\(context) \(check.stdout)\(check.stderr)", sourceLocation: place)
  }

  // MARK: Processes

  struct Process: CustomStringConvertible {
    let pid: pid_t
    let name: String

    /// Keepers have a name of their own; a coordinator's reader threads make no difference.
    var isKeeper: Bool { name == "eventor-keeper" }
    var description: String { "\(name) \(pid)" }
  }

  /// What still runs of all that was started in this world.
  func leftovers() -> [Process] {
    let mark = Data("CRASH_TEST=\(directory)\0".utf8)
    let entries = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
    return entries.compactMap { entry in
      guard let pid = pid_t(entry),
        let environment = FileManager.default.contents(atPath: "/proc/\(pid)/environ"),
        environment.range(of: mark) != nil
      else { return nil }
      let name = (try? String(contentsOfFile: "/proc/\(pid)/comm", encoding: .utf8)) ?? ""
      return Process(pid: pid, name: name.trimmingCharacters(in: .whitespacesAndNewlines))
    }
  }
}

/// A condition that did not come true.
struct Impatience: Error, CustomStringConvertible {
  let description: String
}

/// Waits until `condition` holds. The bound is against hanging, and far from what any machine needs.
func until(
  _ what: @autoclosure () -> String, pause: Duration = .milliseconds(5), _ condition: () async throws -> Bool
) async throws {
  let deadline = ContinuousClock.now + .seconds(120)
  while try await !condition() {
    guard ContinuousClock.now < deadline else { throw Impatience(description: "never: " + what()) }
    try await Task.sleep(for: pause)
  }
}

/// Random numbers that a seed repeats.
struct SplitMix64: RandomNumberGenerator {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}
