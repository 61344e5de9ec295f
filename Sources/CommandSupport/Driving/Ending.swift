import ArgumentParser
import Coordinator
import Engine
public import Model
import Storage

/// How `run`, `recover`, `rerun` and `wait` tell how a run stands at their end, and their exit code.
public struct Ending {
  private let open: OpenStore
  private let json: Bool
  private let exitCodeFrom: String?

  /// The ending of runs in `open`; `exitCodeFrom` names the step whose exit code is handed on.
  public init(open: OpenStore, json: Bool = false, exitCodeFrom: String? = nil) {
    self.open = open
    self.json = json
    self.exitCodeFrom = exitCodeFrom
  }

  /// Returns if `program` has the step whose exit code is to be handed on.
  ///
  /// - Throws: ``CommandFailure`` otherwise.
  public static func check(exitCodeFrom step: String?, of program: Program) throws {
    guard let step, !program.steps.contains(where: { $0.name == step }) else { return }
    let near = Name.nearest(to: step, among: program.steps.map(\.name)).map { "did you mean '\($0)'?" }
    throw CommandFailure(
      status: .usage, what: "--exit-code-from \(step)", why: "the program has no such step", mend: near ?? "")
  }

  /// Prints the report or the recap of `run`.
  ///
  /// - Throws: `ExitCode`, unless it is 0.
  public func tell(_ run: String) async throws {
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
      now: Say.now, recovering: Driver.functions?.command ?? "coordinator")
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
