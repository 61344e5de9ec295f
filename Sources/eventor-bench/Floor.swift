import CFloor
import Database
import Drivers
import Glibc
import Runtime

/// A bare connection: statements go to the C client in a loop in C, on a thread of its own.
///
/// Unchecked because of the pointer: after `init` only jobs of ``worker`` use it, which does one at a time, and
/// `deinit`, which nobody else can be there for.
final class Floor: @unchecked Sendable {
  /// A statement that was made known to the connection.
  struct Statement: Sendable {
    fileprivate let number: Int32
  }

  private let pointer: OpaquePointer
  private let worker = SerialWorker(name: "floor")

  /// Connects to the store at `url` as the program's driver does.
  static func open(_ url: StoreURL) async throws -> Floor {
    try await SerialWorker(name: "floor.open").run { try Floor(url) }
  }

  private init(_ url: StoreURL) throws {
    pointer =
      switch url.kind {
      case .sqlite:
        evf_open_sqlite(url.path ?? "", url.options["synchronous"]?.lowercased() == "full" ? 1 : 0)
      case .postgresql: FloorPlace.openPostgreSQL(url)
      case .mysql: FloorPlace.openMySQL(url)
      }
    if let text = evf_error(pointer) { throw Wrong("the floor can't connect: \(String(cString: text))") }
    if url.kind == .postgresql, let schema = url.options["schema"], SQL.isIdentifier(schema) {
      // As our sessions have it: plans are part of what statements cost.
      try check(
        evf_script(
          pointer,
          "SET search_path = \"\(schema)\"; SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET jit = off"
        ))
    }
  }

  deinit { evf_close(pointer) }

  /// Runs text without values.
  func script(_ text: String) async throws {
    try await worker.run { try self.check(evf_script(self.pointer, text)) }
  }

  /// Prepares a statement without values.
  func prepare(_ text: String) async throws -> Statement {
    try await worker.run { Statement(number: try self.prepare(text, isPlain: false)) }
  }

  /// Seconds that all of a transcript took. What it needs is prepared before.
  func replay(_ transcript: Transcript) async throws -> Double {
    try await worker.run {
      var numbers: [Int32] = []
      for statement in transcript.statements {
        numbers.append(try self.prepare(statement.text, isPlain: statement.isPlain))
      }
      let calls = FloorCalls(transcript, numbers: numbers)
      let began = ContinuousClock.now
      try self.check(calls.replay(on: self.pointer))
      return (ContinuousClock.now - began) / .seconds(1)
    }
  }

  /// Milliseconds of each of `count` executions of a statement.
  func time(_ statement: Statement, times count: Int) async throws -> [Double] {
    try await worker.run {
      let calls = Array(repeating: evf_call(statement: statement.number, count: 0, first: 0), count: count)
      var nanoseconds = [Int64](repeating: 0, count: count)
      try self.check(evf_replay(self.pointer, calls, count, nil, &nanoseconds))
      return nanoseconds.map { Double($0) / 1e6 }
    }
  }

  /// Works at a queue until nothing is left; how many it completed.
  func work(claim: Statement, complete: Statement) async throws -> Int {
    try await worker.run {
      var changed: Int64 = 0
      try self.check(evf_work(self.pointer, claim.number, complete.number, &changed))
      return Int(changed)
    }
  }

  private func prepare(_ text: String, isPlain: Bool) throws -> Int32 {
    let number = evf_prepare(pointer, text, isPlain ? 1 : 0)
    guard number >= 0 else { throw failure }
    return number
  }

  private func check(_ outcome: Int32) throws {
    switch evf_outcome(UInt32(outcome)) {
    case EVF_DONE: return
    case EVF_STOPPED: throw CancellationError()
    default: throw failure
    }
  }

  private var failure: Wrong {
    Wrong("the floor's statement failed: \(evf_error(pointer).map { String(cString: $0) } ?? "")")
  }
}

/// Where the servers are, in the words of their clients.
private enum FloorPlace {
  static func openPostgreSQL(_ url: StoreURL) -> OpaquePointer {
    var settings = url.options.filter { $0.key != "schema" }
    settings["client_encoding"] = "UTF8"
    settings["application_name"] = "eventor-bench floor"
    settings["user"] = url.user
    settings["password"] = url.password
    settings["dbname"] = url.database
    settings["host"] = url.host
    settings["port"] = url.port.map(String.init)
    let keys = settings.keys.sorted()
    let (keywords, values) = (keys.map { strdup($0) }, keys.map { strdup(settings[$0] ?? "") })
    defer { for text in keywords + values { free(text) } }
    return evf_open_postgresql(
      keywords.map { UnsafePointer($0) } + [nil], values.map { UnsafePointer($0) } + [nil])
  }

  static func openMySQL(_ url: StoreURL) -> OpaquePointer {
    let mode = url.options["ssl-mode"]?.uppercased() ?? "PREFERRED"
    var place = evf_mysql_place()
    var copies: [UnsafeMutablePointer<CChar>] = []
    defer { for copy in copies { free(copy) } }
    func copy(_ text: String?) -> UnsafePointer<CChar>? {
      guard let text, let copy = strdup(text) else { return nil }
      copies.append(copy)
      return UnsafePointer(copy)
    }
    let isSocket = url.host?.hasPrefix("/") == true
    place.host = copy(isSocket ? nil : url.host)
    place.socket = copy(url.options["socket"] ?? (isSocket ? url.host : nil))
    place.user = copy(url.user)
    place.password = copy(url.password)
    place.database = copy(url.database)
    place.port = UInt32(url.port ?? 0)
    place.tls = mode == "PREFERRED" || mode == "DISABLED" ? 0 : 1
    place.verifies = mode.hasPrefix("VERIFY") ? 1 : 0
    place.authority = copy(url.options["ssl-ca"])
    place.certificate = copy(url.options["ssl-cert"])
    place.key = copy(url.options["ssl-key"])
    return evf_open_mysql(&place)
  }
}
