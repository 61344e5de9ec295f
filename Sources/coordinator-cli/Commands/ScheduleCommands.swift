import Agent
import ArgumentParser
import CommandSupport
import Coordinator
import Engine
import Model
import Storage

/// `coordinator schedule`.
struct ScheduleCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "schedule",
    abstract: "The schedules of registered programs.",
    discussion: """
      A program's `schedule:` takes effect with `coordinator program register`, and while an eventor-agent runs on the \
      store. `coordinator schema program schedule` explains its keys.

      EXAMPLE
        coordinator schedule list
        coordinator schedule pause nightly/weekdays
      """,
    subcommands: [List.self, Pause.self, Resume.self])

  /// `coordinator schedule list`.
  struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Lists schedules with their next and last firings, and warns of those that are late.",
      discussion: """
        Times are those of the schedule's own time zone; in JSON, CSV and TSV they are UTC.

        EXAMPLE
          coordinator schedule list
          coordinator schedule list --program nightly --output csv --columns name,next_firing,last_status
        """)

    @Option(help: "Only those of this program.")
    var program: String?

    @OptionGroup var list: ListOptions
    @OptionGroup var storeOptions: StoreOptions

    func run() async throws {
      let open = try await storeOptions.open()
      if let program { _ = try await open.store.program(named: program, version: nil) }
      let schedules = try await open.store.schedules(of: program)
      try list.show(ScheduleView.table(schedules, now: Say.now), document: ScheduleView.list(schedules))
      for late in try await open.store.lateSchedules() where program == nil || late.program == program {
        Say.warning(ScheduleView.text(late, now: Say.now))
      }
    }
  }

  /// `coordinator schedule pause`.
  struct Pause: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Lets a schedule fire no more until it is resumed; its runs go on.",
      discussion: """
        It stays paused through later versions of the program. What comes due meanwhile is kept: `resume` decides on it \
        by the schedule's catch_up.

        EXAMPLE
          coordinator schedule pause weekdays
          coordinator schedule pause nightly/weekdays
        """)

    @OptionGroup var options: ActingOptions

    func run() async throws {
      let open = try await options.storeOptions.open()
      let (record, isNew) = try await open.store.pauseSchedule(options.name, by: Person.name)
      if options.json { return Say.out(ScheduleView.object(record).document) }
      Say.line(ScheduleView.paused(record, isNew: isNew, now: Say.now))
    }
  }

  /// `coordinator schedule resume`.
  struct Resume: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Undoes a pause, and says which of the firings that came due meanwhile are made up.",
      discussion: """
        EXAMPLE
          coordinator schedule resume weekdays
        """)

    @OptionGroup var options: ActingOptions

    func run() async throws {
      let open = try await options.storeOptions.open()
      let (record, madeUp) = try await open.store.resumeSchedule(options.name, by: Person.name)
      guard options.json else { return Say.line(ScheduleView.resumed(record, madeUp, now: Say.now)) }
      var object = ScheduleView.object(record)
      object.set("made_up", madeUp?.firings.map(\.at) ?? [])
      object.set("made_up_more", madeUp?.hasMore ?? false)
      Say.out(object.document)
    }
  }

  /// Which schedule a command acts on, and how it answers.
  struct ActingOptions: ParsableArguments {
    @Argument(help: "The schedule: NAME, or PROGRAM/NAME where several programs have one of that name.")
    var name: String

    @Flag(help: "Print one JSON document.")
    var json = false

    @OptionGroup var storeOptions: StoreOptions
  }
}
