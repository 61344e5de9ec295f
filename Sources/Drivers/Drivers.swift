public import Database

/// The drivers of the three databases.
public enum Drivers {
  /// The driver for the store's kind.
  public static func driver(for url: StoreURL) -> any Driver {
    switch url.kind {
    case .sqlite: SQLiteDriver()
    case .postgresql: PostgresDriver()
    case .mysql: MySQLDriver()
    }
  }
}
