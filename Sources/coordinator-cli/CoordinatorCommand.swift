import ArgumentParser
import CommandSupport

/// The command people type.
struct CoordinatorCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "coordinator",
    abstract: "Runs programs whose steps are started by events, and looks after their runs.",
    discussion: """
      EXAMPLE
        coordinator run nightly.yaml --param site=lab1
        coordinator status latest --store sqlite:nightly.eventor.db
        coordinator --via s1 status latest

      With --via HOST (or EVENTOR_VIA) any command is carried out by the coordinator of that host, reached over SSH; \
      --accept-new, --ssh-config and --ssh-timeout say how, as for `ssh check`. One that only reports takes several --via.

      Results go to standard output, everything else to standard error. Exit codes: 0 success, 1 the run failed, \
      2 usage or a bad file, 3 not found, 4 database unreachable or refused, 5 SSH unreachable or refused, \
      6 cancelled, 7 timed out waiting, 8 waiting or incomplete, 70 a bug.
      """,
    version: CommandMain.version,
    groupedSubcommands: [
      CommandGroup(
        name: "Programs",
        subcommands: [
          RunCommand.self, ValidateCommand.self, GraphCommand.self, ProgramCommand.self, SubmitCommand.self,
          ScheduleCommand.self,
        ]),
      CommandGroup(
        name: "Runs: looking",
        subcommands: [
          StatusCommand.self, RunsCommand.self, TasksCommand.self, LogsCommand.self, WhyCommand.self,
          DiffCommand.self, WaitCommand.self,
        ]),
      CommandGroup(
        name: "Runs: acting",
        subcommands: [
          TriggerCommand.self, CancelCommand.self, PauseCommand.self, ResumeCommand.self, RecoverCommand.self,
          RerunCommand.self, MarkCommand.self,
        ]),
      CommandGroup(name: "Agents", subcommands: [AgentsCommand.self, SSHCommand.self]),
      CommandGroup(
        name: "Tools",
        subcommands: [
          LoopCommand.self, WorkloadCommand.self,
        ]),
      CommandGroup(
        name: "Set-up",
        subcommands: [
          InitCommand.self, ExampleCommand.self, SchemaCommand.self, DatabaseCommand.self, SecretCommand.self,
          DoctorCommand.self,
        ]),
    ])
}
