public import Database
public import Engine
import Model

/// The step engine's store on any of the three databases.
public final class SQLStore: RunStore {
  let pool: Pool
  /// By the key of their program version, which never changes.
  let plans = BoundedCache<Int64, Plan>(capacity: 64)
  /// Runs by their id, as this process last saw them.
  let runs = BoundedCache<String, KnownRun>(capacity: 4096)
  /// What loops over lists go over, so that a claim does not decode the whole list for one item.
  let items = BoundedCache<RunRow, [JSONValue]>(capacity: 16)
  /// Results that are not short, so that a list over which a loop goes is not decoded for each of its tasks; they weigh
  /// about as many bytes as they take. A step may leave 1 MiB.
  let results = BoundedCache<RunRow, JSONValue>(capacity: 20 << 20)
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

  /// What the transaction under way leads to. A session's transaction runs on one thread from its first
  /// statement to its last, and a task-local value follows it there.
  @TaskLocal static var afterCommit: AfterCommit?

  /// The migrations of this schema, for `db sql` and `db status`.
  public static let migrator = Migrator(migrations: Schema.migrations)

  /// Brings the schema up to date.
  ///
  /// - Throws: ``DatabaseError``, among others `tooNew` when a later version of this program made the schema.
  public func migrate() async throws {
    _ = try await pool.run { session in try Self.migrator.migrate(session) }
  }

  func write<T: Sendable>(_ body: @escaping @Sendable (any Session) throws -> T) async throws -> T {
    let after = AfterCommit()
    let value = try await pool.transaction(.write) { session in
      after.reset()
      return try Self.$afterCommit.withValue(after) { try body(session) }
    }
    let addresses = after.addresses
    if !addresses.isEmpty { caller?.ring(addresses) }
    for queue in after.queues { queues.note(queue) }
    return value
  }

  func read<T: Sendable>(_ body: @escaping @Sendable (any Session) throws -> T) async throws -> T {
    try await pool.transaction(.read, body)
  }

  /// Closes every connection.
  public func close() async { await pool.close() }
}

/// A row that a run has. Its number is not used twice, but by a database that was put back to an earlier time: so the
/// moment belongs to it.
struct RunRow: Hashable, Sendable {
  let run: Int64
  let number: Int64
  /// When it came to be as it is.
  let at: Int64
}
