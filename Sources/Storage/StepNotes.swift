import Database
public import Engine
import Model

/// The table of what running steps say of themselves: beside the tasks, whose rows are changed often enough.
enum StepNoteSchema {
  static let migration = Migration(number: 4, name: "step notes") { d in
    [
      """
      CREATE TABLE IF NOT EXISTS ev_note (
      run_key \(d.bigint) NOT NULL, no \(d.bigint) NOT NULL, attempt INTEGER NOT NULL, fraction \(d.double),
      message \(d.longText), noted_at \(d.bigint) NOT NULL, PRIMARY KEY (run_key, no)
      )\(d.tableOptions)
      """
    ]
  }

  /// What belongs to one run, and goes when it is purged.
  static let tablesOfRuns = ["ev_note"]
}

extension SQLStore {
  /// Keeps what running steps of `run` say of themselves; of each only the last is kept, and only while that attempt runs.
  public func note(_ notes: [StepNote], of run: String) async throws {
    guard !notes.isEmpty else { return }
    try await write { session in
      let now = try session.clock()
      for note in notes {
        // Nothing of an attempt that is over: somebody else may be at the task by now.
        let rows = try session.query(
          """
          SELECT t.run_key FROM ev_run r JOIN ev_task t ON t.run_key = r.run_key
          WHERE r.id = \(run) AND t.no = \(note.number) AND t.attempt = \(note.attempt) AND t.status = 'running'
          """)
        guard let key = try rows.first?.integer(0) else { continue }
        try session.execute(
          """
          INSERT INTO ev_note (run_key, no, attempt, fraction, message, noted_at)
          VALUES (\(key), \(note.number), \(note.attempt), \(note.fraction), \(note.message), \(now))\
          \(raw: session.dialect.upsert(
            keys: ["run_key", "no"], update: ["attempt", "fraction", "message", "noted_at"]))
          """)
      }
    }
  }
}
