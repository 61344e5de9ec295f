import Foundation
import Glibc
import Runtime
import Synchronization
import Testing

@testable import Agent

/// A directory and a keeper of a test's own; both are gone afterwards, whatever happened.
struct World {
  let directory: String
  let keeper: Keeper
  var journal: String { "\(directory)/journal" }

  static func with(_ body: (World) async throws -> Void) async throws {
    try await withDirectory { directory in
      let keeper = try Keeper.launch(journal: "\(directory)/journal")
      do {
        try await body(World(directory: directory, keeper: keeper))
      } catch {
        kill(keeper.identity.pid, SIGKILL)
        throw error
      }
      await keeper.quit()
    }
  }

  static func withDirectory(_ body: (String) async throws -> Void) async throws {
    var template = Array("/tmp/eventor-process-XXXXXX".utf8CString)
    let made = mkdtemp(&template) != nil
    try #require(made)
    let directory = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    // The steps of other users go through it.
    chmod(directory, 0o755)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    try await body(directory)
  }

  func request(_ arguments: [String], log: String = "log") -> ProcessRequest {
    ProcessRequest(
      key: "run/1/1", arguments: arguments, environment: ["PATH": "/usr/bin:/bin"],
      logPath: "\(directory)/\(log)")
  }

  func sh(_ script: String, log: String = "log") -> ProcessRequest {
    request(["sh", "-c", script], log: log)
  }

  func output(_ log: String = "log") throws -> String { try text(of: "\(directory)/\(log)") }

  /// Makes a fifo on which a step can tell the test that it got somewhere.
  func fifo(_ name: String) throws -> String {
    let path = "\(directory)/\(name)"
    try #require(mkfifo(path, 0o666) == 0)
    chmod(path, 0o666)
    return path
  }
}

func text(of path: String) throws -> String { try StepLog.tail(of: path, limit: 1 << 24).text }

/// Whether the first lines of a file, which may grow fast, hold `word`.
func begins(_ word: String, in path: String) -> Bool {
  guard let file = FileHandle(forReadingAtPath: path), let head = try? file.read(upToCount: 4096) else {
    return false
  }
  return String(decoding: head, as: UTF8.self).contains(word)
}

/// What is written to the fifo at `path` by the next who opens it, all of it.
func line(from path: String) async -> String {
  await blocking { (try? String(decoding: JournalFile(path).readAll(), as: UTF8.self)) ?? "" }
}

/// Writes to a fifo as soon as it has a reader.
func tell(_ path: String, _ text: String = "go\n") async {
  await blocking {
    let descriptor = open(path, O_WRONLY | O_CLOEXEC)
    _ = Array(text.utf8).withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
    close(descriptor)
  }
}

func blocking<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async -> Value {
  await withCheckedContinuation { continuation in
    guard BackgroundThread.start(named: "blocking", { continuation.resume(returning: body()) }) else {
      fatalError("no thread")
    }
  }
}

/// Waits for what nobody announces, such as the end of a stranger's process. It has no limit of its own: the
/// suites have.
func until(_ condition: () -> Bool) async throws {
  while !condition() { try await Task.sleep(for: .milliseconds(2)) }
}

/// A value that a callback sets and a test waits for.
final class Promise<Value: Sendable>: Sendable {
  private let state = Mutex<(value: Value?, waiter: CheckedContinuation<Value, Never>?)>((nil, nil))

  func fulfil(_ value: Value) {
    let waiter = state.withLock { state in
      state.value = value
      defer { state.waiter = nil }
      return state.waiter
    }
    waiter?.resume(returning: value)
  }

  var value: Value {
    get async {
      await withCheckedContinuation { continuation in
        let value = state.withLock { state in
          if state.value == nil { state.waiter = continuation }
          return state.value
        }
        if let value { continuation.resume(returning: value) }
      }
    }
  }
}

extension ProcessEnd {
  var sentence: String? {
    switch cause {
    case .notStarted(let text), .lost(let text): text
    case .exited, .signalled: nil
    }
  }
}

/// A step that runs, and its end to wait for.
struct Running {
  let handle: Keeper.Handle
  let end: Promise<ProcessEnd>
}

extension World {
  func start(_ request: ProcessRequest) async throws -> Running {
    let end = Promise<ProcessEnd>()
    let handle = try await keeper.start(request, onEnd: { end.fulfil($1) }).get()
    return Running(handle: handle, end: end)
  }
}
