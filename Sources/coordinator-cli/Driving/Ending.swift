import ArgumentParser
import Coordinator
import Engine
import Model
import Storage

/// How `run`, `recover`, `rerun` and `wait` tell how a run stands at their end, and their exit code.
struct Ending {
  let open: OpenStore
  var json = false
  var exitCodeFrom: String?
  var allAttempts = false

  /// Prints the report or the recap of `run`.
  ///
  /// - Throws: `ExitCode`, unless it is 0.
  func tell(_ run: String) async throws {
    let report = try await open.store.report(on: run, recovery: nil, allAttempts: allAttempts)
    if json { Say.out(RunJSON.document(report)) }
    var tails: [Recap.Tail] = []
    for task in report.tasks where task.status == .failure && tails.count < Recap.mostFailures {
      var filter = OutputFilter()
      filter.step = task.step
      filter.sequence = task.sequence
      for output in try await open.store.outputs(of: run, filter) {
        guard let tail = output.tail else { continue }
        tails.append(Recap.Tail(step: task.step, sequence: task.sequence, text: tail.text))
      }
    }
    let recap = Recap.text(
      report: report, tails: tails, store: open.shown, profile: json ? Say.errorProfile : Say.outProfile, now: Say.now)
    if json { Say.aside(recap) } else { Say.out(recap) }
    let status = exitStatus(of: report)
    if status != 0 { throw ExitCode(status) }
  }

  private func exitStatus(of report: RunReport) -> Int32 {
    if let step = exitCodeFrom, let code = report.tasks.last(where: { $0.step == step })?.exitCode {
      return Int32(code & 255)
    }
    return switch report.run.status {
    case .success: ExitStatus.success.rawValue
    case .failure: ExitStatus.failed.rawValue
    case .cancelled: ExitStatus.cancelled.rawValue
    case .running, .paused: ExitStatus.incomplete.rawValue
    }
  }
}
