import Database

/// The tables of the step engine.
///
/// Rows of a run are keyed by the run's number and a number counted on the run's locked row, so that a batch of them
/// is written without asking the database for keys. `open` is 1 while a task is not over and NULL after: indexes for
/// claims cover open rows only (partial where the engine can, NULLs at the far end where it can't), so that history
/// costs claims nothing.
enum Schema {
  static let migrations = [
    Migration(number: 1, name: "step engine") { statements($0) }, AgentSchema.migration,
    ScheduleSchema.migration, StepNoteSchema.migration, IndexChanges.ofTasks, IndexChanges.ofRuns,
    IndexChanges.ofLooks, IndexChanges.ofStoppedRuns, IndexChanges.replacedOfTasks,
    IndexChanges.replacedOfRuns,
  ]

  private struct Index {
    let name: String
    let table: String
    let columns: String
    var condition: String?
  }

  /// Differs by necessity: MySQL has neither partial indexes nor CREATE INDEX IF NOT EXISTS, so there an index is
  /// part of its table; a statement that was carried out before a crash may be carried out again everywhere.
  private static func statements(_ d: Dialect) -> [String] {
    tables(d).flatMap { table, body in
      let own = indexes.filter { $0.table == table }
      if d.kind == .mysql {
        let inline = own.map { ",\nINDEX \($0.name) (\($0.columns))" }.joined()
        return ["CREATE TABLE IF NOT EXISTS \(table) (\n\(body)\(inline)\n)\(d.tableOptions)"]
      }
      return ["CREATE TABLE IF NOT EXISTS \(table) (\n\(body)\n)\(d.tableOptions)"]
        + own.map { index in
          "CREATE INDEX IF NOT EXISTS \(index.name) ON \(table) (\(index.columns))"
            + (index.condition.map { " WHERE \($0)" } ?? "")
        }
    }
  }

