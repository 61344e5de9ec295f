public import Model

/// Runs and tasks as people read them: `status RUN`, `tasks RUN`, `runs`.
public enum StatusView {
  /// What `status RUN` prints, ending with a newline.
  public static func text(_ report: RunReport, now: Timestamp, on profile: TerminalProfile) -> String {
    var text = head(report, now: now, on: profile)
    if !report.tasks.isEmpty {
      text += "\n" + tasks(report.tasks, now: now).rendered(as: .table, on: profile)
    }
    if !report.loops.isEmpty {
      text += "\n" + loops(report.loops).rendered(as: .table, on: profile)
    }
    return text
  }

  /// The table of `tasks RUN`.
  public static func tasks(_ tasks: [TaskRecord], now: Timestamp) -> Table {
    var table = Table([
      Table.Column("step", maximumWidth: 40), Table.Column("sequence"),
      Table.Column("attempt", title: "TRY", alignment: .right), Table.Column("host"), Table.Column("status"),
      Table.Column("exit_code", title: "EXIT", alignment: .right),
      Table.Column("started_at", title: "STARTED"),
      Table.Column("seconds", title: "TIME", alignment: .right), Table.Column("message"),
    ])
    for task in tasks {
      let style = TextStyle(task.status, skipped: task.skipped)
      let seconds = task.startedAt.map { max(0, (task.endedAt ?? now) - $0) }
      table.append([
        Table.Cell(task.step), Table.Cell(task.sequence.text), Table.Cell(task.attempt),
        Table.Cell(task.host),
        Table.Cell(word(for: task), style: style, value: task.status),
        Table.Cell(task.signal ?? task.exitCode.map { String($0) }, value: task.signal.jsonOr(task.exitCode)),
        Table.Cell(
          task.startedAt.map { Elapsed.age(of: $0, now: now) }, style: .faint, value: task.startedAt),
        Table.Cell(seconds.map(Elapsed.text), value: seconds),
        Table.Cell(note(on: task, now: now), value: task.message),
      ])
    }
    return table
  }

  /// The table of `runs`.
  public static func runs(_ runs: [RunRecord], now: Timestamp) -> Table {
    var table = Table([
      Table.Column("id", title: "RUN"), Table.Column("program"), Table.Column("status"),
      Table.Column("recovery", title: "REC", alignment: .right),
      Table.Column("created_at", title: "SUBMITTED"),
      Table.Column("seconds", title: "TIME", alignment: .right), Table.Column("created_by", title: "BY"),
      Table.Column("message"),
    ])
    for run in runs {
      let seconds = run.startedAt.map { max(0, (run.endedAt ?? now) - $0) }
      let message = run.message ?? (run.status.isOver ? nil : run.waitingFor.first.map { "waiting: " + $0 })
      table.append([
        Table.Cell(run.id), Table.Cell(run.program),
        Table.Cell(run.status.rawValue, style: TextStyle(run.status)), Table.Cell(run.recovery),
        Table.Cell(Elapsed.age(of: run.createdAt, now: now), style: .faint, value: run.createdAt),
        Table.Cell(seconds.map(Elapsed.text), value: seconds), Table.Cell(run.createdBy),
        Table.Cell(message),
      ])
    }
    return table
  }

  /// The table of a run's loops.
  public static func loops(_ loops: [LoopRecord]) -> Table {
    var table = Table([
      Table.Column("loop", maximumWidth: 40), Table.Column("sequence"), Table.Column("status"),
      Table.Column("ended", title: "DONE", alignment: .right),
      Table.Column("iterations", title: "OF", alignment: .right),
    ])
    for loop in loops {
      table.append([
        Table.Cell(loop.loop), Table.Cell(loop.sequence.text),
        Table.Cell(loop.status.rawValue, style: TextStyle(loop.status)), Table.Cell(loop.ended),
        Table.Cell(loop.iterations),
      ])
    }
    return table
  }

  private static func head(_ report: RunReport, now: Timestamp, on profile: TerminalProfile) -> String {
    let run = report.run
    let status = TextStyle(run.status).applied(to: run.status.rawValue, on: profile)
    var lines = [("run", shown(run.id)), ("program", shown(run.program + "  " + shortVersion(run.version)))]
    lines.append(("status", status + (run.recovery > 0 ? ", recovery \(run.recovery)" : "")))
    if let message = run.message { lines.append(("", shown(message))) }
    if !run.parameters.isEmpty {
      let values = run.parameters.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value.json)" }
      lines.append(("parameters", shown(values.joined(separator: "  "))))
    }
    let submitted = "\(Elapsed.moment(run.createdAt)) (\(Elapsed.age(of: run.createdAt, now: now)))"
    lines.append(("submitted", submitted + " by " + shown(run.createdBy)))
    if let took = Elapsed.text(from: run.startedAt, to: run.endedAt, now: now) {
      lines.append((run.status.isOver ? "took" : "for", took))
    }
    lines.append(("tasks", TaskCounts.text(report.currentTasks, on: profile)))
    for reason in run.waitingFor where !run.status.isOver { lines.append(("waiting", shown(reason))) }
    return lines.map { label, value in
      TextStyle.faint.applied(to: DisplayWidth.padded(label, to: 12), on: profile) + value + "\n"
    }.joined()
  }

  private static func word(for task: TaskRecord) -> String {
    if task.superseded { return "superseded" }
    return task.skipped && task.status == .success ? "skipped" : task.status.rawValue
  }

  private static func note(on task: TaskRecord, now: Timestamp) -> String? {
    if let message = task.message { return message }
    if task.status == .running, let note = task.note {
      return note.text.isEmpty ? "heard of " + Elapsed.age(of: note.at, now: now) : note.text
    }
    guard task.status == .waiting, let due = task.dueAt, due > now else { return nil }
    return "due in " + Elapsed.text(due - now)
  }

  /// `sha256:` and the first twelve digits: enough to tell versions apart.
  private static func shortVersion(_ version: String) -> String {
    guard let colon = version.firstIndex(of: ":") else { return String(version.prefix(19)) }
    return String(version[...colon] + version[version.index(after: colon)...].prefix(12))
  }

  private static func shown(_ text: String) -> String { neutralised(text, onOneLine: true) }
}

extension String? {
  /// The text, or `other` where there is none.
  fileprivate func jsonOr(_ other: Int?) -> JSONObject.Content { self?.jsonValue ?? other.jsonValue }
}
