import Database

/// The indexes of tasks as they have been since the fifth migration: every change of a task's state writes to each of them
/// that covers it, so there are as few as will do.
enum TaskIndexes {
  static let migration = Migration(number: 5, name: "indexes of tasks") { d in
    // What belongs to a scope is found by the run's number, which comes first in the primary key.
    let unused = "ev_task_in_scope"
    guard d.kind != .mysql else {
      return [
        """
        SET @ev_ddl = IF((SELECT COUNT(*) FROM information_schema.statistics WHERE table_schema = DATABASE()
          AND table_name = 'ev_task' AND index_name = '\(unused)') = 0, 'DO 0', 'DROP INDEX \(unused) ON ev_task');
        PREPARE ev_ddl FROM @ev_ddl;
        EXECUTE ev_ddl;
        DEALLOCATE PREPARE ev_ddl
        """
      ]
    }
    // A task that runs stands in no queue: its taking then writes nothing here.
    return [
      "DROP INDEX IF EXISTS \(unused)", "DROP INDEX IF EXISTS ev_task_queued",
      """
      CREATE INDEX IF NOT EXISTS ev_task_queued ON ev_task (queue, ordering, ready_at, run_key, no)
      WHERE open = 1 AND status = 'ready' AND queue IS NOT NULL
      """,
    ]
  }
}
