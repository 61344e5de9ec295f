import Foundation
import Testing

@testable import Transport

extension Home {
  /// What a call of `coordinator` came to.
  struct Answer: CustomStringConvertible {
    let code: Int32
    let out: String
    let err: String

    var lines: [String] { out.split(separator: "\n").map(String.init) }
    var description: String { "exit \(code)\n-- out\n\(out)\n-- err\n\(err)" }
  }

  /// Calls `coordinator` with this home, without a terminal, to its end.
  func coordinator(_ words: [String]) async throws -> Answer {
    let line =
      "unset SSH_AUTH_SOCK EVENTOR_VIA EVENTOR_STORE; cd \(path); HOME=\(path) setsid -w "
      + ([Executable.coordinator] + words).map { ShellWord.quoted($0) }.joined(separator: " ")
      + " </dev/null >out 2>err; echo $? >code"
    try await Tool.run(line)
    let code = Int32(text("code").trimmingCharacters(in: .whitespacesAndNewlines))
    return Answer(code: try #require(code), out: text("out"), err: text("err"))
  }

  func makeFolder(_ name: String) throws {
    try FileManager.default.createDirectory(atPath: path + "/" + name, withIntermediateDirectories: true)
  }
}
