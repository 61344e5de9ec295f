import Calendars
import Model

/// The keys of `schedule`.
enum ScheduleKeys {
  /// One schedule, or a list of them; nil where there are none.
  static let form: Form<[Program.Schedule]?> = {
    let schedules: Form<[Program.Schedule]> = .oneOrMany(
      section.form(.init(name: "", cron: "", event: ""), keepsIncomplete: false))
    return Form(schedules.name, schema: schedules.schema, table: schedules.table) { node, path, reader in
      if node.isNull { return .some(nil) }
      return schedules.read(node, path, &reader).map { $0.isEmpty ? nil : $0 }
    }
  }()

  private static let section = Section<Program.Schedule>(
    "schedule",
    [
      Key(
        "name", \.name, .name, required: true, example: "name: weekdays",
        "What it is called: runs go in the sequence NAME_DATE, and `coordinator schedule` knows it by this."),
      Key(
        "cron", \.cron, cron, required: true, example: "cron: \"0 2 * * 1-5\"",
        "When: minute, hour, day of the month, month and day of the week, as crontab(5) has them, or @daily and its like."
      ),
      Key(
        "timezone", \.timeZone, zone, default: Program.Schedule.defaultTimeZone,
        example: "timezone: Europe/Berlin",
        "By whose clock."),
      Key(
        "event", \.event, .name, required: true, example: "event: run_s1",
        "The event that the run begins with."),
      Key(
        "catch_up", \.catchUp, .choice, default: "last", example: "catch_up: all",
        "Which firings are made up for whose time no agent was there."),
      Key(
        "overlap", \.overlap, .choice, default: "skip", example: "overlap: queue",
        "What a firing does while the former run still goes: left out, wait for its end, or cancel it."),
      Key(
        "late_after", optional: \.lateAfter, .duration, default: "never", example: "late_after: 30m",
        "How long after its time a run must be over."),
    ])

  /// A cron line, marked inside its text where it is wrong.
  private static let cron = Form(
    "a cron line such as '0 2 * * 1-5'", schema: .type("string")
  ) { node, path, reader -> String? in
    guard let text = Form<String>.text.read(node, path, &reader) else { return nil }
    do throws(CronError) {
      return try CronLine(text).description
    } catch {
      reader.fail(reader.position(in: node, offset: error.offset), path, error.description)
      return nil
    }
  }

  /// A name of the machine's time zone database.
  private static let zone = Form(
    "a time zone such as Europe/Berlin", schema: .type("string")
  ) { node, path, reader -> String? in
    guard let name = Form<String>.text.read(node, path, &reader) else { return nil }
    let database = ZoneDatabase.system
    do throws(ZoneDatabase.Failure) {
      return try database.rules(named: name).name
    } catch .unknown {
      let near = Name.nearest(to: name, among: database.names).map { "did you mean '\($0)'?" }
      reader.fail(
        node.position, path,
        "unknown time zone '\(name.abridged)'; " + (near ?? "write a name such as Europe/Berlin, or UTC"))
    } catch {
      reader.fail(node.position, path, error.description)
    }
    return nil
  }
}
