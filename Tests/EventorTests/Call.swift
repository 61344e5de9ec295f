import Foundation
import Glibc
import TestSupport
import Testing

/// What a call of a built executable came to.
struct Answer: CustomStringConvertible {
  let code: Int32
  let stdout: String
  let stderr: String
  let what: String

  var description: String { "\(what)\nexit \(code)\n-- out\n\(stdout)\n-- err\n\(stderr)" }

  /// What was printed, as JSON.
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

/// A folder of a test's own, in which executables are called as a person calls them.
struct Folder: Sendable {
  let path: String

  /// Hands `body` a folder, and removes it afterwards, whatever happened.
  static func with(_ body: (Folder) async throws -> Void) async throws {
    await gate.enter()
    let result: Result<Void, any Error>
    do { result = .success(try await make(body)) } catch { result = .failure(error) }
    await gate.leave()
    try result.get()
  }

  private static func make(_ body: (Folder) async throws -> Void) async throws {
    var template = Array("/tmp/eventor-examples-XXXXXX".utf8CString)
    let isMade = mkdtemp(&template) != nil
    try #require(isMade)
    let path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    defer { try? FileManager.default.removeItem(atPath: path) }
    try await body(Folder(path: path))
  }

  /// Calls a built executable here and waits for its end; one that hangs is ended, and the test fails.
  func call(
    _ executable: String, _ arguments: [String], from place: SourceLocation = #_sourceLocation
  ) async throws -> Answer {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: BuiltExecutable.path(of: executable))
    process.arguments = arguments
    process.currentDirectoryURL = URL(fileURLWithPath: path)
    process.environment = [
      "PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": path + "/home", "LANG": "C.UTF-8", "NO_COLOR": "1",
    ]
    // Files, so that nothing it leaves behind holds a pipe.
    let base = "\(path)/.call-\(UUID().uuidString)"
    for suffix in [".out", ".err"] { try Data().write(to: URL(fileURLWithPath: base + suffix)) }
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = try FileHandle(forWritingTo: URL(fileURLWithPath: base + ".out"))
    process.standardError = try FileHandle(forWritingTo: URL(fileURLWithPath: base + ".err"))
    let what = ([executable] + arguments).joined(separator: " ")
    let (ends, end) = AsyncStream.makeStream(of: Int32.self)
    process.terminationHandler = {
      end.yield($0.terminationReason == .exit ? $0.terminationStatus : 128 + $0.terminationStatus)
      end.finish()
    }
    try process.run()
    let pid = process.processIdentifier
    let watchdog = Task {
      do { try await Task.sleep(for: .seconds(120)) } catch { return }
      Issue.record("it hangs: \(what)", sourceLocation: place)
      kill(pid, SIGKILL)
    }
    defer { watchdog.cancel() }
    var code: Int32 = -1
    for await status in ends { code = status }
    return Answer(code: code, stdout: text(base + ".out"), stderr: text(base + ".err"), what: what)
  }

  private func text(_ path: String) -> String {
    FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) } ?? ""
  }
}

/// A few folders at a time: each has processes of its own.
private let gate = Gate(places: 4)
