import Database
import Model

/// What tasks hold of resources and limits. `ev_resource.used` is the sum of `ev_hold.amount`, changed with it.
struct Holds {
  let session: any Session
  let run: Int64

  /// The number under which a run keeps what its ended tasks did not give back.
  static let keptByRun: Int64 = 0

  /// A task's end gives back `named`, or everything if that is nil; the rest is kept for a later step. Names it
  /// does not hold itself are taken from what the run keeps. Limits are always given back.
  func release(task: Int64, _ named: [String: Int]?) throws {
    let own = try holds(of: task)
    guard let named else {
      for hold in own { try giveBack(hold, hold.amount) }
      return
    }
    var wanted = named
    for hold in own {
      let given = hold.isLimit ? hold.amount : min(hold.amount, Int64(wanted[hold.name] ?? 0))
      if !hold.isLimit { wanted[hold.name, default: 0] -= Int(given) }
      try giveBack(hold, given)
      if given < hold.amount { try keep(hold, hold.amount - given) }
    }
    guard wanted.values.contains(where: { $0 > 0 }) else { return }
    for hold in try holds(of: Self.keptByRun) {
      let given = min(hold.amount, Int64(wanted[hold.name] ?? 0))
      if given > 0 { try giveBack(hold, given) }
    }
  }

  /// The run is over: nothing of it holds anything any more, and resources of its own are gone, so that looking
  /// for free ones does not cost more with every run that has been.
  func releaseEverything(of id: String) throws {
    for row in try session.query(
      "SELECT resource_key, SUM(amount) FROM ev_hold WHERE run_key = \(run) GROUP BY resource_key ORDER BY resource_key"
    ) {
      try session.execute(
        "UPDATE ev_resource SET used = used - \(try row.integer(1)) WHERE resource_key = \(try row.integer(0))"
      )
    }
    try session.execute("DELETE FROM ev_hold WHERE run_key = \(run)")
    try session.execute(
      "DELETE FROM ev_resource WHERE scope IN ('program', \(Demand.runLimit)) AND owner = \(id)")
  }

  /// A task takes `amount` of a resource.
  ///
  /// What its sensor has said is lessened too, until it is asked again and has seen the taking itself.
  func take(_ resource: Int64, task: Int64, amount: Int64) throws {
    try session.execute(
      """
      UPDATE ev_resource SET used = used + \(amount), sensor_free = sensor_free - \(amount)
      WHERE resource_key = \(resource)
      """)
    try session.execute(
      """
      INSERT INTO ev_hold (resource_key, run_key, task_no, amount) VALUES (\(resource), \(run), \(task), \(amount))
      """)
  }

  private struct Hold {
    let resource: Int64
    let task: Int64
    let name: String
    let isLimit: Bool
    let amount: Int64
  }

  private func holds(of task: Int64) throws -> [Hold] {
    try session.query(
      """
      SELECT h.resource_key, h.amount, r.name, r.scope FROM ev_hold h
      JOIN ev_resource r ON r.resource_key = h.resource_key
      WHERE h.run_key = \(run) AND h.task_no = \(task) ORDER BY h.resource_key
      """
    ).map { row in
      Hold(
        resource: try row.integer(0), task: task, name: try row.text(2),
        isLimit: Demand.isLimit(scope: try row.text(3)), amount: try row.integer(1))
    }
  }

  private func giveBack(_ hold: Hold, _ amount: Int64) throws {
    guard amount > 0 else { return }
    try session.execute(
      "UPDATE ev_resource SET used = used - \(amount) WHERE resource_key = \(hold.resource)")
    if amount == hold.amount {
      try session.execute(
        """
        DELETE FROM ev_hold WHERE resource_key = \(hold.resource) AND run_key = \(run) AND task_no = \(hold.task)
        """)
    } else {
      try session.execute(
        """
        UPDATE ev_hold SET amount = amount - \(amount)
        WHERE resource_key = \(hold.resource) AND run_key = \(run) AND task_no = \(hold.task)
        """)
    }
  }

  private func keep(_ hold: Hold, _ amount: Int64) throws {
    try session.execute(
      "DELETE FROM ev_hold WHERE resource_key = \(hold.resource) AND run_key = \(run) AND task_no = \(hold.task)"
    )
    let kept = try session.execute(
      """
      UPDATE ev_hold SET amount = amount + \(amount)
      WHERE resource_key = \(hold.resource) AND run_key = \(run) AND task_no = \(Self.keptByRun)
      """)
    guard kept == 0 else { return }
    try session.execute(
      """
      INSERT INTO ev_hold (resource_key, run_key, task_no, amount)
      VALUES (\(hold.resource), \(run), \(Self.keptByRun), \(amount))
      """)
  }
}

/// Something a task must hold before it starts: a resource, or a place under a limit.
struct Demand: Hashable {
  let scope: String
  let owner: String
  let name: String
  let amount: Int64
  let capacity: Int64
  var sensor: Program.Sensor?

  static let runLimit = "run-limit"
  private static let groupLimit = "group-limit"

  static func isLimit(scope: String) -> Bool { scope == runLimit || scope == groupLimit }
  var isLimit: Bool { Self.isLimit(scope: scope) }

  /// What `step` demands when it runs on `host`, in an order that is the same for everybody.
  static func of(_ step: Plan.Step, _ plan: Plan, run: String, host: String) -> [Demand] {
    var demands: [Demand] = []
    let program = plan.program
    for (name, amount) in step.definition.acquires.sorted(by: { $0.key < $1.key }) {
      guard let resource = program.resources.first(where: { $0.name == name }) else { continue }
      let owner =
        switch resource.scope {
        case .program: run
        case .host: host
        case .cluster: ""
        }
      demands.append(
        Demand(
          scope: resource.scope.rawValue, owner: owner, name: name, amount: Int64(amount),
          capacity: Int64(resource.capacity), sensor: resource.sensing))
    }
    if let group = step.definition.group, step.groupLimit > 0 {
      demands.append(
        Demand(
          scope: groupLimit, owner: program.name, name: group, amount: 1, capacity: Int64(step.groupLimit)))
    }
    if program.config.maxConcurrent > 0 {
      demands.append(
        Demand(
          scope: runLimit, owner: run, name: "*", amount: 1, capacity: Int64(program.config.maxConcurrent)))
    }
    return demands
  }
}
