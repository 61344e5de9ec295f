import Foundation

/// The checkout these tests were built from: its files and their lines.
enum Repository {
  static let root = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  /// A text file with its path from the root, so that a finding can be named `path:line`.
  struct File {
    let path: String
    let lines: [String]
    private let text: String

    init(path: String, text: String) {
      self.path = path
      self.text = text
      lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    }

    /// A quick look before a slow one: regular expressions over each line of Sources take seconds in a debug build.
    func holds(_ word: String) -> Bool { text.range(of: word, options: .literal) != nil }

    /// The folder under `Sources` this file is in.
    var module: String { String(path.split(separator: "/").dropFirst().first ?? "") }
  }

  enum Failure: Error {
    case unreadable(path: String)
    case git(arguments: [String], status: Int32)
  }

  static func text(of path: String) throws -> String {
    try String(contentsOf: root.appendingPathComponent(path), encoding: .utf8)
  }

  /// Every Swift file under `Sources`, in the order of their paths.
  static func swiftSources() throws -> [File] {
    let sources = root.appendingPathComponent("Sources")
    guard let found = FileManager.default.enumerator(atPath: sources.path) else {
      throw Failure.unreadable(path: sources.path)
    }
    return try found.compactMap { $0 as? String }
      .filter { $0.hasSuffix(".swift") }
      .sorted()
      .map { File(path: "Sources/\($0)", text: try text(of: "Sources/\($0)")) }
  }

  /// Every text file that is in git or would be with the next `git add`.
  static func textFiles() throws -> [File] {
    let names = try git("ls-files", "-z", "--cached", "--others", "--exclude-standard")
    return names.split(separator: "\0").compactMap { name in
      // A file deleted but not yet committed, or one that isn't text, has no lines to look at.
      guard let text = try? text(of: String(name)) else { return nil }
      return File(path: String(name), text: text)
    }
  }

  private static func git(_ arguments: String...) throws -> String {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    // The checkout may belong to another account than the one that builds it.
    process.arguments = ["git", "-c", "safe.directory=*", "-C", root.path] + arguments
    // A git hook that runs the tests names its own repository in these.
    process.environment = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("GIT_") }
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    let data = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      throw Failure.git(arguments: arguments, status: process.terminationStatus)
    }
    return String(decoding: data, as: UTF8.self)
  }
}
