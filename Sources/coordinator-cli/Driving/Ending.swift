import ArgumentParser
import CommandSupport
import Coordinator
import Engine
import Model
import Storage

/// How `run`, `recover`, `rerun` and `wait` tell how a run stands at their end, and their exit code.
struct Ending {
  let open: OpenStore
  var json = false
  var exitCodeFrom: String?

  /// Prints the report or the recap of `run`.
  ///
  /// - Throws: `ExitCode`, unless it is 0.
  func tell(_ run: String) async throws {
    // The recap has the same size for any run; only JSON, which is all of it, is not.
    let summary = try await open.store.summary(of: run, failures: Recap.mostFailures)
    if json {
      Say.out(RunJSON.document(try await open.store.report(on: run, recovery: nil, allAttempts: false)))
    }
    var tails: [Recap.Tail] = []
    for task in summary.failures {
      var filter = OutputFilter()
      filter.step = task.step
      filter.sequence = task.sequence
      for output in try await open.store.outputs(of: run, filter) {
        guard let tail = output.tail else { continue }
        tails.append(Recap.Tail(step: task.step, sequence: task.sequence, text: tail.text))
      }
    }
    let recap = Recap.text(
      summary: summary, tails: tails, store: open.shown, profile: json ? Say.errorProfile : Say.outProfile,
      now: Say.now)
    if json { Say.aside(recap) } else { Say.out(recap) }
    let status = try await exitStatus(of: summary.run)
    if status != 0 { throw ExitCode(status) }
  }

  private func exitStatus(of run: RunRecord) async throws -> Int32 {
    if let step = exitCodeFrom {
      var filter = OutputFilter()
      filter.step = step
      if let code = try await open.store.outputs(of: run.id, filter).last?.task.exitCode {
        return Int32(code & 255)
      }
    }
    return switch run.status {
    case .success: ExitStatus.success.rawValue
    case .failure: ExitStatus.failed.rawValue
    case .cancelled: ExitStatus.cancelled.rawValue
    case .running, .paused: ExitStatus.incomplete.rawValue
    }
  }
}
