import Database
import Foundation

/// PostgreSQL's own benchmark program, as a second opinion beside our loop in C.
struct Pgbench {
  private let path: String
  private let own: OwnStore

  /// Nil where it is not installed.
  init?(_ own: OwnStore) throws {
    let directories =
      (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin").split(separator: ":").map(String.init)
    let paths = directories.map { $0 + "/pgbench" }
    guard let path = paths.first(where: { FileManager.default.isExecutableFile(atPath: $0) }) else {
      return nil
    }
    self.path = path
    self.own = own
  }

  /// Transactions a second of a script that each of `clients` runs `transactions` times.
  func run(_ script: String, clients: Int, transactions: Int) async throws -> Double {
    let file = own.directory + "/floor.sql"
    let output = own.directory + "/pgbench.out"
    try Data(script.utf8).write(to: URL(fileURLWithPath: file))
    guard FileManager.default.createFile(atPath: output, contents: nil),
      let handle = FileHandle(forWritingAtPath: output)
    else { throw Wrong("\(output) can't be made") }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: path)
    process.arguments = [
      "-n", "-M", "prepared", "-c", "\(clients)", "-j", "\(clients)", "-t", "\(transactions)", "-f", file,
    ]
    process.environment = environment
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = handle
    process.standardError = handle
    try process.run()
    try handle.close()
    defer { if process.isRunning { process.terminate() } }
    while process.isRunning { try await Task.sleep(for: .milliseconds(10)) }
    let text = String(decoding: FileManager.default.contents(atPath: output) ?? Data(), as: UTF8.self)
    guard process.terminationStatus == 0,
      let rate = text.firstMatch(of: /tps = ([0-9.]+)/).flatMap({ Double($0.output.1) })
    else {
      throw Wrong(
        "pgbench failed: \(text.split(whereSeparator: \.isNewline).suffix(2).joined(separator: " "))")
    }
    return rate
  }

  /// The server by libpq's variables, so that the password is not among the arguments.
  private var environment: [String: String] {
    let url = own.url
    var environment = own.environment
    environment["LC_ALL"] = "C"
    environment["PGHOST"] = url.host
    environment["PGPORT"] = url.port.map(String.init)
    environment["PGUSER"] = url.user
    environment["PGPASSWORD"] = url.password
    environment["PGDATABASE"] = url.database
    environment["PGSSLMODE"] = url.options["sslmode"]
    if let schema = url.options["schema"] { environment["PGOPTIONS"] = "-c search_path=\(schema)" }
    return environment
  }
}
