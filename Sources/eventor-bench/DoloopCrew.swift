import Database
import Foundation

/// Processes in which doloop 1.0.0 turns a loop with PyMySQL.
struct DoloopCrew {
  /// Connects, says so, waits to be told, and works until nothing is left. The connection comes on standard input.
  private static let script = """
    from json import loads; from sys import stdin, stdout; doloop, pymysql = map(__import__, ["doloop", "pymysql"])
    given = loads(stdin.readline())
    connection = pymysql.connect(charset="utf8mb4", **given["connection"])
    stdout.write("ready\\n"); stdout.flush()
    stdin.readline()
    count = 0
    while True:
        ids = doloop.get(connection, given["table"], given["batch"])
        if not ids:
            break
        doloop.did(connection, given["table"], ids)
        count += len(ids)
    stdout.write(f"{count}\\n"); stdout.flush()
    """

  private struct Given: Encodable {
    struct Connection: Encodable {
      let host: String
      let port: Int
      let user: String
      let password: String
      let database: String
    }

    let connection: Connection
    let table: String
    let batch: Int
  }

  private struct Member {
    let process: Process
    let input: FileHandle
    let output: FileHandle
  }

  private let members: [Member]

  init(python: String, url: StoreURL, table: String, workers: Int, batch: Int) throws {
    let given = Given(
      connection: .init(
        host: url.host ?? "127.0.0.1", port: url.port ?? 3306, user: url.user ?? "",
        password: url.password ?? "",
        database: url.database ?? ""),
      table: table, batch: batch)
    let line = try JSONEncoder().encode(given) + Data("\n".utf8)
    members = try (0..<workers).map { _ in
      let process = Process()
      let (input, output) = (Pipe(), Pipe())
      process.executableURL = URL(fileURLWithPath: python)
      process.arguments = ["-c", Self.script]
      process.standardInput = input
      process.standardOutput = output
      try process.run()
      try input.fileHandleForWriting.write(contentsOf: line)
      return Member(
        process: process, input: input.fileHandleForWriting, output: output.fileHandleForReading)
    }
    for member in members { _ = try Self.line(member) }
  }

  /// Lets all begin at once; the seconds until the last is through, and how many ids they had together.
  func work() throws -> (seconds: Double, total: Int) {
    let started = ContinuousClock.now
    for member in members { try member.input.write(contentsOf: Data("go\n".utf8)) }
    var total = 0
    for member in members {
      guard let count = Int(try Self.line(member)) else {
        throw Wrong("doloop said no number")
      }
      total += count
    }
    let seconds = (ContinuousClock.now - started) / .seconds(1)
    for member in members { member.process.waitUntilExit() }
    return (seconds, total)
  }

  private static func line(_ member: Member) throws -> String {
    var text = Data()
    while let byte = try member.output.read(upToCount: 1), byte != Data("\n".utf8) {
      guard !byte.isEmpty else { break }
      text += byte
    }
    guard !text.isEmpty else {
      throw Wrong("a Python worker ended early; its error is above")
    }
    return String(decoding: text, as: UTF8.self)
  }
}
