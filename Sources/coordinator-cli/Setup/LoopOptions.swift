public import ArgumentParser
public import CommandSupport
import Coordinator
import Database
import Drivers
import Foundation
import Glibc
import Model
public import UpdateLoops

extension StoreOptions {
  /// Whether there is anything to look for loops in: always with a server, and with SQLite once there is the file.
  func hasLoopStore() async throws -> Bool {
    let url = try await url().url
    guard url.kind == .sqlite, !url.isMemory, let path = url.path else { return true }
    return FileManager.default.fileExists(atPath: path)
  }

  /// The connections to the database that the loops are in. Nothing but loops is made or looked for there.
  ///
  /// - Parameter makes: Whether an SQLite file that is not there is made.
  func loopPool(makes: Bool = false) async throws -> Pool {
    let url = try await url().url
    if url.kind == .sqlite, !url.isMemory, let path = url.path {
      if !makes, try await !hasLoopStore() {
        throw CommandFailure(
          status: .database, what: "there is no store at \(path)",
          mend: "name the store with --store, or make a loop: coordinator loop create NAME")
      }
      if makes, store == nil { try Places.make((path as NSString).deletingLastPathComponent) }
    }
    return Pool(url: url, driver: Drivers.driver(for: url), size: 2)
  }

  /// The loop called `name`.
  func loop(_ name: String) async throws -> UpdateLoop {
    try await UpdateLoop(named: name, in: await loopPool())
  }
}

extension LoopError: ReportedFailure {
  /// The exit code it leads to.
  public var status: ExitStatus {
    switch kind {
    case .invalid: .usage
    case .notFound: .notFound
    case .conflict: .failed
    }
  }
}

extension IDFormat: ExpressibleByArgument {}

/// The ids that a command is about.
struct LoopIDOptions: ParsableArguments {
  @Argument(help: "Ids, those that begin with a dash after --; or - for standard input.")
  var ids: [String]

  @Option(
    help:
      "How standard input has them: lines, jsonl (a JSON number or string a line) or nul (each ends with NUL)."
  )
  var format: IDFormat?

  /// How many ids of standard input go to the database at a time.
  private static let chunk = 1000

  func validate() throws {
    if ids.contains("-"), ids.count > 1 {
      throw ValidationError("- stands alone: all ids come from standard input")
    }
    if format != nil, ids != ["-"] {
      throw ValidationError("--format is how standard input has ids; it needs -")
    }
  }

  /// Hands the ids to `body` in chunks and adds up what it returns.
  ///
  /// - Parameter dryRun: Whether `body` leaves nothing behind by which it would know an id that comes again: then each is
  ///   handed to it once.
  func each(
    of type: LoopIDType, dryRun: Bool = false, _ body: ([LoopID]) async throws -> Int
  ) async throws -> Int {
    guard ids == ["-"] else { return try await body(ids.map { try type.id($0) }) }
    var reader = IDReader(format ?? .lines, of: type)
    var (waiting, sum): ([LoopID], Int) = ([], 0)
    var seen: Set<LoopID> = []
    func new(_ ids: [LoopID]) -> [LoopID] { dryRun ? ids.filter { seen.insert($0).inserted } : ids }
    while let bytes = try FileHandle.standardInput.read(upToCount: 65_536), !bytes.isEmpty {
      waiting += try new(reader.read(bytes))
      while waiting.count >= Self.chunk {
        sum += try await body(Array(waiting.prefix(Self.chunk)))
        waiting.removeFirst(Self.chunk)
      }
    }
    waiting += try new(reader.finish())
    if !waiting.isEmpty { sum += try await body(waiting) }
    return sum
  }
}

/// How commands that change a loop answer.
struct LoopChangeOptions: ParsableArguments {
  @Flag(help: "Say what would be done; write nothing.")
  var dryRun = false

  @Flag(help: "Print one JSON document.")
  var json = false

  /// Says how many ids were `verb`, such as `added`; `would`, such as `add`, in a dry run.
  func tell(_ count: Int, _ verb: String, would: String, in loop: String) {
    if json {
      return Say.out(JSONObject([("loop", loop), (verb, count), ("dry_run", dryRun)]).document)
    }
    Say.line("\(dryRun ? "would \(would)" : verb) \(count) id\(count == 1 ? "" : "s")")
  }
}

/// Durations of commands about loops.
enum LoopTime {
  /// A duration such as `90`, `1h`, and where `isSigned` also `-10m`.
  static func read(_ text: String, of option: String, isSigned: Bool = false) throws -> Duration {
    let isNegative = isSigned && text.hasPrefix("-")
    guard let span = TimeSpan(isNegative ? String(text.dropFirst()) : text) else {
      throw CommandFailure(
        status: .usage, what: "\(option) \(text)",
        mend: "write a duration such as 90s or 1h" + (isSigned ? ", or -10m" : ""))
    }
    return .microseconds(isNegative ? -span.microseconds : span.microseconds)
  }

  /// Seconds as people read them: `90s`, `2h`.
  static func text(_ seconds: Int) -> String {
    TimeSpan(microseconds: Int64(seconds) * 1_000_000).description
  }
}
