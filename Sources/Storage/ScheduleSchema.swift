import Database

/// The tables of schedules, and of what runs begin with where that is not what their program says.
enum ScheduleSchema {
  static let migration = Migration(number: 3, name: "schedules") { statements($0) }

  /// What belongs to one run, and goes when it is purged.
  static let tablesOfRuns = ["ev_start"]
  static let otherTables = ["ev_schedule", "ev_firing"]

  /// Differs by necessity: MySQL has no CREATE INDEX IF NOT EXISTS, so there an index is part of its table, and no
  /// partial ones.
  private static func statements(_ d: Dialect) -> [String] {
    tables(d).flatMap { table in
      guard let index = table.index, d.kind != .mysql else {
        let inline = table.index.map { ",\nINDEX \($0.name) (\($0.column))" } ?? ""
        return ["CREATE TABLE IF NOT EXISTS \(table.name) (\n\(table.body)\(inline)\n)\(d.tableOptions)"]
      }
      return [
        "CREATE TABLE IF NOT EXISTS \(table.name) (\n\(table.body)\n)\(d.tableOptions)",
        "CREATE INDEX IF NOT EXISTS \(index.name) ON \(table.name) (\(index.column))"
          + " WHERE \(index.column) IS NOT NULL",
      ]
    }
  }

  private static func tables(
    _ d: Dialect
  ) -> [(name: String, body: String, index: (name: String, column: String)?)] {
    let (name, sequence) = (d.keyText(140), d.keyText(191))
    let (word, label) = (d.keyText(32), d.keyText(255))
    let (big, text) = (d.bigint, d.longText)
    return [
      (
        // next_at: the first firing not decided on. due_at: the same where somebody is to look at it, NULL while it is
        // paused. awaits: the run for whose end it waits. A schedule that its program no longer has keeps its row, not
        // active, for its pause and its last firing.
        "ev_schedule",
        """
        schedule_key \(d.bigIdentity), program \(name) NOT NULL, name \(name) NOT NULL, program_key \(big) NOT NULL,
        active INTEGER NOT NULL, cron \(text) NOT NULL, timezone \(label) NOT NULL, event \(name) NOT NULL,
        catch_up \(word) NOT NULL, overlap \(word) NOT NULL, late_after \(big),
        next_at \(big), due_at \(big), awaits \(big),
        last_at \(big), last_run_key \(big), last_run \(d.keyText(64)), late_at \(big), missed_at \(big),
        paused_by \(label), paused_at \(big), UNIQUE (program, name)
        """, ("ev_schedule_due", "due_at")
      ),
      (
        // One row for each firing decided on; a row of missed ones stands for all up to through_at.
        "ev_firing",
        """
        firing_key \(d.bigIdentity), schedule_key \(big) NOT NULL, fires_at \(big) NOT NULL, through_at \(big),
        program \(name) NOT NULL, name \(name) NOT NULL, sequence \(sequence) NOT NULL, outcome \(word) NOT NULL,
        run_id \(d.keyText(64)), decided_at \(big) NOT NULL, decided_on \(label) NOT NULL,
        UNIQUE (schedule_key, fires_at)
        """, ("ev_firing_by_age", "decided_at")
      ),
      (
        "ev_start",
        """
        run_key \(big) NOT NULL, event \(name) NOT NULL, sequence \(sequence) NOT NULL,
        PRIMARY KEY (run_key, event, sequence)
        """, nil
      ),
    ]
  }
}
