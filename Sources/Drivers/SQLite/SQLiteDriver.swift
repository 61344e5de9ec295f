import CSQLite
public import Database
import Glibc

/// Opens SQLite files in WAL mode, or memory databases.
///
/// Options of the URL: `synchronous=full|normal` (normal: a power cut can lose the last commits, but never
/// damages the file; `off` is refused), `busy_timeout=MILLISECONDS`.
public struct SQLiteDriver: Driver {
  /// A driver without settings of its own.
  public init() {}

  /// Opens the file, which it makes if it is missing. Throws `.unreachable` without its directory, `.corrupt`
  /// for another kind of file, `.unsupported` on network file systems, `.refused`, `.diskFull`, `.badURL`.
  public func open(_ url: StoreURL) throws(DatabaseError) -> any Session {
    let options = try Options(url)
    let path = url.path ?? ""
    if !url.isMemory { try checkPlace(path) }
    var pointer: OpaquePointer?
    // One thread uses the connection, so SQLite's own mutexes would only cost.
    let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE
    let code = sqlite3_open_v2(path, &pointer, flags, nil)
    guard let pointer else {
      throw DatabaseError.sqlite(code, detail: "out of memory", path: path)
    }
    let connection = SQLiteConnection(pointer, busyTimeout: options.busyTimeout)
    guard code == SQLITE_OK else { throw openError(code, pointer, path) }
    guard connection.installBusyHandler() == SQLITE_OK, connection.installClock() == SQLITE_OK else {
      throw DatabaseError.sqlite(
        sqlite3_extended_errcode(pointer), detail: String(cString: sqlite3_errmsg(pointer)), path: path)
    }
    let session = SQLiteSession(connection, path: path)
    try session.configure(synchronous: options.synchronous, isMemory: url.isMemory)
    return session
  }

  private struct Options {
    var synchronous = "NORMAL"
    var busyTimeout = 5000

    init(_ url: StoreURL) throws(DatabaseError) {
      for (key, value) in url.options {
        switch (key, value.lowercased()) {
        case ("synchronous", "full"), ("synchronous", "normal"): synchronous = value.uppercased()
        case ("synchronous", _):
          throw badOption(
            "synchronous must be full or normal", "off would lose committed work in a power cut")
        case ("busy_timeout", _):
          guard let milliseconds = Int(value), (0...600_000).contains(milliseconds) else {
            throw badOption("busy_timeout must be milliseconds from 0 to 600000", "")
          }
          busyTimeout = milliseconds
        default: throw badOption("unknown option \(key)", "SQLite stores know synchronous and busy_timeout")
        }
      }
    }

    private func badOption(_ message: String, _ hint: String) -> DatabaseError {
      DatabaseError(.badURL, code: "option", message: "the store's options: \(message)", hint: hint)
    }
  }

  /// Refuses what SQLite would fail on later and less clearly, and makes a new file with mode 0600.
  private func checkPlace(_ path: String) throws(DatabaseError) {
    let directory = Self.directory(of: path)
    var info = stat()
    guard stat(directory, &info) == 0, info.st_mode & S_IFMT == S_IFDIR else {
      throw DatabaseError(
        .unreachable, code: "ENOENT", message: "the directory \(directory) of the store does not exist",
        hint: "make it with `mkdir -p`")
    }
    if let system = NetworkFileSystem.name(at: directory) {
      throw DatabaseError(
        .unsupported, code: "statfs",
        message: "\(path) is on a network file system (\(system)), where SQLite's locks fail",
        hint: "use a local disk, or a PostgreSQL or MySQL store for several hosts")
    }
    // SQLite gives its -wal and -shm files the mode of the database.
    let file = Glibc.open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    if file >= 0 {
      Glibc.close(file)
      return
    }
    guard stat(path, &info) == 0 else {
      throw DatabaseError(
        errno == ENOSPC ? .diskFull : .refused, code: "errno \(errno)",
        message: "\(path) can't be made: \(String(cString: strerror(errno)))",
        hint: "check the owner and mode of its directory")
    }
    guard info.st_mode & S_IFMT == S_IFREG else {
      throw DatabaseError(.unreachable, code: "EISDIR", message: "\(path) is not a file")
    }
    guard access(path, R_OK) == 0 else {
      throw DatabaseError(
        .refused, code: "EACCES", message: "\(path) may not be read",
        hint: "check the owner and mode of the file")
    }
  }

  private func openError(_ code: Int32, _ pointer: OpaquePointer, _ path: String) -> DatabaseError {
    DatabaseError.sqlite(
      code, detail: String(cString: sqlite3_errmsg(pointer)), systemError: sqlite3_system_errno(pointer),
      path: path)
  }

  private static func directory(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }
}
