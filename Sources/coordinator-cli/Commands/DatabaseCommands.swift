import ArgumentParser
import CommandSupport
import Coordinator
import Database
import Engine
import Foundation
import Model
import Storage

/// `coordinator db`.
struct DatabaseCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "db",
    abstract: "The store's schema, size, history and consistency.",
    discussion: """
      EXAMPLE
        coordinator db status --store postgresql://eventor@db/eventor
        coordinator db purge --older-than 30d --dry-run
      """,
    subcommands: [Migrate.self, Script.self, Grants.self, Ping.self, Status.self, Purge.self, Check.self])

  /// `coordinator db migrate`.
  struct Migrate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Brings the schema up to date.",
      discussion: """
        EXAMPLE
          coordinator db migrate --store sqlite:runs.db
        """)

    @OptionGroup var storeOptions: StoreOptions

    func run() async throws {
      let open = try await storeOptions.open(makes: true)
      let versions = try await open.store.schemaVersions()
      Say.line("the schema is at version \(versions.last?.number ?? 0)")
    }
  }

  /// `coordinator db sql`.
  struct Script: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "sql",
      abstract: "Prints the SQL of migrations, for those who carry it out themselves.",
      discussion: """
        EXAMPLE
          coordinator db sql --store postgresql://db/eventor --from 0
        """)

    @Option(help: "After this version.")
    var from = 0

    @Option(help: "Up to this version.")
    var to: Int?

    @OptionGroup var storeOptions: StoreOptions

    func run() async throws {
      let url = try await storeOptions.url().url
      Say.out(SQLStore.migrator.script(Dialect(url.kind), from: from, to: to ?? .max))
    }
  }

  /// `coordinator db grants`.
  struct Grants: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Prints the grants that a role needs to use the store, or only to read it.",
      discussion: """
        EXAMPLE
          coordinator db grants --role reporting --read-only --store postgresql://db/eventor
        """)

    @Option(help: "The role or user.")
    var role: String

    @Flag(help: "Only for looking.")
    var readOnly = false

    @OptionGroup var storeOptions: StoreOptions

    func run() async throws {
      let url = try await storeOptions.url().url
      guard url.kind != .sqlite else {
        throw CommandFailure(
          status: .usage, what: "SQLite has no roles", mend: "who may read the file may use the store")
      }
      guard SQL.isIdentifier(role) else {
        throw CommandFailure(status: .usage, what: "--role \(role)", why: "it is no identifier")
      }
      Say.out(SQLStore.grants(for: role, readOnly: readOnly, on: url))
    }
  }

  /// `coordinator db status`.
  struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Shows the schema's version and how much is in the store.",
      discussion: """
        EXAMPLE
          coordinator db status --json
        """)

    @Flag(help: "Print one JSON document.")
    var json = false

    @OptionGroup var storeOptions: StoreOptions

    func run() async throws {
      let open = try await storeOptions.open()
      let versions = try await open.store.schemaVersions()
      let sizes = try await open.store.rowCounts()
      if json {
        return Say.out(
          JSONObject([
            ("store", open.url.description), ("schema", versions.last?.number),
            ("tables", sizes.map { JSONObject([("table", $0.table), ("rows", $0.rows)]) }),
          ]).document)
      }
      Say.line("store   \(open.url)")
      for version in versions {
        let moment = version.appliedAt.map { Timestamp(microseconds: $0).description } ?? "in part"
        Say.line("schema  \(version.number) \(version.name), applied \(moment)")
      }
      var table = Table([.init("table"), .init("rows", alignment: .right)])
      for size in sizes { table.append([.init(size.table), .init(size.rows)]) }
      Say.out(table.rendered(as: .table, on: Say.outProfile))
    }
  }

  /// `coordinator db purge`.
  struct Purge: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Removes runs that ended long ago, with everything kept of them.",
      discussion: """
        EXAMPLE
          coordinator db purge --older-than 30d --dry-run
        """)

    @Option(help: "Only runs that ended longer ago than this.")
    var olderThan: String

    @Flag(help: "Say what would be removed; remove nothing.")
    var dryRun = false

    @Flag(help: "Do not ask.")
    var yes = false

    @OptionGroup var storeOptions: StoreOptions

    func run() async throws {
      guard let age = TimeSpan(olderThan) else {
        throw CommandFailure(
          status: .usage, what: "--older-than \(olderThan)", mend: "write a duration such as 30d")
      }
      let open = try await storeOptions.open()
      let count = try await open.store.countPurgeable(olderThan: age)
      let what = "\(count) run\(count == 1 ? "" : "s") that ended more than \(age) ago"
      if dryRun { return Say.line("would remove \(what)") }
      if count == 0 { return Say.line("removed nothing: no run ended more than \(age) ago") }
      try Consent.ask("Remove \(what)?", isGiven: yes)
      let removed = try await open.store.purge(olderThan: age)
      Say.line("removed \(removed) run\(removed == 1 ? "" : "s")")
    }
  }

  /// `coordinator db check`.
  struct Check: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Checks that what is stored fits together; exit code 1 if it does not.",
      discussion: """
        EXAMPLE
          coordinator db check
        """)

    @Flag(help: "Print one JSON document.")
    var json = false

    @OptionGroup var storeOptions: StoreOptions

    func run() async throws {
      let open = try await storeOptions.open()
      let faults = try await open.store.check()
      if json {
        Say.out(JSONObject([("faults", faults)]).document)
      } else {
        for fault in faults { Say.line(fault) }
        if faults.isEmpty { Say.line("everything fits together") }
      }
      if !faults.isEmpty { throw ExitCode(ExitStatus.failed.rawValue) }
    }
  }
}
