import Foundation
import Glibc
import Synchronization
import Testing

/// A `coordinator` that was started; its output goes to files, so that nothing it leaves behind holds a pipe.
final class Launched: Sendable, CustomStringConvertible {
  enum End: Sendable, Hashable {
    case exited(Int32)
    case signalled(Int32)
  }

  let pid: pid_t
  private let words: String
  private let output: String
  /// Guards the number: it is this process's until it has been waited for.
  private let known = Mutex<End?>(nil)

  init(_ arguments: [String], environment: [String: String], directory: String) throws {
    words = arguments.joined(separator: " ")
    output = "\(directory)/call-\(UUID().uuidString)"
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, output + ".out", O_WRONLY | O_CREAT | O_APPEND, 0o600)
    posix_spawn_file_actions_addopen(&actions, 2, output + ".err", O_WRONLY | O_CREAT | O_APPEND, 0o600)
    let binary = try Self.binary.get()
    let argv = ([binary] + arguments).map { strdup($0) } + [nil]
    let envp = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
    defer { for word in argv + envp { free(word) } }
    var pid: pid_t = 0
    let error = posix_spawn(&pid, binary, &actions, nil, argv, envp)
    try #require(error == 0, "\(binary): \(String(cString: strerror(error)))")
    self.pid = pid
  }

  /// How it ended, if it has.
  var end: End? {
    known.withLock { known in
      if known != nil { return known }
      var status: Int32 = 0
      guard waitpid(pid, &status, WNOHANG) == pid else { return nil }
      known = status & 0x7f == 0 ? .exited((status >> 8) & 0xff) : .signalled(status & 0x7f)
      return known
    }
  }

  /// Waits for its end.
  func ended() async throws -> End {
    try await until("\(self) ends; \(stderr)", pause: .milliseconds(2)) { end != nil }
    return try #require(end)
  }

  /// Waits for its end, and expects exit code 0.
  func succeeded(_ context: String = "", from place: SourceLocation = #_sourceLocation) async throws {
    let end = try await ended()
    #expect(end == .exited(0), "\(context) \(self): \(stderr)", sourceLocation: place)
  }

  func signal(_ number: Int32) {
    known.withLock { if $0 == nil { kill(pid, number) } }
  }

  /// Kills it with SIGKILL. False if it had ended by itself.
  func crash() async throws -> Bool {
    signal(SIGKILL)
    return try await ended() == .signalled(SIGKILL)
  }

  var stdout: String { (try? String(contentsOfFile: output + ".out", encoding: .utf8)) ?? "" }
  var stderr: String { (try? String(contentsOfFile: output + ".err", encoding: .utf8)) ?? "" }
  var description: String { "coordinator \(words)" }

  /// In the directory `EVENTOR_TEST_BIN`, else beside the tests.
  private static let binary = Result<String, any Error> {
    var places = [ProcessInfo.processInfo.environment["EVENTOR_TEST_BIN"]].compactMap { $0 }
    let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
    // The bundle runs in the tool chain's helper on some systems; its path is an argument there.
    places += ([own] + CommandLine.arguments).map { ($0 as NSString).deletingLastPathComponent }
    let paths: [String] = places.map { $0 + "/coordinator" }
    let found = paths.first { FileManager.default.isExecutableFile(atPath: $0) }
    return try #require(found, "coordinator must be built, with --traits FaultPoints, beside the tests")
  }
}
