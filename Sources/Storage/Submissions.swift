import Database
public import Engine
import Model

extension SQLStore {
  /// Starts a run: its row, and everything its start triggers, in one transaction.
  public func submit(_ submission: Submission) async throws -> String {
    try await write { session in
      let run = try self.submit(submission, beginning: .program(in: submission.sequence), session)
      try fault(.submitBeforeCommit, session)
      return run.id
    }
  }

  /// Starts a run that begins as another one did.
  public func submit(_ submission: Submission, beginningAs former: String) async throws -> String {
    try await write { session in
      let rows = try session.query("SELECT run_key FROM ev_run WHERE id = \(former)")
      guard let row = rows.first else { throw StoreError.noRun(former) }
      return try self.submit(
        submission, beginning: self.beginning(of: row.integer(0), session), session
      ).id
    }
  }

  /// Starts a run in the caller's transaction.
  func submit(
    _ submission: Submission, beginning: Beginning, _ session: any Session
  ) throws -> (id: String, key: Int64) {
    let now = try session.clock()
    let id = submission.id ?? RunID.make(at: now)
    let plan = try self.plan(submission.program.key, session)
    let config = plan.program.config
    let (events, sequence): ([Program.Start], Sequence?) =
      switch beginning {
      case .events(let starts): (starts, nil)
      case .program(let sequence): ([], sequence)
      }
    // The row itself says whether the id is free: somebody else may submit it at this very moment.
    let inserted = try session.insert(
      into: "ev_run",
      columns: [
        "id", "program_key", "program", "status", "recovery", "standalone", "unpinned", "local_host",
        "parameters",
        "sequence", "active", "failures", "stopped", "next_no", "created_by", "created_at", "deadline_at",
        "queue_deadline_at",
      ],
      rows: [
        [
          .text(id), .integer(submission.program.key), .text(submission.program.name), .text("running"),
          .integer(0),
          submission.isStandalone.databaseValue, submission.isUnpinned.databaseValue,
          .text(submission.localHost),
          .text(try JSONText.encode(submission.parameters)), (sequence?.text).databaseValue,
          .integer(0),
          .integer(0), .integer(0), .integer(1), .text(submission.user), .integer(now),
          config.timeout.map { now + $0.microseconds }.databaseValue,
          config.queueTimeout.map { now + $0.microseconds }.databaseValue,
        ]
      ], ignoringConflicts: true)
    guard inserted == 1 else {
      throw StoreError(
        .conflict, "there is a run '\(id)' already",
        hint: "choose another --run-id, or go on with it: --continue")
    }
    let run = try lock(id, session)
    try session.insert(
      into: "ev_start", columns: ["run_key", "event", "sequence"],
      rows: events.map { [.integer(run.state.key), .text($0.event), .text($0.sequence.text)] })
    try open(recovery: 0, of: run, kind: "submit", by: submission.user, session)
    let changes = try transition(run, session) { try $0.begin(beginning, actor: submission.user) }
    try keepWake(of: run.after(changes), session)
    return (id, run.state.key)
  }

  /// What a run begins with, in each of its recoveries.
  func beginning(of key: Int64, _ session: any Session) throws -> Beginning {
    let events = try session.query(
      "SELECT event, sequence FROM ev_start WHERE run_key = \(key) ORDER BY event, sequence"
    ).map { Program.Start(event: try $0.text(0), sequence: Sequence(try $0.text(1))) }
    if !events.isEmpty { return .events(events) }
    let rows = try session.query("SELECT sequence FROM ev_run WHERE run_key = \(key)")
    return .program(in: try rows.first?.optionalText(0).map { Sequence($0) })
  }

  /// The row that keeps a recovery readable after the next one has begun.
  func open(recovery: Int, of run: LockedRun, kind: String, by user: String, _ session: any Session) throws {
    try session.execute(
      """
      INSERT INTO ev_recovery (run_key, recovery, kind, status, parameters, actor, started_at)
      VALUES (\(run.state.key), \(recovery), \(kind), 'running', \(try JSONText.encode(run.state.parameters)),
        \(user), \(run.state.now.microseconds))
      """)
    try record(
      [
        Changes.HistoryEntry(
          subject: .run, name: run.state.id, sequence: "", attempt: 0, from: "",
          to: RunStatus.running.rawValue,
          actor: user)
      ], run.state, session)
  }
}

/// Identifiers of runs: ULIDs (https://github.com/ulid/spec), so that they sort by the time they were made.
enum RunID {
  private static let digits = Array("0123456789ABCDEFGHJKMNPQRSTVWXYZ".utf8)

  /// A new identifier for a moment in microseconds since 1970.
  static func make(at microseconds: Int64) -> String {
    var text: [UInt8] = []
    let milliseconds = UInt64(max(0, microseconds / 1000))
    for shift in stride(from: 45, through: 0, by: -5) {
      text.append(digits[Int(milliseconds >> UInt64(shift)) & 31])
    }
    for _ in 0..<16 { text.append(digits[Int.random(in: 0..<32)]) }
    return String(decoding: text, as: UTF8.self)
  }
}
