import Database
public import Engine
import Model

extension SQLStore {
  /// Starts a run: its row, and everything its start triggers, in one transaction.
  public func submit(_ submission: Submission) async throws -> String {
    let chosen = submission.id
    return try await write { session in
      let now = try session.clock()
      let id = chosen ?? RunID.make(at: now)
      let plan = try self.plan(submission.program.key, session)
      let config = plan.program.config
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
            .text(try JSONText.encode(submission.parameters)), (submission.sequence?.text).databaseValue,
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
      let run = try self.lock(id, session)
      try self.open(recovery: 0, of: run, kind: "submit", by: submission.user, session)
      let changes = try self.transition(run, session) { transition in
        try transition.begin(in: submission.sequence, actor: submission.user)
      }
      try self.keepWake(of: run.after(changes), session)
      try fault(.submitBeforeCommit, session)
      return id
    }
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
