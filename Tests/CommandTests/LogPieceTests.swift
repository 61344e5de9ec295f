import Foundation
import Glibc
import TestSupport
import Testing

@Suite("Logs that come in pieces")
struct LogPieceTests {
  @Test("the last lines of a log that is larger than what the store keeps are those of tail(1)")
  func lastLines() async throws {
    // 40,000 lines, and a last one without an end.
    let program = """
      program: p
      steps: {s: {shell: "seq -f 'line %.0f of many more than are kept' 40000; printf 'the last one'"}}
      """
    try await World.with(program: program) { world in
      _ = try await world.finish()
      let whole = try await world.run("logs", "r", "s")
      try world.write("whole", whole.stdout)
      #expect(whole.stdout.utf8.count > 1 << 20)
      for count in [1, 2, 1000, 1999, 2000, 5000, 39_999, 40_000, 40_001, 50_000] {
        let last = try await world.run("logs", "r", "s", "--tail", "\(count)")
        let expected = try await world.shell("tail -n \(count) whole")
        #expect(last.code == 0 && last.stdout == expected.stdout, "\(count): \(last.stdout.suffix(300))")
      }
      #expect(try await world.run("logs", "r", "s", "--tail", "0").stdout.isEmpty)
    }
  }

  @Test("a character that is written in two halves is followed as one")
  func halves() async throws {
    let program = """
      program: p
      steps:
        s: {shell: "printf 'caf\\\\303'; touch half; while [ ! -e go ]; do sleep 0.05; done; printf '\\\\251\\\\n'"}
      """
    try await World.with(program: program) { world in
      let run = try world.begin("--quiet")
      try await world.file("half")
      let follower = try world.start(["logs", "r", "--follow"])
      try await until("the first half was seen") { follower.stdout.contains("caf") }
      try world.write("go", "")
      #expect(await run.answer().code == 0)
      let followed = await follower.answer()
      #expect(followed.stdout.hasSuffix("café\n"), "\(followed)")
    }
  }
}