  private static func tables(_ d: Dialect) -> [(name: String, body: String)] {
    let (name, sequence) = (d.keyText(140), d.keyText(191))
    let (word, label) = (d.keyText(32), d.keyText(255))
    let (big, text) = (d.bigint, d.longText)
    return [
      (
        "ev_program",
        """
        program_key \(d.bigIdentity), name \(name) NOT NULL, version \(d.keyText(80)) NOT NULL,
        content \(text) NOT NULL, registered_at \(big) NOT NULL, registered_by \(label) NOT NULL,
        removed INTEGER NOT NULL, UNIQUE (name, version)
        """
      ),
      (
        "ev_run",
        """
        run_key \(d.bigIdentity), id \(d.keyText(64)) NOT NULL UNIQUE, program_key \(big) NOT NULL,
        program \(name) NOT NULL, status \(word) NOT NULL, recovery INTEGER NOT NULL,
        standalone INTEGER NOT NULL, unpinned INTEGER NOT NULL, local_host \(label) NOT NULL,
        parameters \(text) NOT NULL, sequence \(sequence), active \(big) NOT NULL, failures \(big) NOT NULL,
        stopped INTEGER NOT NULL, verdict \(word), message \(text), next_no \(big) NOT NULL, replay \(text),
        created_by \(label) NOT NULL, created_at \(big) NOT NULL, started_at \(big), ended_at \(big),
        deadline_at \(big), queue_deadline_at \(big), tended_by \(big), tended_at \(big)
        """
      ),
      (
        "ev_recovery",
        """
        run_key \(big) NOT NULL, recovery INTEGER NOT NULL, kind \(word) NOT NULL, status \(word) NOT NULL,
        message \(text), parameters \(text) NOT NULL, actor \(label) NOT NULL, started_at \(big) NOT NULL,
        ended_at \(big), PRIMARY KEY (run_key, recovery)
        """
      ),
      (
        "ev_event",
        """
        run_key \(big) NOT NULL, event \(name) NOT NULL, sequence \(sequence) NOT NULL,
        recovery INTEGER NOT NULL, no \(big) NOT NULL, scope \(big) NOT NULL, hosts \(text) NOT NULL,
        triggered_at \(big) NOT NULL, first_at \(big) NOT NULL, outside INTEGER NOT NULL,
        PRIMARY KEY (run_key, event, sequence, recovery)
        """
      ),
      (
        "ev_task",
        """
        run_key \(big) NOT NULL, no \(big) NOT NULL, recovery INTEGER NOT NULL, step \(name) NOT NULL,
        sequence \(sequence) NOT NULL, scope \(big) NOT NULL, status \(word) NOT NULL, open INTEGER,
        attempt INTEGER NOT NULL, losses INTEGER NOT NULL, ordering \(big) NOT NULL,
        host \(label), host_group \(name), demands INTEGER NOT NULL, wait_code \(word),
        due_at \(big), ready_at \(big), started_at \(big), ended_at \(big),
        holder \(big), agent \(big), fence \(big) NOT NULL, lock_until \(big),
        exit_code INTEGER, signal_name \(word), message \(text), skipped INTEGER NOT NULL,
        result_no \(big), file_triggers \(text), marked_by \(text), max_rss \(big), cpu \(big), log_path \(text),
        PRIMARY KEY (run_key, no), UNIQUE (run_key, step, sequence, recovery)
        """
      ),
      (
        "ev_attempt",
        """
        run_key \(big) NOT NULL, no \(big) NOT NULL, attempt INTEGER NOT NULL, status \(word) NOT NULL,
        superseded INTEGER NOT NULL, host \(label), agent \(big), fence \(big) NOT NULL, started_at \(big),
        ended_at \(big), exit_code INTEGER, signal_name \(word), message \(text), max_rss \(big), cpu \(big),
        log_path \(text), PRIMARY KEY (run_key, no, attempt)
        """
      ),
      (
        "ev_output",
        """
        run_key \(big) NOT NULL, no \(big) NOT NULL, attempt INTEGER NOT NULL, tail \(text) NOT NULL,
        total_bytes \(big) NOT NULL, PRIMARY KEY (run_key, no, attempt)
        """
      ),
      (
        "ev_result",
        "run_key \(big) NOT NULL, no \(big) NOT NULL, result \(text) NOT NULL, PRIMARY KEY (run_key, no)"
      ),
      (
        "ev_delay",
        """
        run_key \(big) NOT NULL, no \(big) NOT NULL, recovery INTEGER NOT NULL, kind \(word) NOT NULL,
        target \(name) NOT NULL, sequence \(sequence) NOT NULL, scope \(big) NOT NULL, hosts \(text) NOT NULL,
        due_at \(big) NOT NULL, PRIMARY KEY (run_key, no)
        """
      ),
      (
        "ev_loop",
        """
        run_key \(big) NOT NULL, no \(big) NOT NULL, recovery INTEGER NOT NULL, name \(name) NOT NULL,
        sequence \(sequence) NOT NULL, scope \(big) NOT NULL, hosts \(text) NOT NULL, status \(word) NOT NULL,
        total \(big) NOT NULL, items \(text), range_start \(big) NOT NULL, next_index \(big) NOT NULL,
        in_progress \(big) NOT NULL, ended \(big) NOT NULL, failed \(big) NOT NULL, growing INTEGER,
        message \(text), started_at \(big) NOT NULL, ended_at \(big),
        PRIMARY KEY (run_key, no), UNIQUE (run_key, name, sequence, recovery)
        """
      ),
      (
        "ev_iteration",
        """
        run_key \(big) NOT NULL, no \(big) NOT NULL, recovery INTEGER NOT NULL, loop_no \(big) NOT NULL,
        loop_name \(name) NOT NULL, position \(big) NOT NULL, sequence \(sequence) NOT NULL,
        status \(word) NOT NULL, active \(big) NOT NULL, failed INTEGER NOT NULL, repeated INTEGER NOT NULL,
        PRIMARY KEY (run_key, no)
        """
      ),
      (
        "ev_resource",
        """
        resource_key \(d.bigIdentity), scope \(word) NOT NULL, owner \(label) NOT NULL, name \(name) NOT NULL,
        capacity \(big) NOT NULL, used \(big) NOT NULL, UNIQUE (scope, owner, name)
        """
      ),
      (
        "ev_hold",
        """
        resource_key \(big) NOT NULL, run_key \(big) NOT NULL, task_no \(big) NOT NULL, amount \(big) NOT NULL,
        PRIMARY KEY (resource_key, run_key, task_no)
        """
      ),
      (
        "ev_ticket",
        """
        resource_key \(big) NOT NULL, run_key \(big) NOT NULL, task_no \(big) NOT NULL, amount \(big) NOT NULL,
        ordering \(big) NOT NULL, since \(big) NOT NULL, PRIMARY KEY (resource_key, run_key, task_no)
        """
      ),
      (
        "ev_history",
        """
        history_key \(d.bigIdentity), run_key \(big) NOT NULL, happened_at \(big) NOT NULL,
        recovery INTEGER NOT NULL, subject \(word) NOT NULL, name \(name) NOT NULL, sequence \(sequence) NOT NULL,
        attempt INTEGER NOT NULL, from_status \(word) NOT NULL, to_status \(word) NOT NULL,
        actor \(label) NOT NULL, token \(big) NOT NULL
        """
      ),
      (
        "ev_agent",
        """
        agent_key \(d.bigIdentity), host \(label) NOT NULL, instance \(label) NOT NULL,
        incarnation \(d.keyText(64)) NOT NULL, pid \(big) NOT NULL, process_start \(big) NOT NULL,
        boot_id \(d.keyText(64)) NOT NULL, journal \(text) NOT NULL, version \(word) NOT NULL,
        embedded INTEGER NOT NULL, started_at \(big) NOT NULL, heartbeat_at \(big) NOT NULL, stopped_at \(big)
        """
      ),
    ]
  }

