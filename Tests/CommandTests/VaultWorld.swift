import Foundation
import Glibc
import TestSupport
import Testing

/// A configuration with a vault in a world of its own.
extension World {
  /// Where the store is a tag, as all calls of these tests have it.
  var tagged: [String: String] { ["EVENTOR_STORE": "prod", "EVENTOR_CONFIG": path("eventor.yaml")] }

  /// Makes a vault with its key at `key`, and a configuration in which `prod` is the secret `name`.
  func makeVault(_ entry: String = "secret:prod", from place: SourceLocation = #_sourceLocation) async throws
  {
    try write("eventor.yaml", "databases: {prod: \"\(entry)\"}\n")
    let made = try await start(["secret", "init", "--key-file", path("key")], env: tagged).answer(from: place)
    #expect(made.code == 0, "\(made)", sourceLocation: place)
  }

  /// Keeps a secret, and leaves no file with it.
  @discardableResult
  func setSecret(
    _ name: String, _ value: String, exit: Int32 = 0, _ arguments: String...,
    from place: SourceLocation = #_sourceLocation
  ) async throws -> Answer {
    let answer = try await start(["secret", "set", name] + arguments, env: tagged, stdin: value)
      .answer(from: place)
    #expect(answer.code == exit, "\(answer)", sourceLocation: place)
    for file in try FileManager.default.contentsOfDirectory(atPath: directory) where file.hasSuffix(".in") {
      try FileManager.default.removeItem(atPath: path(file))
    }
    return answer
  }

  /// Calls `coordinator secret …` through a shell, in which `$c` is the command, and descriptors can be opened.
  func shell(
    _ script: String, env: [String: String] = [:], from place: SourceLocation = #_sourceLocation
  ) async throws -> Answer {
    try await start(
      ["-c", script], env: tagged.merging(["c": Executable.path]) { $1 }.merging(env) { $1 },
      executable: "/bin/sh"
    ).answer(from: place)
  }

  /// The files of this world, and of its store if that is one, that hold `text`; also how many were read.
  func files(holding text: String) throws -> (names: [String], count: Int) {
    var (names, count) = ([String](), 0)
    let files = try #require(FileManager.default.enumerator(atPath: directory))
    for case let name as String in files {
      guard let bytes = FileManager.default.contents(atPath: path(name)) else { continue }
      count += 1
      if bytes.range(of: Data(text.utf8)) != nil { names.append(name) }
    }
    return (names, count)
  }

  /// What of the processes of this test, its agents, keepers, minders and steps, holds `text`: their arguments, as `ps`
  /// shows them, their names and their environments.
  func processes(showing text: String) -> (places: [String], count: Int) {
    let pids = Leftovers(mark: mark).pids
    let places = pids.flatMap { pid in
      ["cmdline", "environ", "comm"].map { "/proc/\(pid)/\($0)" }.filter { path in
        let bytes = FileManager.default.contents(atPath: path) ?? Data()
        return bytes.range(of: Data(text.utf8)) != nil
      }
    }
    return (places, pids.count)
  }
}
