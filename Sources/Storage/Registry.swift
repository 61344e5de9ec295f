import Database
import Digest
public import Engine
import Foundation
public import Model

extension SQLStore {
  /// Stores a program version; content that is there already makes no new row.
  public func register(_ program: Program, by user: String) async throws -> ProgramVersion {
    let content = try ProgramContent(program)
    return try await write { session in try self.register(content, by: user, session) }
  }

  func register(_ content: ProgramContent, by user: String, _ session: any Session) throws -> ProgramVersion {
    if let found = try version(content.name, content.version, session) {
      // A program that was removed and is registered again is back.
      try session.execute(
        "UPDATE ev_program SET removed = 0 WHERE program_key = \(found.key) AND removed = 1")
      return found
    }
    let inserted = try session.insert(
      into: "ev_program",
      columns: ["name", "version", "content", "registered_at", "registered_by", "removed"],
      rows: [
        [
          .text(content.name), .text(content.version), .text(content.text), .integer(try session.clock()),
          .text(user), .integer(0),
        ]
      ], ignoringConflicts: true)
    guard let made = try version(content.name, content.version, session) else {
      throw StoreError(
        .conflict, "program '\(content.name)' was removed while it was registered", hint: "try again")
    }
    return ProgramVersion(
      key: made.key, name: made.name, version: made.version, registeredAt: made.registeredAt,
      registeredBy: made.registeredBy, isNew: inserted > 0)
  }

  private func version(_ name: String, _ version: String, _ session: any Session) throws -> ProgramVersion? {
    try session.query(
      "SELECT \(raw: ProgramVersion.columns) FROM ev_program WHERE name = \(name) AND version = \(version)"
    ).first.map { try ProgramVersion($0) }
  }

  func version(keyed key: Int64, _ session: any Session) throws -> ProgramVersion {
    let rows = try session.query(
      "SELECT \(raw: ProgramVersion.columns) FROM ev_program WHERE program_key = \(key)")
    guard let row = rows.first else {
      throw StoreError(.notFound, "a program version is not in the store", hint: "run `coordinator db check`")
    }
    return try ProgramVersion(row)
  }

  /// Registered versions, newest first.
  public func programs(named name: String?) async throws -> [ProgramVersion] {
    try await read { session in
      var sql: SQL = "SELECT \(raw: ProgramVersion.columns) FROM ev_program WHERE removed = 0"
      if let name { sql.append(" AND name = \(name)") }
      sql.append(" ORDER BY program_key DESC")
      return try session.query(sql).map { try ProgramVersion($0) }
    }
  }

  /// The newest version of a program, or the one whose digest begins with `version`.
  public func program(named name: String, version: String?) async throws -> (ProgramVersion, Program) {
    let versions = try await programs(named: name)
    let wanted = version.map { $0.hasPrefix("sha256:") ? $0 : "sha256:" + $0 }
    let matching = versions.filter { wanted == nil || $0.version.hasPrefix(wanted ?? "") }
    guard let chosen = matching.first else {
      let known = try await programs(named: nil).map(\.name)
      let near = Name.nearest(to: name, among: known).map { "; did you mean '\($0)'?" } ?? ""
      let what =
        version.map { "program '\(name)' has no version '\($0)'" } ?? "there is no program '\(name)'\(near)"
      throw StoreError(.notFound, what, hint: "`coordinator program list` shows what is registered")
    }
    guard wanted == nil || matching.count == 1 else {
      throw StoreError(
        .invalid, "'\(name)@\(version ?? "")' fits \(matching.count) versions",
        hint: "give more of the digest")
    }
    let program = try await read { session in try self.program(chosen.key, session) }
    return (chosen, program)
  }

  /// Takes a program out of the registry and returns how many versions that were. Their rows stay, for its runs.
  public func removeProgram(named name: String) async throws -> Int {
    try await write { session in
      try self.removeSchedules(of: name, session)
      let busy = try session.query(
        "SELECT id FROM ev_run WHERE program = \(name) AND status IN ('running', 'paused') ORDER BY run_key LIMIT 1"
      )
      if let row = busy.first {
        throw StoreError(
          .conflict, "program '\(name)' has a run that is not over: \(try row.text(0))",
          hint: "wait for it or `coordinator cancel` it")
      }
      let removed = try session.execute(
        "UPDATE ev_program SET removed = 1 WHERE name = \(name) AND removed = 0")
      guard removed > 0 else {
        throw StoreError(
          .notFound, "there is no program '\(name)'",
          hint: "`coordinator program list` shows what is registered")
      }
      return removed
    }
  }

  /// The program version a run runs.
  public func program(of run: String) async throws -> Program {
    try await read { session in
      guard let row = try session.query("SELECT program_key FROM ev_run WHERE id = \(run)").first else {
        throw StoreError.noRun(run)
      }
      return try self.program(try row.integer(0), session)
    }
  }
}

/// A program as it is stored.
struct ProgramContent: Sendable {
  let name: String
  let text: String
  /// The digest of the content, whatever the order of its named parts.
  let version: String

  init(_ program: Program) throws {
    name = program.name
    text = try JSONText.encode(program)
    version = Digest(of: try JSONText.encode(program.orderedByName).utf8).description
  }
}

extension ProgramVersion {
  static let columns = "program_key, name, version, registered_at, registered_by"

  init(_ row: Row) throws {
    self.init(
      key: try row.integer(0), name: try row.text(1), version: try row.text(2),
      registeredAt: Timestamp(microseconds: try row.integer(3)), registeredBy: try row.text(4), isNew: false)
  }
}

extension Session {
  /// The database's clock, in microseconds since 1970.
  func clock() throws -> Int64 {
    try query("SELECT \(raw: dialect.now)").first?.integer(0) ?? 0
  }
}
