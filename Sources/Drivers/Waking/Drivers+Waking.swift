public import Database

extension Drivers {
  /// A listener for wake-ups of one agent on the store at `url`; nil for a database in memory, which no other process
  /// shares.
  ///
  /// `name` is for debuggers: it becomes the thread's, of which the kernel keeps 15 bytes.
  public static func wakeListener(for url: StoreURL, name: String) -> (any WakeListener)? {
    switch url.kind {
    case .sqlite where url.isMemory: nil
    case .sqlite: ThreadListener(name: name) { (address) throws(DatabaseError) in try SocketEar(address) }
    case .postgresql:
      ThreadListener(name: name) { (address) throws(DatabaseError) in try PostgresEar(url, address) }
    case .mysql: ThreadListener(name: name) { (address) throws(DatabaseError) in try MySQLEar(url, address) }
    }
  }

  /// Wakes listeners of the store at `url`.
  ///
  /// With `pool` it rings through one of its connections, which is enough for a command that rings once. Without, it
  /// has a connection of its own from the first ring on, so that rings of an agent don't wait for its transactions.
  public static func wakeCaller(for url: StoreURL, pool: Pool?) -> any WakeCaller {
    let bell: any Bell
    switch url.kind {
    case .sqlite: return SocketCaller()
    case .postgresql: bell = PostgresBell()
    case .mysql: bell = MySQLBell()
    }
    return QueueingCaller(
      bell, pool ?? Pool(url: url, driver: driver(for: url), size: 1), ownsPool: pool == nil)
  }
}
