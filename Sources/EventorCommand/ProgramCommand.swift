import Agent
import ArgumentParser
public import CommandSupport
import Engine
public import Eventor
import Model

/// The command that a program's executable is.
struct ProgramCommand: AsyncParsableCommand {
  // Set once by the main thread before a command is parsed, read after.
  nonisolated(unsafe) static var program = EventProgram("unnamed")

  // As above: how the command is called.
  nonisolated(unsafe) static var command = "program"

  static var configuration: CommandConfiguration {
    CommandConfiguration(
      commandName: command,
      abstract: program.settings.description ?? "Runs the program \(program.name).",
      discussion: """
        EXAMPLE
          \(command) run
          \(command) submit --store postgresql://eventor@db/eventor --wait

        Other commands on its runs: `coordinator status`, `logs`, `why`, `cancel` … with the same --store.
        """,
      version: CommandMain.version,
      subcommands: [
        ProgramRunCommand.self, ProgramSubmitCommand.self, ProgramRegisterCommand.self,
        ProgramValidateCommand.self, ProgramGraphCommand.self, ProgramRecoverCommand.self,
        ProgramRerunCommand.self, ProgramStatusCommand.self,
      ],
      defaultSubcommand: ProgramRunCommand.self)
  }

  /// The program, if it can be run; what is doubtful in it is said.
  ///
  /// - Throws: ``CommandFailure`` that names every error.
  static func checked() throws -> EventProgram {
    for problem in program.problems() where problem.severity == .warning {
      Say.warning("\(problem.path): \(problem.message)")
    }
    try program.validate()
    return program
  }

  /// Where its runs are kept if nobody says: a file in the current directory.
  static var ownStore: String { "sqlite:\(program.name).eventor.db" }
}

/// The functions of a program, for the driver of its runs.
struct FunctionsOfProgram: ProgramFunctions {
  let file: String
  let command: String
  private let program: EventProgram

  /// - Parameter command: How the program's own command is called.
  init(_ program: EventProgram, command: String) throws {
    self.program = program
    self.command = command
    file = try EventProgram.file()
  }

  func executor(
    over processes: ProcessExecutor, secrets: [String: String], logs: String, notes: StepNotes
  ) -> any StepExecutor {
    program.executor(over: processes, secrets: secrets, logs: logs, notes: notes)
  }
}

extension InvalidProgram: ReportedFailure {
  /// A mistake in the program is one in what was given.
  public var status: ExitStatus { .usage }
}

extension RunRefused: ReportedFailure {
  /// What the program does not allow was asked for.
  public var status: ExitStatus { .usage }
}
