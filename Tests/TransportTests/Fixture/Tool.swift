import Foundation
import Testing

/// Programs of OpenSSH as tests call them.
enum Tool {
  struct Failure: Error, CustomStringConvertible {
    let description: String
  }

  /// Runs a program to its end and returns what it printed; throws if it fails.
  @discardableResult
  static func run(_ words: String..., environment: [String: String] = [:]) async throws -> String {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = words
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    let output = Pipe()
    process.standardOutput = output
    process.standardError = output
    process.standardInput = FileHandle.nullDevice
    try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
      process.terminationHandler = { _ in continuation.resume() }
      do { try process.run() } catch { continuation.resume(throwing: error) }
    }
    let text = String(decoding: try output.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
    guard process.terminationStatus == 0 else { throw Failure(description: "\(words): \(text)") }
    return text
  }

  /// A program that goes on running, until the test ends it.
  static func start(_ words: String..., log: String) throws -> Process {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: words[0])
    process.arguments = Array(words.dropFirst())
    _ = FileManager.default.createFile(atPath: log, contents: nil)
    let file = try #require(FileHandle(forWritingAtPath: log))
    process.standardOutput = file
    process.standardError = file
    process.standardInput = FileHandle.nullDevice
    try process.run()
    return process
  }
}

/// Waits until something is so.
func until(_ what: String, from place: SourceLocation = #_sourceLocation, _ isSo: () async throws -> Bool)
  async throws
{
  for _ in 0..<1200 {
    if try await isSo() { return }
    try await Task.sleep(for: .milliseconds(25))
  }
  Issue.record("it did not come about: \(what)", sourceLocation: place)
  throw Tool.Failure(description: what)
}
