import Database
import Engine
import Model

/// Whether a task may have what it demands, all at once or not at all (rule 12).
///
/// A task that may not gets a ticket for each resource that is short. A resource is given to nobody who comes later
/// than the oldest ticket of its own run, or of another run that is being worked on, so nobody starves.
final class Admission {
  private let session: any Session
  private let run: LockedRun
  private let holds: Holds
  private var keys: [Demand: Int64] = [:]
  /// Resources for which a task of this run queues already in this pass: later ones must not overtake it.
  private var closed: Set<Int64> = []

  /// A run that nobody has worked on for so many microseconds keeps nobody waiting.
  private static let tendedWithin: Int64 = 15_000_000

  init(session: any Session, run: LockedRun) {
    self.session = session
    self.run = run
    holds = Holds(session: session, run: run.state.key)
  }

  /// The numbers of this run's queueing tasks for whose resources some is free, first come first.
  func queue(_ limit: Int) throws -> [Int64] {
    let free = try session.query(
      """
      SELECT r.resource_key FROM ev_resource r WHERE r.used < r.capacity AND EXISTS
        (SELECT 1 FROM ev_ticket k WHERE k.run_key = \(run.state.key) AND k.resource_key = r.resource_key)
      """)
    guard !free.isEmpty else { return [] }
    var numbers: [Int64] = []
    for row in try session.query(
      """
      SELECT task_no FROM ev_ticket
      WHERE run_key = \(run.state.key) AND resource_key IN \(list: try free.map { try $0.integer(0) })
      ORDER BY ordering, since, task_no LIMIT \(limit)
      """)
    {
      let number = try row.integer(0)
      if !numbers.contains(number) { numbers.append(number) }
    }
    return numbers
  }

  /// Takes everything `task` demands on `host`, or gives it tickets and makes it wait.
  func admit(_ task: TaskFact, at host: String) throws -> Bool {
    guard let step = run.plan.steps[task.step] else { return true }
    let demands = Demand.of(step, run.plan, run: run.state.id, host: host)
    if demands.isEmpty { return true }
    var resources: [(key: Int64, demand: Demand)] = []
    for demand in demands { resources.append((try key(of: demand), demand)) }
    resources.sort { $0.key < $1.key }

    var short: [(key: Int64, demand: Demand)] = []
    for resource in resources where try !isFree(resource.key, resource.demand, for: task) {
      short.append(resource)
    }
    if short.isEmpty {
      for resource in resources {
        try holds.take(resource.key, task: task.number, amount: resource.demand.amount)
      }
      if task.status == .waiting {
        try session.execute(
          "DELETE FROM ev_ticket WHERE run_key = \(run.state.key) AND task_no = \(task.number)")
      }
      return true
    }
    closed.formUnion(short.map(\.key))
    try queue(task, for: short)
    return false
  }

  private func isFree(_ key: Int64, _ demand: Demand, for task: TaskFact) throws -> Bool {
    if closed.contains(key) { return false }
    let rows = try session.query(
      """
      SELECT used, capacity, sensor_at, sensor_free FROM ev_resource
      WHERE resource_key = \(key)\(raw: session.dialect.forUpdate)
      """)
    guard let row = rows.first, try row.integer(0) + demand.amount <= row.integer(1) else { return false }
    if let sensor = demand.sensor {
      // Both must allow; a reading that is too old says nothing.
      let isFresh =
        try row.optionalInteger(2).map {
          run.state.now.microseconds - $0 <= 2 * sensor.every.microseconds + Self.sensorSlack
        } ?? false
      guard isFresh, let free = try row.optionalInteger(3), free >= demand.amount else {
        try askSensor(key)
        return false
      }
    }
    return try !isOvertaking(key, task)
  }

  /// How long a sensor's command may take on top of the pause between two readings.
  private static let sensorSlack: Int64 = 5_000_000

  /// Somebody waits for what the sensor says: it is asked now, unless its next turn is set already.
  private func askSensor(_ key: Int64) throws {
    try session.execute(
      """
      UPDATE ev_resource SET sensor_due = \(run.state.now.microseconds)
      WHERE resource_key = \(key) AND sensor_due IS NULL
      """)
  }

