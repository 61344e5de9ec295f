import CommandSupport
@_exported public import Eventor
import Glibc

/// The `main` of a program written in Swift: gives its executable the commands `run`, `submit`, `validate`, `graph`,
/// `recover` and others, and the entry by which agents on other hosts have it carry out single steps.
///
/// ```swift
/// @main struct Nightly: EventorMain {
///   static func program() -> EventProgram {
///     var program = EventProgram("nightly")
///     program.step("build") { step in try await build(step.logger) }
///     return program
///   }
/// }
/// ```
public protocol EventorMain {
  /// The program. It must be the same whenever and wherever the executable is started: steps are found by their names.
  static func program() async throws -> EventProgram
}

extension EventorMain {
  /// Carries out what the command line asks for, and ends the process with an exit code of the conventions that
  /// `coordinator` keeps.
  public static func main() async {
    do {
      await EventorCommand.run([try await program()])
    } catch {
      Failures.exit(with: CommandFailure(status: .usage, what: "\(error)"), of: ProgramCommand.self)
    }
  }
}

/// The command line of programs written in Swift.
public enum EventorCommand {
  /// Carries out what the command line asks of `programs`, and ends the process. With several of them its first word names
  /// the program.
  public static func run(_ programs: [EventProgram]) async -> Never {
    signal(SIGPIPE, SIG_IGN)
    await EventProgram.carryOutStep(of: programs)
    var arguments = Array(CommandLine.arguments.dropFirst())
    do {
      ProgramCommand.program = try chosen(from: programs, &arguments)
      let own = CommandLine.arguments.first ?? ProgramCommand.program.name
      let called = programs.count == 1 ? own : "\(own) \(ProgramCommand.program.name)"
      ProgramCommand.command = called.split(separator: "/").last.map(String.init) ?? called
      Driver.functions = try FunctionsOfProgram(ProgramCommand.program, command: called)
    } catch {
      Failures.exit(with: error, of: ProgramCommand.self)
    }
    await CommandMain.run(ProgramCommand.self, arguments)
  }

  private static func chosen(from programs: [EventProgram], _ arguments: inout [String]) throws
    -> EventProgram
  {
    if programs.count == 1 { return programs[0] }
    let names = programs.map(\.name)
    guard let word = arguments.first, let program = programs.first(where: { $0.name == word }) else {
      throw CommandFailure(
        status: .usage, what: arguments.first.map { "no program '\($0)'" } ?? "no program named",
        mend:
          "name one of \(names.joined(separator: ", ")), and then what is to be done: run, submit, graph, …")
    }
    arguments.removeFirst()
    return program
  }
}
