public import Model

/// Runs as JSON, with the keys and the order that `docs` and every client count on. Keys are only ever added, at
/// the end.
public enum RunJSON {
  /// What `run`, `submit`, `status`, `wait`, `recover` and `rerun` print with `--json`; ends with a newline.
  public static func document(_ report: RunReport) -> String { object(report).document }

  /// The same on one line with its newline, for `--watch` and `--follow`.
  public static func line(_ report: RunReport) -> String { object(report).line + "\n" }

  /// The run alone as a document: `{"run": {…}}`.
  public static func document(_ run: RunRecord) -> String {
    let object: JSONObject = ["run": self.object(run)]
    return object.document
  }

  /// The list that `runs --json` prints.
  public static func list(_ runs: [RunRecord]) -> String {
    JSONObject.document(runs.map(listed))
  }

  /// The list that `tasks RUN --json` prints.
  public static func list(_ tasks: [TaskRecord]) -> String {
    JSONObject.document(tasks.map { object($0) })
  }

  /// A report as an object, to which a command may add keys of its own.
  public static func object(_ report: RunReport) -> JSONObject {
    [
      "run": object(report.run),
      "tasks": report.tasks.map { object($0) },
      "loops": report.loops.map { object($0) },
      "events": report.events.filter { !Plan.isInternal($0.event) }.map { object($0) },
    ]
  }

  /// A run; `message` stands at the end only if there is one.
  public static func object(_ run: RunRecord) -> JSONObject {
    var object: JSONObject = [
      "id": run.id,
      "program": run.program,
      "version": run.version,
      "status": run.status,
      "recovery": run.recovery,
      "parameters": run.parameters,
      "started_at": run.startedAt,
      "ended_at": run.endedAt,
      "waiting_for": run.waitingFor,
    ]
    if let message = run.message { object.set("message", message) }
    return object
  }

  /// One attempt of a task; `superseded` is there only when it is true.
  public static func object(_ task: TaskRecord) -> JSONObject {
    var object: JSONObject = [
      "step": task.step,
      "sequence": task.sequence,
      "recovery": task.recovery,
      "attempt": task.attempt,
      "host": task.host,
      "status": task.status,
      "exit_code": task.exitCode,
      "signal": task.signal,
      "result": task.result,
      "message": task.message,
      "skipped": task.skipped,
      "ready_at": task.readyAt,
      "started_at": task.startedAt,
      "ended_at": task.endedAt,
    ]
    if task.superseded { object.set("superseded", true) }
    object.set("max_rss_kib", task.maxResidentKiB)
    object.set("cpu_seconds", task.cpuMicroseconds.map { Double($0) / 1_000_000 })
    object.set("log", task.logPath)
    if let note = task.note {
      object.set("progress", note.fraction)
      object.set("note", note.message)
      object.set("noted_at", note.at)
    }
    return object
  }

  /// A loop.
  public static func object(_ loop: LoopRecord) -> JSONObject {
    [
      "loop": loop.loop,
      "sequence": loop.sequence,
      "status": loop.status,
      "iterations": loop.iterations,
      "ended": loop.ended,
    ]
  }

  /// A triggered event.
  public static func object(_ event: EventRecord) -> JSONObject {
    [
      "event": event.event,
      "sequence": event.sequence,
      "recovery": event.recovery,
      "triggered_at": event.triggeredAt,
    ]
  }

  /// A run in a list also says when and by whom it was submitted.
  private static func listed(_ run: RunRecord) -> JSONObject {
    var object = object(run)
    object.set("created_at", run.createdAt)
    object.set("created_by", run.createdBy)
    object.set("standalone", run.isStandalone)
    return object
  }
}
