import Foundation
import Glibc
import Synchronization
import Testing

/// Programs of OpenSSH as tests call them.
///
/// Not with Foundation's `Process`: it takes a child that closes what it inherits, as sshd does, for one that has ended,
/// and then blocks its only thread in waiting for it.
struct Tool: Sendable {
  struct Failure: Error, CustomStringConvertible {
    let description: String
  }

  let pid: pid_t
  private let end = Ending()

  /// Runs a line of shell to its end and returns what it printed; throws if it fails.
  @discardableResult
  static func run(_ line: String, environment: [String: String] = [:]) async throws -> String {
    let log = FileManager.default.temporaryDirectory.path + "/eventor-tool-\(UUID().uuidString)"
    defer { unlink(log) }
    let tool = try Tool(["/bin/sh", "-c", line], log: log, environment: environment)
    let status = await tool.status()
    let text = (try? String(contentsOfFile: log, encoding: .utf8)) ?? ""
    guard status == 0 else { throw Failure(description: "\(line): \(text)") }
    return text
  }

  /// Starts a program that writes to `log`; it goes on until it ends, or the test ends it.
  init(_ words: [String], log: String, environment: [String: String] = [:]) throws {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0o600)
    posix_spawn_file_actions_adddup2(&actions, 1, 2)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    // Threads of the test may have signals blocked, which a child inherits.
    var (none, all) = (sigset_t(), sigset_t())
    sigemptyset(&none)
    sigfillset(&all)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setsigdefault(&attributes, &all)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
    var variables = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    // A checker of leaks watches over the tests; sshd doesn't bear one.
    variables["LD_PRELOAD"] = nil
    let arguments = words.map { strdup($0) } + [nil]
    let pairs = variables.map { strdup("\($0.key)=\($0.value)") } + [nil]
    defer { for pointer in arguments + pairs { free(pointer) } }
    var started: pid_t = 0
    let error = posix_spawn(&started, words[0], &actions, &attributes, arguments, pairs)
    guard error == 0 else { throw Failure(description: "\(words[0]): \(String(cString: strerror(error)))") }
    pid = started
    let (child, end) = (started, end)
    Thread.detachNewThread {
      var status: Int32 = 0
      while waitpid(child, &status, 0) < 0 && errno == EINTR {}
      end.come(with: status)
    }
  }

  var isRunning: Bool { end.status == nil }

  func status() async -> Int32 { await end.wait() }

  func stop(_ signal: Int32 = SIGKILL) { kill(pid, signal) }
}

/// The end of a process, for whoever waits for it.
private final class Ending: Sendable {
  private let state = Mutex<(status: Int32?, waiters: [CheckedContinuation<Int32, Never>])>((nil, []))

  var status: Int32? { state.withLock { $0.status } }

  func come(with status: Int32) {
    let waiters = state.withLock { state in
      state.status = status
      defer { state.waiters = [] }
      return state.waiters
    }
    for waiter in waiters { waiter.resume(returning: status) }
  }

  func wait() async -> Int32 {
    await withCheckedContinuation { waiter in
      let known = state.withLock { state in
        if state.status == nil { state.waiters.append(waiter) }
        return state.status
      }
      if let known { waiter.resume(returning: known) }
    }
  }
}

/// Waits until something is so.
func until(
  _ what: String, from place: SourceLocation = #_sourceLocation, _ isSo: () async throws -> Bool
) async throws {
  for _ in 0..<4800 {
    if try await isSo() { return }
    try await Task.sleep(for: .milliseconds(25))
  }
  Issue.record("it did not come about: \(what)", sourceLocation: place)
  throw Tool.Failure(description: what)
}
