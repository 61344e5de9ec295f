import Glibc
import Testing

@testable import Agent

@Suite("The log of a step")
struct StepLogTests {
  @Test("has a place by run, step, sequence and attempt")
  func place() throws {
    #expect(
      try StepLog.path(in: "/logs", run: "r1", step: "build.x", sequence: "1/2/3", attempt: 4)
        == "/logs/r1/build.x/1+2+3.4.log")
    #expect(
      try StepLog.path(in: "/logs", run: "r 1", step: "a/b", sequence: "daily:2024-01-01+ü", attempt: 1)
        == "/logs/r%201/a%2Fb/daily:2024-01-01%2B%C3%BC.1.log")
    #expect(
      try StepLog.path(in: "/logs", run: "...", step: "..x", sequence: "..", attempt: 1)
        == "/logs/.../..x/...1.log")
  }

  @Test("has no place outside its directory", arguments: ["", ".", "..", String(repeating: "x", count: 256)])
  func escape(name: String) {
    #expect(throws: StepLog.Failure.self) {
      try StepLog.path(in: "/logs", run: "r", step: name, sequence: "1", attempt: 1)
    }
    #expect(throws: StepLog.Failure.self) {
      try StepLog.path(in: "/logs", run: name, step: "s", sequence: "1", attempt: 1)
    }
  }

  @Test("is given its directories, private to the agent's group")
  func directories() async throws {
    try await World.withDirectory { directory in
      try StepLog.prepare("\(directory)/a/b/c/1.log")
      try StepLog.prepare("\(directory)/a/b/c/1.log")
      var status = stat()
      #expect(stat("\(directory)/a/b", &status) == 0 && status.st_mode & 0o777 == 0o750)
      #expect(throws: StepLog.Failure.self) { try StepLog.prepare("/proc/none/x/1.log") }
    }
  }

  @Test("ends with valid text, cut between characters")
  func tail() async throws {
    try await World.withDirectory { directory in
      let path = "\(directory)/log"
      let content = Array("aé🐧z\0".utf8) + [0xff, 0x0a]
      let descriptor = open(path, O_WRONLY | O_CREAT, 0o600)
      _ = content.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
      close(descriptor)
      let ends = "z\u{FFFD}\u{FFFD}\n"
      for (limit, text) in [(100, "aé🐧" + ends), (8, "🐧" + ends), (7, ends), (5, ends), (4, ends), (0, "")] {
        let tail = try StepLog.tail(of: path, limit: limit)
        #expect(tail == StepLog.Tail(text: text, isCut: limit < 11, totalBytes: 11))
      }
    }
  }
}
