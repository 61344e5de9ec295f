import Coordinator
import Model
import Testing

@Suite("Text on a terminal")
struct TerminalTextTests {
  static let outputs: [(String, String)] = [
    ("plain\tä\n", "plain\tä\n"), ("\u{1B}[31mred\u{1B}[0m", "red"), ("\u{1B}[2J", "^[[2J"),
    ("\u{1B}]0;title\u{07}", "^[]0;title^G"), ("a\rb", "a^Mb"), ("line\r\nnext", "line\nnext"),
    ("a\u{08}b", "a^Hb"),
    ("\u{9B}2J", "<U+009B>2J"), ("\u{202E}abc", "<U+202E>abc"), ("\u{7F}\u{0}", "^?^@"),
    ("\u{1B}[31", "^[[31"),
    ("\u{1B}", "^["), ("", ""),
  ]

  @Test("what steps print is harmless", arguments: outputs)
  func neutral(text: String, shown: String) {
    #expect(neutralised(text) == shown)
  }

  @Test("on one line, line ends and tabs become spaces")
  func oneLine() {
    #expect(neutralised("a\nb\tc\r\n", onOneLine: true) == "a b c ")
  }

  static let durations: [(Double, String)] = [
    (0, "0ms"), (-5, "0ms"), (0.045, "45ms"), (0.0996, "0.1s"), (1.23, "1.2s"), (59.94, "59.9s"),
    (59.96, "1m00s"),
    (185, "3m05s"), (3599.7, "1h00m"), (8040, "2h14m"), (273_600, "3d04h"), (.infinity, "0ms"),
  ]

  @Test("durations", arguments: durations)
  func duration(seconds: Double, text: String) {
    #expect(Elapsed.text(seconds) == text)
  }

  static let ages: [(Double, String)] = [
    (0.4, "now"), (12, "12s ago"), (200, "3m ago"), (7300, "2h ago"), (400_000, "4d ago"), (-5, "in 5s"),
  ]

  @Test("ages", arguments: ages)
  func age(seconds: Double, text: String) {
    let now = SampleReport.begin
    #expect(Elapsed.age(of: now + TimeSpan(seconds: -seconds), now: now) == text)
  }

  @Test("the profile follows NO_COLOR, TERM and the locale")
  func profile() {
    func profile(_ environment: [String: String], isTerminal: Bool = true) -> TerminalProfile {
      TerminalProfile(isTerminal: isTerminal, width: 80, height: 0, environment: environment)
    }
    #expect(profile([:]).colour && profile([:]).unicode && profile([:]).height == nil)
    #expect(!profile(["NO_COLOR": "1"]).colour)
    #expect(profile(["NO_COLOR": ""]).colour)
    #expect(!profile(["TERM": "dumb"]).colour)
    #expect(!profile(["LC_ALL": "C", "LANG": "en_US.UTF-8"]).unicode)
    #expect(profile([:], isTerminal: false) == .plain)
  }

  @Test("the recap names what failed, its last lines and the command to go on")
  func recap() {
    let output = (1...12).map { "line \($0)\u{1B}[2K\n" }.joined()
    let tails = [Recap.Tail(step: "s2", sequence: .first, text: output)]
    let text = Recap.text(
      report: SampleReport.report, tails: tails, store: "postgresql://me:p@ss@db/x?password=y&schema=play",
      profile: .plain)
    #expect(text.hasPrefix("nightly 01JRUN: failure after 3m05s\n  1 failure · 1 success · 1 waiting\n"))
    #expect(text.contains("\n✗ s2/1 on s1: exit 3, attempt 2\n  could not^[[2J link\n  │ line 3^[[2K\n"))
    #expect(text.contains("line 12") && !text.contains("line 2^") && !text.contains("p@ss"))
    #expect(
      text.hasSuffix("\ngo on with: coordinator recover 01JRUN --store 'postgresql://me@db/x?schema=play'\n"))
    #expect(!text.contains("\u{1B}"))
    let good = RunReport(run: SampleReport.run(.success), tasks: [], loops: [], events: [])
    #expect(!Recap.text(report: good, tails: [], store: nil, profile: .plain).contains("go on"))
  }

  @Test("status shows the run, its tasks and its loops")
  func status() {
    let text = StatusView.text(SampleReport.report, now: SampleReport.at(200), on: .plain)
    #expect(text.contains("program     nightly  sha256:0123456789ab\n"))
    #expect(text.contains("took        3m05s\n"))
    #expect(text.contains("parameters  site=\"lab \\\"1\\\"\"  x=9\n"))
    #expect(text.contains("superseded") && text.contains("due in 1m40s") && text.contains("sites"))
    #expect(!text.contains("\u{1B}") && text.hasSuffix("\n"))
    let runs = StatusView.runs([SampleReport.run(.running)], now: SampleReport.at(61))
    #expect(runs.rendered(as: .table, on: .plain).contains("waiting: an agent on s9"))
  }
}
