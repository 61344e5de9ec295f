public import Engine
public import Model

/// Schedules as people and programs read them.
public enum ScheduleView {
  /// The table of `schedule list`.
  public static func table(_ schedules: [ScheduleRecord], now: Timestamp) -> Table {
    var table = Table([
      Table.Column("name"), Table.Column("program"), Table.Column("cron"), Table.Column("timezone"),
      Table.Column("next_firing", title: "NEXT"), Table.Column("last_firing", title: "LAST"),
      Table.Column("last_run", title: "RUN"), Table.Column("last_status", title: "STATUS"),
      Table.Column("paused_by", title: "PAUSED BY"),
    ])
    for record in schedules {
      table.append([
        Table.Cell(record.schedule.name), Table.Cell(record.program), Table.Cell(record.schedule.cron),
        Table.Cell(record.schedule.timeZone), Table.Cell(next(record, now: now), value: record.nextAt),
        Table.Cell(
          record.lastAt.map { Elapsed.age(of: $0, now: now) }, style: .faint, value: record.lastAt),
        Table.Cell(record.lastRun),
        Table.Cell(record.lastStatus?.rawValue, style: record.lastStatus.map { TextStyle($0) } ?? .plain),
        Table.Cell(record.pausedBy, style: .notable),
      ])
    }
    return table
  }

  /// The list that `schedule list --json` prints.
  public static func list(_ schedules: [ScheduleRecord]) -> String {
    JSONObject.document(schedules.map(object))
  }

  /// A schedule; keys are only ever added, at the end.
  public static func object(_ record: ScheduleRecord) -> JSONObject {
    let schedule = record.schedule
    return [
      "name": schedule.name, "program": record.program, "version": record.version, "cron": schedule.cron,
      "timezone": schedule.timeZone, "event": schedule.event, "catch_up": schedule.catchUp.rawValue,
      "overlap": schedule.overlap.rawValue, "late_after": schedule.lateAfter?.seconds,
      "next_firing": record.nextAt, "waits_for": record.waitsFor, "last_firing": record.lastAt,
      "last_run": record.lastRun, "last_status": record.lastStatus, "late_at": record.lateAt,
      "missed_at": record.missedAt, "paused_by": record.pausedBy, "paused_at": record.pausedAt,
    ]
  }

  /// When it fires next, as `2026-11-21 02:00 Europe/Berlin (in 3h)`.
  public static func nextFiring(_ record: ScheduleRecord, now: Timestamp) -> String {
    let age = Elapsed.age(of: record.nextAt, now: now)
    guard let local = record.nextLocal else { return "\(Elapsed.moment(record.nextAt)) (\(age))" }
    return "\(spaced(local)) \(record.schedule.timeZone) (\(age))"
  }

  /// What `schedule pause` says.
  public static func paused(_ record: ScheduleRecord, isNew: Bool, now: Timestamp) -> String {
    guard !isNew else {
      return "paused \(record.fullName); it would fire next \(nextFiring(record, now: now))"
    }
    let since = record.pausedAt.map { " " + Elapsed.age(of: $0, now: now) } ?? ""
    return "\(record.fullName) had been paused by \(record.pausedBy ?? "somebody")\(since); nothing changes"
  }

  /// What `schedule resume` says: above all which of the firings of the pause still come.
  public static func resumed(_ record: ScheduleRecord, _ madeUp: MadeUpFirings?, now: Timestamp) -> String {
    guard let madeUp else { return "\(record.fullName) was not paused; nothing changes" }
    guard madeUp.isDue else {
      return "resumed \(record.fullName); it fires next \(nextFiring(record, now: now))"
    }
    let policy = "catch_up: \(record.schedule.catchUp.rawValue)"
    if madeUp.firings.isEmpty { return "resumed \(record.fullName); what it missed is left out (\(policy))" }
    let firings =
      madeUp.firings.map { spaced($0.local) }.joined(separator: ", ") + (madeUp.hasMore ? " and more" : "")
    return "resumed \(record.fullName); made up (\(policy)): \(firings)"
  }

  /// A fault, as a warning beside a list.
  public static func text(_ late: LateSchedule, now: Timestamp) -> String {
    let name = "\(late.program)/\(late.schedule)"
    let (at, age) = (Elapsed.moment(late.firesAt), Elapsed.age(of: late.firesAt, now: now))
    switch late.fault {
    case .notFired:
      return "\(name) is due since \(at) (\(age)) and nobody fires it; is an eventor-agent running?"
    case .missed: return "\(name) missed its firing of \(at) (\(age)): no agent was there for it"
    case .notEnded(let run):
      return "\(name): run \(run), of \(at), is not over in time; see: coordinator why \(run)"
    }
  }

  private static func next(_ record: ScheduleRecord, now: Timestamp) -> String {
    if let run = record.waitsFor { return "waits for \(run)" }
    let shown = record.nextLocal.map(spaced) ?? Elapsed.moment(record.nextAt)
    if record.nextAt > now { return "\(shown) (\(Elapsed.age(of: record.nextAt, now: now)))" }
    return record.pausedBy == nil ? "due" : "\(shown) is kept"
  }

  /// `2026-11-21 02:00`.
  private static func spaced(_ local: String) -> String { local.replacing("T", with: " ") }
}
