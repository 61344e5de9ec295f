import Database
import Foundation
import UpdateLoops

/// doloop 1.0.0 in a Python process, asked over its standard input and output: one JSON document a line.
///
/// Used by one task at a time; blocks while Python works.
final class DoloopPeer {
  /// Why there is none.
  struct Missing: Error, CustomStringConvertible {
    let description: String
  }

  private static let script = """
    import json, sys
    import doloop, pymysql
    connection = pymysql.connect(charset="utf8mb4", **json.loads(sys.stdin.readline()))
    def turn(table, batch):
        "Gets batches and marks them until nothing is left; says which, in order."
        batches = []
        while True:
            ids = doloop.get(connection, table, batch)
            if not ids:
                return batches
            batches.append(ids)
            doloop.did(connection, table, ids)
    for line in sys.stdin:
        call = json.loads(line)
        if "now" in call:
            connection.cursor().execute("SET timestamp = %s", [call["now"]])
        function = turn if call["verb"] == "turn" else None
        if function:
            answer = turn(*call["arguments"])
        else:
            answer = getattr(doloop, call["verb"])(connection, *call["arguments"], **call["options"])
        if call["verb"] == "check":
            answer = [[key, *value] for key, value in sorted(answer.items())]
        print(json.dumps(answer), flush=True)
    """

  /// What doloop is told.
  struct Call: Encodable {
    /// What an argument may be.
    enum Argument: Encodable {
      case text(String)
      case number(Int64)
      case ids([LoopID])

      func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .text(let text): try container.encode(text)
        case .number(let number): try container.encode(number)
        case .ids(let ids):
          var list = encoder.unkeyedContainer()
          for id in ids {
            if case .integer(let number) = id {
              try list.encode(number)
            } else {
              try list.encode(id.description)
            }
          }
        }
      }
    }

    let verb: String
    let arguments: [Argument]
    var options: [String: Int] = [:]
    /// The time it is to be for the database, where the test sets the clock.
    var now: Int?
  }

  private let process = Process()
  private let input = Pipe()
  private let output = Pipe()

  /// A Python process connected to the database at `url`.
  init(_ url: StoreURL) throws {
    process.executableURL = URL(fileURLWithPath: try Self.python())
    process.arguments = ["-c", Self.script]
    process.standardInput = input
    process.standardOutput = output
    try process.run()
    let connection: [String: JSONScalar] = [
      "host": .text(url.host ?? "127.0.0.1"), "port": .number(url.port ?? 3306),
      "user": .text(url.user ?? ""),
      "password": .text(url.password ?? ""), "database": .text(url.database ?? ""),
    ]
    try send(connection)
  }

  deinit {
    try? input.fileHandleForWriting.close()
    process.waitUntilExit()
  }

  /// Calls a function of doloop and reads what it returned.
  func call<Answer: Decodable>(_ call: Call, as type: Answer.Type = Answer.self) throws -> Answer {
    try send(call)
    return try JSONDecoder().decode(Answer.self, from: try line())
  }

  private func send(_ value: some Encodable) throws {
    try input.fileHandleForWriting.write(contentsOf: JSONEncoder().encode(value) + Data("\n".utf8))
  }

  private func line() throws -> Data {
    var line = Data()
    while let byte = try output.fileHandleForReading.read(upToCount: 1), let first = byte.first {
      if first == 0x0a { return line }
      line.append(first)
    }
    throw Missing(description: "Python ended; its error is above")
  }

  private static func python() throws -> String {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let path = root.appendingPathComponent(".build/doloop/bin/python").path
    guard FileManager.default.isExecutableFile(atPath: path) else {
      throw Missing(description: "run scripts/doloop-python first: it installs doloop for these tests")
    }
    return path
  }

  private enum JSONScalar: Encodable {
    case text(String)
    case number(Int)

    func encode(to encoder: any Encoder) throws {
      var container = encoder.singleValueContainer()
      switch self {
      case .text(let text): try container.encode(text)
      case .number(let number): try container.encode(number)
      }
    }
  }
}
