import Database
import Engine
import Model

/// The run's facts in SQL, inside the transaction that holds its lock.
struct SQLLedger: RunLedger {
  let session: any Session
  let run: RunState

  func triggered(_ events: [String], in sequences: [Sequence]) throws -> [Sequence: [String: EventFact]] {
    var found: [Sequence: [String: EventFact]] = [:]
    try eachPart(of: events, in: sequences) { names, places in
      let rows = try session.query(
        Self.eventStatement(names, in: places, of: run.key, recovery: run.recovery, session.dialect))
      found.merge(try Self.events(rows)) { $0.merging($1) { first, _ in first } }
    }
    return found
  }

  static func eventStatement(
    _ names: [String], in places: [String], of run: Int64, recovery: Int, _ dialect: Dialect
  ) -> SQL {
    Placed.select(
      "t.event, t.sequence, t.hosts", from: "ev_event", "event", names, in: places, of: run,
      "t.recovery = \(recovery)", dialect)
  }

  static func events(_ rows: [Row]) throws -> [Sequence: [String: EventFact]] {
    var found: [Sequence: [String: EventFact]] = [:]
    for row in rows {
      found[Sequence(try row.text(1)), default: [:]][try row.text(0)] = EventFact(
        hosts: try row.text(2).hostList)
    }
    return found
  }

  func tasks(_ steps: [String], in sequences: [Sequence]) throws -> [Sequence: [String: TaskFact]] {
    var found: [Sequence: [String: TaskFact]] = [:]
    try eachPart(of: steps, in: sequences) { names, places in
      let rows = try session.query(
        Self.taskStatement(names, in: places, of: run.key, recovery: run.recovery, session.dialect))
      found.merge(try Self.tasks(rows)) { $0.merging($1) { first, _ in first } }
    }
    return found
  }

  static func taskStatement(
    _ names: [String], in places: [String], of run: Int64, recovery: Int, _ dialect: Dialect
  ) -> SQL {
    Placed.select(
      TaskFact.columns, from: "ev_task", "step", names, in: places, of: run, "t.recovery = \(recovery)",
      dialect)
  }

  static func tasks(_ rows: [Row]) throws -> [Sequence: [String: TaskFact]] {
    var found: [Sequence: [String: TaskFact]] = [:]
    for row in rows {
      let task = try TaskFact(row)
      found[task.sequence, default: [:]][task.step] = task
    }
    return found
  }

  /// Statements of a few lengths, each short enough for every database to look its pairs up in the index.
  private func eachPart(
    of names: [String], in sequences: [Sequence], _ body: ([String], [String]) throws -> Void
  ) throws {
    for some in names.chunks(of: 64) {
      for places in sequences.map(\.text).chunks(of: max(1, 256 / some.count)) { try body(some, places) }
    }
  }

  func found(_ events: [String], _ steps: [String], in sequence: Sequence) throws -> (
    events: [String: EventFact], tasks: [String: TaskFact]
  ) {
    var statements: [SQL] = []
    for some in events.chunks(of: 64) {
      statements.append(
        Self.eventStatement(
          some, in: [sequence.text], of: run.key, recovery: run.recovery, session.dialect))
    }
    let eventParts = statements.count
    for some in steps.chunks(of: 64) {
      statements.append(
        Self.taskStatement(
          some, in: [sequence.text], of: run.key, recovery: run.recovery, session.dialect))
    }
    let answers = try session.queryAll(statements)
    var found: (events: [String: EventFact], tasks: [String: TaskFact]) = ([:], [:])
    for rows in answers.prefix(eventParts) {
      found.events.merge(try Self.events(rows)[sequence] ?? [:]) { first, _ in first }
    }
    for rows in answers.dropFirst(eventParts) {
      found.tasks.merge(try Self.tasks(rows)[sequence] ?? [:]) { first, _ in first }
    }
    return found
  }

  func loop(_ name: String, in sequence: Sequence) throws -> LoopState? {
    try session.query(
      """
      SELECT \(raw: LoopState.columns) FROM ev_loop
      WHERE run_key = \(run.key) AND name = \(name) AND sequence = \(sequence.text) AND recovery = \(run.recovery)
      """
    ).first.map { try LoopState($0) }
  }

  func loop(numbered number: Int64) throws -> LoopState? {
    try session.query(
      "SELECT \(raw: LoopState.columns) FROM ev_loop WHERE run_key = \(run.key) AND no = \(number)"
    ).first.map { try LoopState($0) }
  }

  func openLoops() throws -> [LoopState] {
    try session.query(
      """
      SELECT \(raw: LoopState.columns) FROM ev_loop
      WHERE run_key = \(run.key) AND recovery = \(run.recovery) AND status = 'running' ORDER BY no DESC
      """
    ).map { try LoopState($0) }
  }

  func growingLoops() throws -> [LoopState] {
    try session.query(
      """
      SELECT \(raw: LoopState.columns) FROM ev_loop
      WHERE run_key = \(run.key) AND growing = 1 ORDER BY no LIMIT 4
      """
    ).map { try LoopState($0) }
  }

  func iteration(numbered number: Int64) throws -> IterationState? {
    try session.query(
      "SELECT \(raw: IterationState.columns) FROM ev_iteration WHERE run_key = \(run.key) AND no = \(number)"
    ).first.map { try IterationState($0) }
  }

  static func iterationStatement(_ numbers: [Int64], of run: Int64) -> SQL {
    """
    SELECT \(raw: IterationState.columns) FROM ev_iteration WHERE run_key = \(run) AND no IN \(list: numbers)
    """
  }

