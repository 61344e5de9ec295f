import Database

/// What became of indexes since their tables were made: every change of a row writes to each of them that covers it, so
/// there are as few as will do.
enum IndexChanges {
  static let ofTasks = Migration(number: 5, name: "indexes of tasks") { d in
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

  static let ofRuns = Migration(number: 6, name: "runs that are being stopped") { d in
    guard d.kind == .postgresql else { return [] }
    // By their state, looks would go over what runs that are long over have left in the index while a transaction that
    // began before their end is open.
    return [
      """
      CREATE INDEX IF NOT EXISTS ev_run_stopping ON ev_run (run_key) WHERE status = 'running' AND verdict IS NOT NULL
      """
    ]
  }

  static let ofLooks = Migration(number: 7, name: "what looks and long runs go by") { d in
    guard d.kind != .mysql else { return [] }
    // Whoever asks for what is ready in a queue, and says nothing of `open`, can have it by this index alone: by that of the
    // tasks of a run, which is as short while nothing is ready, looks would go over what all runs have left in it.
    let ofTasks = """
      CREATE INDEX IF NOT EXISTS ev_task_in_line ON ev_task (queue, ordering, ready_at, run_key, no)
      WHERE status = 'ready' AND queue IS NOT NULL
      """
    guard d.kind == .postgresql else { return [ofTasks] }
    // Most runs are short, and some are not. By the average, reading all of a run and dropping what was not asked for looks
    // cheaper than looking 64 tasks up: so it is told that there are two runs. It holds from the next ANALYZE on, which the
    // server does by itself.
    let ofRuns = [
      "ev_task", "ev_event", "ev_iteration", "ev_loop", "ev_result", "ev_attempt", "ev_output", "ev_hold",
    ].map { "ALTER TABLE \($0) ALTER COLUMN run_key SET (n_distinct = 2)" }
    return ofRuns + [ofTasks]
  }

  // Each of one table: whoever writes to both has them in either order.
  static let ofStoppedRuns = Migration(number: 8, name: "runs that are being stopped, paused or not") { d in
    guard d.kind == .postgresql else { return [] }
    // Word for word `Fleet.isStopping`.
    return [
      """
      CREATE INDEX IF NOT EXISTS ev_run_stopped ON ev_run (run_key)
      WHERE status IN ('running', 'paused') AND verdict IS NOT NULL
      """
    ]
  }

  // By themselves, as they lock out everybody who uses the table: for a moment, where the making of an index takes a while.
  static let replacedOfTasks = Migration(number: 9, name: "an index of tasks that another stands in for") {
    d in
    d.kind == .mysql ? [] : ["DROP INDEX IF EXISTS ev_task_queued"]
  }

  static let replacedOfRuns = Migration(number: 10, name: "an index of runs that another stands in for") {
    d in
    d.kind == .postgresql ? ["DROP INDEX IF EXISTS ev_run_stopping"] : []
  }
}
