package import Agent
import Engine
package import Model

/// What a program's own command needs of it.
extension EventProgram {
  /// The model, as runs that this executable drives itself keep it.
  package var content: Program { finished }

  /// The model with this executable in it, as agents need it.
  ///
  /// - Parameter path: Where it is on the nodes; nil: where it is here.
  /// - Throws: ``RunRefused`` if it can't be read here.
  package func contentForAgents(installedAt path: String?) throws -> Program { try installed(at: path) }

  /// Carries out the step of one of `programs` that this process is there for, and ends the process; returns if it is there
  /// for none.
  ///
  /// To be called first by a `main` without `EventorMain` that has several programs; one program's own `run` does it by itself.
  public static func carryOutStep(of programs: [EventProgram]) async {
    await StepEntry.carryOut(among: programs)
  }

  /// The file of this executable.
  package static func file() throws -> String { try executable() }

  /// An executor that carries out the program's functions in this process.
  package func executor(
    over processes: ProcessExecutor, secrets: [String: String], logs: String, notes: StepNotes
  ) -> any StepExecutor {
    FunctionExecutor(over: processes, functions: functions, secrets: secrets, logs: logs, notes: notes)
  }
}