  /// The loops that the iterations belong to.
  static func loopStatement(ofIterations numbers: [Int64], of run: Int64) -> SQL {
    """
    SELECT \(raw: LoopState.columns) FROM ev_loop WHERE run_key = \(run) AND no IN
      (SELECT loop_no FROM ev_iteration WHERE run_key = \(run) AND no IN \(list: numbers))
    """
  }

  func iterations(in sequence: Sequence) throws -> [IterationState] {
    try session.query(
      """
      SELECT \(raw: IterationState.columns) FROM ev_iteration
      WHERE run_key = \(run.key) AND sequence = \(sequence.text) AND recovery = \(run.recovery) ORDER BY no
      """
    ).map { try IterationState($0) }
  }

  func unstarted() throws -> [Int64: Int] {
    var counts: [Int64: Int] = [:]
    let rows =
      try session.query(
        """
        SELECT scope, COUNT(*) FROM ev_task
        WHERE run_key = \(run.key) AND open = 1 AND status IN ('ready', 'waiting') GROUP BY scope
        """)
      + session.query("SELECT scope, COUNT(*) FROM ev_delay WHERE run_key = \(run.key) GROUP BY scope")
    for row in rows { counts[try row.integer(0), default: 0] += try row.int(1) }
    return counts
  }

  // MARK: Earlier recoveries

  func earlierEnd(of step: String, in sequence: Sequence) throws -> EarlierEnd? {
    try session.query(
      """
      SELECT no, status, host, file_triggers FROM ev_task
      WHERE run_key = \(run.key) AND step = \(step) AND sequence = \(sequence.text)
        AND recovery < \(run.recovery) AND status IN ('success', 'failure')
      ORDER BY recovery DESC LIMIT 1
      """
    ).first.map { row in
      EarlierEnd(
        number: try row.integer(0), status: TaskStatus(rawValue: try row.text(1)) ?? .failure,
        host: try row.optionalText(2),
        fileTriggers: try JSONText.decode([FileTrigger].self, row.optionalText(3)) ?? [])
    }
  }

  func wasOpened(loop name: String, in sequence: Sequence) throws -> Bool {
    try !session.query(
      """
      SELECT 1 FROM ev_loop
      WHERE run_key = \(run.key) AND name = \(name) AND sequence = \(sequence.text) AND recovery < \(run.recovery)
      LIMIT 1
      """
    ).isEmpty
  }

  func hadSucceeded(iterationOf name: String, in sequence: Sequence) throws -> Bool {
    try session.query(
      """
      SELECT status FROM ev_iteration
      WHERE run_key = \(run.key) AND sequence = \(sequence.text) AND recovery < \(run.recovery)
        AND loop_name = \(name) AND status IN ('success', 'failure') ORDER BY recovery DESC LIMIT 1
      """
    ).first?.text(0) == LoopStatus.success.rawValue
  }

  func firstTriggered(_ event: String, in sequence: Sequence) throws -> Timestamp? {
    try session.query(
      """
      SELECT MIN(first_at) FROM ev_event
      WHERE run_key = \(run.key) AND event = \(event) AND sequence = \(sequence.text)
        AND recovery < \(run.recovery)
      """
    ).first?.optionalInteger(0).map { Timestamp(microseconds: $0) }
  }

  func earlierFromOutside() throws -> [(event: String, sequence: Sequence)] {
    try session.query(
      """
      SELECT event, sequence, MIN(first_at) FROM ev_event
      WHERE run_key = \(run.key) AND recovery < \(run.recovery) AND outside = 1 GROUP BY event, sequence
      ORDER BY MIN(first_at), event, sequence
      """
    ).map { (try $0.text(0), Sequence(try $0.text(1))) }
  }

  func result(of step: String, in sequence: Sequence) throws -> JSONValue? {
    try Results(session: session, run: run.key, recovery: run.recovery).result(of: step, in: sequence)
  }
}

extension TaskFact {
  static let columns = "no, step, sequence, scope, status, due_at, attempt, losses, host, fence"

  init(_ row: Row) throws {
    self.init(
      number: try row.integer(0), step: try row.text(1), sequence: Sequence(try row.text(2)),
      scope: try row.integer(3), status: try TaskStatus(stored: row.text(4)),
      dueAt: try row.optionalInteger(5).map { Timestamp(microseconds: $0) }, attempt: try row.int(6),
      losses: try row.int(7), host: try row.optionalText(8), fence: try row.integer(9))
  }
}

extension LoopState {
  static let columns =
    "no, name, sequence, scope, hosts, status, total, range_start, next_index, in_progress, ended, failed"

  /// Items are left out: only the claim of a task needs them, and a long list is costly to read at every end.
  init(_ row: Row) throws {
    self.init(
      number: try row.integer(0), name: try row.text(1), sequence: Sequence(try row.text(2)),
      scope: try row.integer(3), hosts: try row.text(4).hostList, status: try LoopStatus(stored: row.text(5)),
      total: try row.int(6), items: nil, rangeStart: try row.int(7), next: try row.int(8),
      open: try row.int(9),
      ended: try row.int(10), failed: try row.int(11))
  }
}

extension IterationState {
  static let columns = "no, loop_no, position, sequence, status, active, failed, repeated"

  init(_ row: Row) throws {
    self.init(
      number: try row.integer(0), loop: try row.integer(1), index: try row.int(2),
      sequence: Sequence(try row.text(3)), status: try LoopStatus(stored: row.text(4)),
      active: try row.int(5),
      hasFailed: try row.bool(6), isRepeated: try row.bool(7))
  }
}
