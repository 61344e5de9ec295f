import Calendars
import Database
import Engine
import Model

/// One look at a schedule that is due: decides firing after firing until one has started a run, waits, or none is due.
struct ScheduleTurn {
  let stored: StoredSchedule
  let timetable: Timetable
  /// The run of the former firing, while it goes.
  let former: String?
  let now: Int64
  let host: String
  /// What was decided.
  private(set) var firings: [ScheduleFirings.Firing] = []

  init(stored: StoredSchedule, timetable: Timetable, former: String?, now: Int64, host: String) {
    self.stored = stored
    self.timetable = timetable
    self.former = former
    self.now = now
    self.host = host
  }

  /// Decides, carries out, and writes what is next. The row of the schedule is locked.
  mutating func decide(_ store: SQLStore, _ session: any Session) throws {
    var next = stored.nextAt
    var isWaiting = stored.awaits != nil
    while let first = next, first <= now {
      var facts = FiringDecision.Facts(
        schedule: stored.schedule, first: Timestamp(microseconds: first),
        last: Timestamp(microseconds: timetable.last(from: first, before: now + 1)),
        now: Timestamp(microseconds: now))
      (facts.isWaiting, facts.formerGoes) = (isWaiting, former != nil)
      switch FiringDecision(facts) {
      case .leaveOut(let end):
        next = timetable.next(after: try leaveOut(from: first, before: end.microseconds, session))
      case .carryOut(let deed, let moment):
        let at = moment.microseconds
        if at > first { _ = try leaveOut(from: first, before: at, session) }
        switch deed {
        case .skip:
          try record(at, "skipped", run: former, session)
          firings.append(firing(at, .skipped(because: former ?? "")))
          next = timetable.next(after: at)
        case .wait:
          // What it waits for already needs no second word.
          if !isWaiting || at > first { firings.append(firing(at, .waiting(for: former ?? ""))) }
          return try write(next: at, awaits: stored.lastRunKey, session)
        case .fire, .replace:
          try fire(at, store, session)
          return try write(next: timetable.next(after: at), awaits: nil, session)
        }
      }
      isWaiting = false
    }
    try write(next: next, awaits: nil, session)
  }

  /// Nobody was there for the firings from `first` on. Returns the last of them.
  private mutating func leaveOut(from first: Int64, before end: Int64, _ session: any Session) throws -> Int64
  {
    let last = timetable.last(from: first, before: end)
    try record(first, "missed", through: last, session)
    try session.execute("UPDATE ev_schedule SET missed_at = \(last) WHERE schedule_key = \(stored.key)")
    firings.append(firing(first, .missed(through: Timestamp(microseconds: last))))
    return last
  }

  /// Starts the run of a firing, unless there is a row of that firing: then it has happened, whatever else was lost.
  private mutating func fire(_ at: Int64, _ store: SQLStore, _ session: any Session) throws {
    let before = try session.query(
      "SELECT 1 FROM ev_firing WHERE schedule_key = \(stored.key) AND fires_at = \(at)")
    guard before.isEmpty else { return }
    let actor = "schedule:\(stored.schedule.name)@\(host)"
    if let former { try cancel(former, by: actor, store, session) }
    let submission = Submission(
      program: try store.version(keyed: stored.programKey, session),
      parameters: try store.plan(stored.programKey, session).program.scheduledParameters, isStandalone: false,
      isUnpinned: false, localHost: host, user: actor)
    let start = Program.Start(event: stored.schedule.event, sequence: sequence(at))
    let run = try store.submit(submission, beginning: .events([start]), session)
    try record(at, "fired", run: run.id, session)
    try session.execute(
      """
      UPDATE ev_schedule SET last_at = \(at), last_run_key = \(run.key), last_run = \(run.id),
        late_at = \(stored.schedule.lateAfter.map { at + $0.microseconds })
      WHERE schedule_key = \(stored.key)
      """)
    firings.append(firing(at, .fired(run: run.id)))
  }

  private func cancel(_ run: String, by actor: String, _ store: SQLStore, _ session: any Session) throws {
    let locked = try store.lock(run, session)
    if !locked.state.status.isOver { try store.cancel(locked, by: actor, session) }
  }

  private func write(next: Int64?, awaits: Int64?, _ session: any Session) throws {
    try session.execute(
      """
      UPDATE ev_schedule SET next_at = \(next), due_at = \(next), awaits = \(awaits), active = \(next != nil)
      WHERE schedule_key = \(stored.key)
      """)
  }

  private func record(
    _ at: Int64, _ outcome: String, through: Int64? = nil, run: String? = nil, _ session: any Session
  ) throws {
    try session.insert(
      into: "ev_firing",
      columns: [
        "schedule_key", "fires_at", "through_at", "program", "name", "sequence", "outcome", "run_id",
        "decided_at", "decided_on",
      ],
      rows: [
        [
          .integer(stored.key), .integer(at), through.databaseValue, .text(stored.program),
          .text(stored.schedule.name), .text(sequence(at).text), .text(outcome), run.databaseValue,
          .integer(now), .text(host),
        ]
      ], ignoringConflicts: true)
  }

  private func sequence(_ at: Int64) -> Sequence {
    let local = timetable.local(at: at)
    return stored.schedule.sequence(at: local.time.description, isSecondPass: local.isSecondPass)
  }

  private func firing(_ at: Int64, _ outcome: ScheduleFirings.Outcome) -> ScheduleFirings.Firing {
    .init(
      program: stored.program, schedule: stored.schedule.name, at: Timestamp(microseconds: at),
      outcome: outcome)
  }
}