  private static let indexes = [
    Index(name: "ev_run_by_program", table: "ev_run", columns: "program, run_key"),
    Index(name: "ev_run_by_status", table: "ev_run", columns: "status, run_key"),
    Index(name: "ev_run_tended", table: "ev_run", columns: "tended_by", condition: "tended_by IS NOT NULL"),
    Index(name: "ev_run_by_age", table: "ev_run", columns: "created_at"),
    Index(name: "ev_event_in_order", table: "ev_event", columns: "run_key, recovery, no"),
    Index(
      name: "ev_task_to_claim", table: "ev_task", columns: "run_key, status, ordering, ready_at, no",
      condition: "open = 1"),
    Index(name: "ev_task_due", table: "ev_task", columns: "run_key, due_at", condition: "due_at IS NOT NULL"),
    Index(
      name: "ev_task_held", table: "ev_task", columns: "holder, lock_until", condition: "holder IS NOT NULL"),
    Index(name: "ev_task_in_scope", table: "ev_task", columns: "run_key, recovery, scope"),
    Index(name: "ev_delay_due", table: "ev_delay", columns: "run_key, due_at"),
    Index(name: "ev_loop_growing", table: "ev_loop", columns: "run_key, growing", condition: "growing = 1"),
    Index(name: "ev_loop_open", table: "ev_loop", columns: "run_key, recovery, status"),
    Index(name: "ev_iteration_in_sequence", table: "ev_iteration", columns: "run_key, sequence, recovery"),
    Index(name: "ev_iteration_of_loop", table: "ev_iteration", columns: "run_key, loop_no, position"),
    Index(name: "ev_hold_of_task", table: "ev_hold", columns: "run_key, task_no"),
    Index(
      name: "ev_ticket_in_order", table: "ev_ticket",
      columns: "resource_key, ordering, since, run_key, task_no"),
    Index(name: "ev_ticket_of_run", table: "ev_ticket", columns: "run_key, resource_key"),
    Index(name: "ev_history_of_run", table: "ev_history", columns: "run_key, history_key"),
    Index(name: "ev_agent_by_host", table: "ev_agent", columns: "host, instance"),
  ]
}
