import Coordinator
import Testing

@Suite("Progress bars")
struct ProgressBarTests {
  private let profile = TerminalProfile(isTerminal: true, width: 100)

  @Test("a bar tells how much is done, how fast, and how long the rest will take")
  func content() {
    let bar = ProgressBar(
      verb: "making documents", before: 100_000, done: 400_000, total: 1_000_000, seconds: 6)
    #expect(
      bar.line(on: profile)
        == "making documents ━━━━━━━━━━─────────────── 40% 400000/1000000 50000/s, 12.0s left")
    let ascii = TerminalProfile(isTerminal: true, width: 40, unicode: false)
    #expect(bar.line(on: ascii) == "making documents ####------ 40% 4000...")
  }

  @Test("the ends of the work are shown without a guess")
  func ends() {
    let start = ProgressBar(verb: "v", done: 0, total: 10, seconds: 0)
    #expect(start.line(on: profile) == "v ───────────────────────── 0% 0/10")
    let end = ProgressBar(verb: "v", done: 10, total: 10, seconds: 2)
    #expect(end.line(on: profile) == "v ━━━━━━━━━━━━━━━━━━━━━━━━━ 100% 10/10")
    #expect(ProgressBar(verb: "v", done: 0, total: 0, seconds: 1).line(on: profile).contains("100% 0/0"))
  }

  @Test("a bar is narrower than the terminal", arguments: [10, 20, 33, 80, 200])
  func width(columns: Int) {
    let bar = ProgressBar(verb: "updating documents", done: 3, total: 7_000_000_000, seconds: 1)
    #expect(DisplayWidth.of(bar.line(on: TerminalProfile(isTerminal: true, width: columns))) < columns)
  }
}
