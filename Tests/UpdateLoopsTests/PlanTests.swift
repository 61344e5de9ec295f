import Database
import TestSupport
import Testing

@testable import UpdateLoops

@Suite("get never reads a table through")
struct PlanTests {
  /// What a loop of many ids may look like.
  enum Shape: String, CaseIterable, Sendable {
    case neverUpdated, updatedJustNow, updatedLongAgo, nearlyAllLocked, nearlyAllExpired, mixed

    func entry(_ number: Int) -> World.Entry {
      let id = LoopID.integer(Int64(number))
      let isRare = number.isMultiple(of: 997)
      switch self {
      case .neverUpdated: return .init(id: id)
      case .updatedJustNow: return .init(id: id, updated: -(number % 1000))
      case .updatedLongAgo: return .init(id: id, updated: -4000 - number)
      case .nearlyAllLocked: return .init(id: id, updated: isRare ? nil : -9000, lock: isRare ? nil : 9000)
      case .nearlyAllExpired: return .init(id: id, updated: -9000, lock: isRare ? nil : -number)
      case .mixed:
        let parts: [(Int?, Int?)] = [(nil, nil), (-9000, nil), (-10, nil), (-9000, -10), (nil, 800)]
        return .init(id: id, updated: parts[number % 5].0, lock: parts[number % 5].1)
      }
    }
  }

  @Test("whatever the loop looks like, with statistics and without", arguments: TestStore.all, Shape.allCases)
  func plans(kind: TestStore.Kind, shape: Shape) async throws {
    try await World.with(kind) { world in
      try await world.put((1...6000).map(shape.entry))
      for isAnalyzed in [false, true] {
        if isAnalyzed { try await world.pool.run { try $0.executeScript(Self.analysis($0.dialect)) } }
        let faults = try await world.pool.transaction(.write) { session in
          let table = try LoopCatalog(session: session).table("a_loop")
          try Take.keepToTheIndex(session)
          return try Self.statements(of: table, session.dialect).flatMap { try Self.faults(of: $0, session) }
        }
        #expect(faults.isEmpty, "\(isAnalyzed ? "analyzed" : "as filled"): \(faults.joined(separator: "\n"))")
      }
    }
  }

  @Test("the guard finds what no index serves", arguments: TestStore.all)
  func guardFinds(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      try await world.put((1...6000).map(Shape.mixed.entry))
      let statements: [SQL] = [
        "SELECT id FROM a_loop WHERE last_updated < 5",
        "UPDATE a_loop SET lock_until = 1 WHERE last_updated = 5",
        "SELECT id FROM a_loop WHERE lock_until IS NULL ORDER BY id + 1 LIMIT 5",
      ]
      for sql in statements {
        let faults = try await world.pool.transaction(.write) { session in
          try Take.keepToTheIndex(session)
          return try Self.faults(of: sql, session)
        }
        #expect(!faults.isEmpty, "\(sql.text)")
      }
    }
  }

  private static func analysis(_ dialect: Dialect) -> String {
    switch dialect.kind {
    case .sqlite: "ANALYZE"
    case .postgresql: "VACUUM ANALYZE a_loop"
    case .mysql: "ANALYZE TABLE a_loop"
    }
  }

  /// Everything a worker does again and again.
  private static func statements(of table: LoopTable, _ dialect: Dialect) throws -> [SQL] {
    var statements: [SQL] = []
    for limit in [1, 100, 1000] {
      let take = try Take(from: table, limit, lockFor: .seconds(60), minLoopTime: .seconds(3600))
      for queue in Take.Queue.inOrder(dialect) {
        let sql = take.select(from: queue, limit, dialect)
        statements += [sql, "\(sql)\(raw: dialect.forUpdateSkipLocked)"]
      }
      if dialect.kind == .mysql { statements.append(Take.Queue.both(limit, take, dialect)) }
    }
    let clock = LoopClock(dialect: dialect)
    for count in [1, 100] {
      let some = LoopIDs(ids(1...count))
      let list = some.lists[0]
      statements.append("UPDATE a_loop SET lock_until = \(clock.after(60)) WHERE id IN \(list: list)")
      for kind in [Marking.Kind.did, .unlock, .bump(seconds: 60)] {
        let marking = Marking(table: table, ids: some, kind: kind, autoAdd: true)
        statements.append(marking.statement(for: list, dialect))
      }
      statements.append(UpdateLoop.checkStatement(table, list, dialect))
      if dialect.kind == .mysql {
        let take = try Take(from: table, count, lockFor: .seconds(60), minLoopTime: .seconds(3600))
        statements.append(take.lockStatement("PRIMARY", list, dialect))
      }
    }
    return statements
  }

  /// Lines of the plan that read or sort more than is asked for.
  private static func faults(of sql: SQL, _ session: any Session) throws -> [String] {
    let prefix = session.dialect.kind == .sqlite ? "EXPLAIN QUERY PLAN " : "EXPLAIN "
    let rows = try session.query(SQL(text: prefix + sql.text, values: sql.values))
    switch session.dialect.kind {
    case .sqlite:
      let lines = try rows.map { try $0.text(3) }
      return lines.filter { $0.hasPrefix("SCAN") || $0.contains("TEMP B-TREE") }.map { "\($0): \(sql.text)" }
    case .postgresql:
      let lines = try rows.map { try $0.text(0) }
      // A condition on the second column alone bounds nothing.
      let isBounded = lines.contains { $0.contains(/Index Cond: \(\(*(lock_until|id)\b/) }
      let bad = lines.filter { $0.contains("Seq Scan") || $0.contains("Sort") }
      return (isBounded ? bad : bad + lines.prefix(3)).map { "\($0): \(sql.text)" }
    case .mysql:
      return try rows.compactMap { row in
        // Nothing to read is told without a table.
        guard let type = try row.optionalText(3) else { return nil }
        // What a UNION has gathered is read through: no more than was asked for.
        if try row.optionalText(2)?.hasPrefix("<union") == true { return nil }
        let extra = try row.optionalText(row.count - 1) ?? ""
        let isBad = type == "ALL" || type == "index" || extra.contains("filesort")
        return isBad ? "\(type) \(extra): \(sql.text)" : nil
      }
    }
  }
}
