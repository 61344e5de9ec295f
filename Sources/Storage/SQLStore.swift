public import Database
public import Engine
import Model
import Synchronization

/// The step engine's store on any of the three databases.
public final class SQLStore: RunStore {
  let pool: Pool
  let plans = PlanCache()
  let runs = RunCache()
  let items = ItemCache()
  let results = ResultCache()
  let queues = QueueCache()
  let waiting = Waiters()
  let unfitSchedules = UnfitSchedules()
  /// Wakes agents once a transaction that gives them something to do is committed; nil: they find it by themselves.
  let caller: (any WakeCaller)?
  /// Whether the process of an agent is certainly gone, as far as that is known here.
  let isGone: @Sendable (AgentIdentity) -> Bool

  /// A store behind `pool`, whose schema ``migrate()`` has brought up to date.
  public init(
    pool: Pool, caller: (any WakeCaller)? = nil,
    isGone: @escaping @Sendable (AgentIdentity) -> Bool = { _ in false }
  ) {
    self.pool = pool
    self.caller = caller
    self.isGone = isGone
  }

  /// Whom the transaction under way gives something to do. A session's transaction runs on one thread from its first
  /// statement to its last, and a task-local value follows it there.
  @TaskLocal static var bells: Bells?

  /// The migrations of this schema, for `db sql` and `db status`.
  public static let migrator = Migrator(migrations: Schema.migrations)

  /// Brings the schema up to date.
  ///
  /// - Throws: ``DatabaseError``, among others `tooNew` when a later version of this program made the schema.
  public func migrate() async throws {
    _ = try await pool.run { session in try Self.migrator.migrate(session) }
  }

  func write<T: Sendable>(_ body: @escaping @Sendable (any Session) throws -> T) async throws -> T {
    guard let caller else { return try await pool.transaction(.write, body) }
    let bells = Bells()
    let value = try await pool.transaction(.write) { session in
      bells.reset()
      return try Self.$bells.withValue(bells) { try body(session) }
    }
    let addresses = bells.addresses
    if !addresses.isEmpty { caller.ring(addresses) }
    return value
  }

  func read<T: Sendable>(_ body: @escaping @Sendable (any Session) throws -> T) async throws -> T {
    try await pool.transaction(.read, body)
  }

  /// Closes every connection.
  public func close() async { await pool.close() }
}

/// Plans by the key of their program version. A version never changes, so an entry is never stale.
final class PlanCache: Sendable {
  private static let capacity = 64
  private let plans = Mutex<[Int64: Plan]>([:])

  func plan(_ key: Int64, else make: () throws -> Plan) rethrows -> Plan {
    if let plan = plans.withLock({ $0[key] }) { return plan }
    let plan = try make()
    plans.withLock { cache in
      if cache.count >= Self.capacity { cache.removeAll() }
      cache[key] = plan
    }
    return plan
  }
}

/// Items of loops over lists, so that a claim does not decode the whole list for one item.
final class ItemCache: Sendable {
  struct Key: Hashable {
    let run: Int64
    let loop: Int64
  }
  private static let capacity = 16
  private let lists = Mutex<[Key: [JSONValue]]>([:])

  func items(_ key: Key, else make: () throws -> [JSONValue]) rethrows -> [JSONValue] {
    if let list = lists.withLock({ $0[key] }) { return list }
    let list = try make()
    lists.withLock { cache in
      if cache.count >= Self.capacity { cache.removeAll() }
      cache[key] = list
    }
    return list
  }
}
