import Foundation
import Glibc
import Synchronization
import Testing

/// A process of `coordinator` that runs; its output goes to files, so that nothing it leaves behind holds a pipe.
final class Call: Sendable {
  let pid: pid_t
  private let what: String
  private let output: String
  private let end = Mutex<(status: Int32?, waiters: [CheckedContinuation<Int32, Never>])>((nil, []))

  /// Why there is no process.
  struct NotStarted: Error, CustomStringConvertible {
    let description: String
  }

  init(
    command: [String], arguments: [String], environment: [String: String], directory: String, stdin: String?
  ) throws {
    let base = "\(directory)/.call-\(UUID().uuidString)"
    output = base
    what = arguments.joined(separator: " ")
    if let stdin { try Data(stdin.utf8).write(to: URL(fileURLWithPath: base + ".in")) }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, stdin == nil ? "/dev/null" : base + ".in", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, base + ".out", O_WRONLY | O_CREAT | O_APPEND, 0o644)
    posix_spawn_file_actions_addopen(&actions, 2, base + ".err", O_WRONLY | O_CREAT | O_APPEND, 0o644)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    // Signals of its own, as a shell gives them to a job: none blocked or ignored.
    var none = sigset_t()
    sigemptyset(&none)
    var all = sigset_t()
    sigfillset(&all)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setsigdefault(&attributes, &all)
    let flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP
    posix_spawnattr_setflags(&attributes, Int16(flags))
    // `env` becomes the command in its directory: the spawn action that changes it is not in every C library.
    let words = CStrings(["env", "-C", directory] + command + arguments)
    let variables = CStrings(environment.map { "\($0.key)=\($0.value)" })
    var started: pid_t = 0
    let error = posix_spawn(
      &started, "/usr/bin/env", &actions, &attributes, words.pointers, variables.pointers)
    guard error == 0 else {
      throw NotStarted(description: "\(command[0]): \(String(cString: strerror(error)))")
    }
    let pid = started
    self.pid = pid
    Thread.detachNewThread { [self] in
      var status: Int32 = 0
      while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
      // A signal reads as a shell has it.
      let code = status & 0x7f == 0 ? (status >> 8) & 0xff : 128 + (status & 0x7f)
      let waiters = end.withLock { end in
        end.status = code
        defer { end.waiters = [] }
        return end.waiters
      }
      for waiter in waiters { waiter.resume(returning: code) }
    }
  }

  func signal(_ number: Int32) { Glibc.kill(pid, number) }

  var isOver: Bool { end.withLock { $0.status != nil } }
  var stdout: String { text(".out") }
  var stderr: String { text(".err") }

  /// Waits for its end; one that hangs is killed, and the test fails.
  func answer(from place: SourceLocation = #_sourceLocation) async -> Answer {
    let watchdog = Task { [self] in
      do { try await Task.sleep(for: .seconds(Scale.count(120, full: 3700))) } catch { return }
      Issue.record("it hangs: \(what)\n\(stdout)\n\(stderr)", sourceLocation: place)
      signal(SIGKILL)
    }
    let code = await withCheckedContinuation { waiter in
      let known = end.withLock { end in
        if end.status == nil { end.waiters.append(waiter) }
        return end.status
      }
      if let known { waiter.resume(returning: known) }
    }
    watchdog.cancel()
    return Answer(code: code, stdout: stdout, stderr: stderr, what: what)
  }

  private func text(_ suffix: String) -> String {
    FileManager.default.contents(atPath: output + suffix).map { String(decoding: $0, as: UTF8.self) } ?? ""
  }
}

/// What a call came to.
struct Answer: CustomStringConvertible {
  let code: Int32
  let stdout: String
  let stderr: String
  let what: String

  var description: String { "\(what)\nexit \(code)\n-- out\n\(stdout)\n-- err\n\(stderr)" }
  var lines: [String] { stdout.split(whereSeparator: \.isNewline).map(String.init) }
  var errorLines: [String] { stderr.split(whereSeparator: \.isNewline).map(String.init) }

  func decoded<Value: Decodable>(
    as type: Value.Type, from place: SourceLocation = #_sourceLocation
  ) throws -> Value {
    do {
      let decoder = JSONDecoder()
      decoder.keyDecodingStrategy = .convertFromSnakeCase
      return try decoder.decode(type, from: Data(stdout.utf8))
    } catch {
      Issue.record("no JSON of that kind (\(error)): \(self)", sourceLocation: place)
      throw error
    }
  }
}

/// Strings as C's `argv` has them.
private final class CStrings {
  let pointers: [UnsafeMutablePointer<CChar>?]

  init(_ texts: [String]) { pointers = texts.map { strdup($0) } + [nil] }

  deinit { for pointer in pointers { free(pointer) } }
}
