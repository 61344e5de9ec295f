import Coordinator
import Model
import Testing

@Suite("Progress")
struct ProgressTests {
  private func state(running: Int, waiting: Int = 2) -> ProgressState {
    ProgressState(
      program: "nightly\u{1B}[2J", runID: "01JRUN", status: .running, elapsed: 12.3,
      counts: [.success: 3, .running: running, .failure: 1], skipped: 1,
      running: (0..<running).map { index in
        ProgressState.Running(
          step: "step-with-a-long-name-日本語-\(index)", sequence: Sequence("1/\(index)"), host: "s1",
          seconds: 65)
      },
      waiting: (0..<waiting).map {
        ProgressState.Waiting(reason: "license short, held by run \($0)", count: 4)
      },
      expected: 40)
  }

  @Test("frames fit the terminal", arguments: [3, 4, 5, 6, 10, 24, 50], [20, 40, 80, 200])
  func bounded(height: Int, width: Int) {
    let profile = TerminalProfile(isTerminal: true, width: width, height: height)
    for running in [0, 1, 7, 100] {
      let lines = ProgressView.lines(of: state(running: running), on: profile)
      #expect(!lines.isEmpty && lines.count <= max(1, height - 2))
      for line in lines {
        #expect(DisplayWidth.of(line) < width)
        #expect(!line.unicodeScalars.contains("\u{1B}"))
      }
    }
  }

  @Test("a frame tells the counts, what runs and what is waited for")
  func content() {
    let profile = TerminalProfile(isTerminal: true, width: 120, height: 10)
    let lines = ProgressView.lines(of: state(running: 20), on: profile)
    #expect(lines.count == 8)
    #expect(lines[0] == "nightly^[[2J 01JRUN running 12.3s")
    #expect(lines[1].hasSuffix(" 4/40  1 failure  2 success  1 skipped  20 running"))
    #expect(lines[2] == "  ● step-with-a-long-name-日本語-0/1/0 on s1 1m05s")
    #expect(lines[6] == "    and 16 more")
    #expect(lines[7] == "    and 2 more")
  }

  @Test("frames are redrawn in place, also after the terminal was made narrower")
  func redraw() {
    var view = ProgressView()
    let wide = TerminalProfile(isTerminal: true, width: 100, height: 24)
    let first = view.frame(of: state(running: 1, waiting: 0), on: wide)
    #expect(first.hasPrefix("\r") && first.hasSuffix("\u{1B}[K\n\u{1B}[J"))
    #expect(view.frame(of: state(running: 2, waiting: 0), on: wide).hasPrefix("\r\u{1B}[3A"))
    let narrow = TerminalProfile(isTerminal: true, width: 30, height: 24)
    let widths = ProgressView.lines(of: state(running: 2, waiting: 0), on: wide).map(DisplayWidth.of)
    let rows = widths.reduce(0) { $0 + ($1 + 29) / 30 }
    #expect(view.frame(of: state(running: 0, waiting: 0), on: narrow).hasPrefix("\r\u{1B}[\(rows)A"))
    #expect(view.cleared(on: narrow) == "\r\u{1B}[2A\u{1B}[J")
    #expect(view.cleared(on: narrow) == "")
  }

  @Test("changes between two reports are lines where frames can't be drawn")
  func plain() {
    var before = SampleReport.report
    before.tasks = [SampleReport.task("s1", "1", .running), SampleReport.task("s2", "1", .running)]
    var after = before
    after.tasks = [
      SampleReport.task("s1"), SampleReport.task("s2", "1", .failure), SampleReport.task("s3", "1", .running),
    ]
    after.tasks[1].exitCode = 3
    var repeated = SampleReport.task("s4")
    repeated.skipped = true
    after.tasks.append(repeated)
    let lines = ProgressTransition.between(before, after, now: SampleReport.at(2)).map {
      ProgressView.plainLine(for: $0)
    }
    #expect(
      lines == [
        "02:00:00 s3/1 started on s1", "02:00:01 s1/1 success in 1.2s",
        "02:00:01 s2/1 failure in 1.2s: exit 3",
        "02:00:01 s4/1 skipped",
      ])
    #expect(ProgressTransition.between(after, after, now: SampleReport.at(3)).isEmpty)
    #expect(ProgressTransition.between(nil, before, now: SampleReport.at(2)).count == 2)
  }

  @Test("a state made of a report counts only the newest attempts")
  func fromReport() {
    let state = ProgressState(report: SampleReport.report, now: SampleReport.at(10))
    #expect(state.counts == [.success: 1, .failure: 1, .waiting: 1])
    #expect(state.known == 3 && state.ended == 2)
  }
}