  /// Whether some other task has queued for the resource before: one that an agent, or its own command, could start.
  ///
  /// Before is meant in one order over all resources: by priority, then by since when a task queues, whatever it queues
  /// for. A cross join, for SQLite would begin with the runs. So the first of all is kept waiting by nothing but a shortage, and no two keep each other waiting.
  private func isOvertaking(_ key: Int64, _ task: TaskFact) throws -> Bool {
    let (own, since) = (task.ordering(in: run.plan), try self.since(of: task))
    return try !session.query(
      """
      SELECT k.task_no FROM ev_ticket k CROSS JOIN ev_run r
      WHERE k.resource_key = \(key) AND r.run_key = k.run_key AND r.status = 'running' AND r.stopped = 0
        AND (k.ordering < \(own) OR (k.ordering = \(own) AND (k.since < \(since) OR (k.since = \(since)
          AND (k.run_key < \(run.state.key) OR (k.run_key = \(run.state.key) AND k.task_no < \(task.number)))))))
        AND (k.run_key = \(run.state.key) OR k.queue IS NOT NULL
          OR r.tended_at > \(run.state.now.microseconds - Self.tendedWithin))
        AND (k.queue IS NULL OR EXISTS (\(raw: Fleet.livingMember(of: "k.queue", session.dialect))))
      LIMIT 1
      """
    ).isEmpty
  }

  /// Since when a task queues; one that has only now become ready begins to.
  private func since(of task: TaskFact) throws -> Int64 {
    guard task.status == .waiting else { return run.state.now.microseconds }
    return try session.query(
      "SELECT MIN(since) FROM ev_ticket WHERE run_key = \(run.state.key) AND task_no = \(task.number)"
    ).first?.optionalInteger(0) ?? run.state.now.microseconds
  }

  /// The task leaves the ready ones, or stays where it queues, with a ticket for each resource that is short now.
  /// What is free is not kept for it: nothing is held in part.
  private func queue(_ task: TaskFact, for short: [(key: Int64, demand: Demand)]) throws {
    var since = run.state.now.microseconds
    if task.status == .ready {
      try session.execute(
        """
        UPDATE ev_task SET status = 'waiting', wait_code = 'resource'
        WHERE run_key = \(run.state.key) AND no = \(task.number)
        """)
    } else {
      let tickets = try session.query(
        "SELECT resource_key, since FROM ev_ticket WHERE run_key = \(run.state.key) AND task_no = \(task.number)"
      )
      if try Set(tickets.map { try $0.integer(0) }) == Set(short.map(\.key)) { return }
      since = try tickets.map { try $0.integer(1) }.min() ?? since
      try session.execute(
        "DELETE FROM ev_ticket WHERE run_key = \(run.state.key) AND task_no = \(task.number)")
    }
    let order = task.ordering(in: run.plan)
    let queue = try session.query(
      "SELECT queue FROM ev_task WHERE run_key = \(run.state.key) AND no = \(task.number)"
    ).first?.optionalText(0)
    try session.insert(
      into: "ev_ticket",
      columns: ["resource_key", "run_key", "task_no", "amount", "ordering", "since", "queue"],
      rows: short.map { key, demand in
        [
          .integer(key), .integer(run.state.key), .integer(task.number), .integer(demand.amount),
          .integer(order), .integer(since), queue.databaseValue,
        ]
      })
  }

  /// The row of a resource, made by whoever needs it first; its capacity follows the newest program that says it.
  private func key(of demand: Demand) throws -> Int64 {
    if let known = keys[demand] { return known }
    let find: SQL = """
      SELECT resource_key, capacity, sensor, sensor_every FROM ev_resource
      WHERE scope = \(demand.scope) AND owner = \(demand.owner) AND name = \(demand.name)
      """
    var rows = try session.query(find)
    if rows.isEmpty {
      _ = try session.insert(
        into: "ev_resource",
        columns: ["scope", "owner", "name", "capacity", "used", "sensor", "sensor_every"],
        rows: [
          [
            .text(demand.scope), .text(demand.owner), .text(demand.name), .integer(demand.capacity),
            .integer(0), try demand.sensor.map { try JSONText.encode($0.command) }.databaseValue,
            (demand.sensor?.every.microseconds).databaseValue,
          ]
        ],
        ignoringConflicts: true)
      rows = try session.query(find)
    }
    guard let row = rows.first else {
      throw StoreError(.conflict, "resource '\(demand.name)' can't be recorded")
    }
    let key = try row.integer(0)
    let sensor = try demand.sensor.map { try JSONText.encode($0.command) }
    let every = demand.sensor?.every.microseconds
    if try row.integer(1) != demand.capacity || row.optionalText(2) != sensor
      || row.optionalInteger(3) != every
    {
      // What another command said of it says nothing of this one.
      try session.execute(
        """
        UPDATE ev_resource SET capacity = \(demand.capacity), sensor = \(sensor), sensor_every = \(every),
          sensor_at = NULL, sensor_free = NULL, sensor_due = NULL
        WHERE resource_key = \(key)
        """)
    }
    keys[demand] = key
    return key
  }
}
