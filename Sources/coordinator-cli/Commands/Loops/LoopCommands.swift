import ArgumentParser
import CommandSupport
import Coordinator
import Database
import UpdateLoops

/// `coordinator loop`.
struct LoopCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "loop",
    abstract: "Keeps many things up to date, those neglected longest first.",
    discussion: """
      EXAMPLE
        coordinator loop create user_loop --store mysql://eventor@db/eventor
        coordinator loop add user_loop 1 2 3
        coordinator loop run user_loop --batch 100 -- ./update-users
      """,
    subcommands: [
      Create.self, List.self, Drop.self, Add.self, Remove.self, Get.self, Did.self, Unlock.self, Bump.self,
      Check.self,
      Stats.self, Run.self,
    ])

  /// `coordinator loop create`.
  struct Create: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Makes the tables of loops; on MySQL the tables that doloop makes.",
      discussion: """
        EXAMPLE
          coordinator loop create user_loop friend_loop
          coordinator loop create page_loop --id-type 'text(200)' --print
        """)

    @Argument(help: "The names of the loops.")
    var names: [String]

    @Option(help: "What the ids are: int, bigint, text(N), char(N) or bytes(N).")
    var idType = "int"

    @Flag(name: .customLong("print"), help: "Print the SQL instead of carrying it out.")
    var prints = false

    @Flag(help: "Say what would be done; write nothing.")
    var dryRun = false

    @Flag(help: "Print one JSON document.")
    var json = false

    @OptionGroup var storeOptions: StoreOptions

    func run() async throws {
      let type = try LoopIDType(idType)
      let tables = try names.map { try LoopTable(name: $0, idType: type) }
      let dialect = Dialect(try await storeOptions.url().url.kind)
      let statements = try tables.map { try $0.statements(for: dialect) }
      if prints {
        for statement in statements.joined() { Say.line(statement + ";\n") }
        return
      }
      let twice = Dictionary(grouping: names) { dialect.kind == .sqlite ? $0.lowercased() : $0 }.values
        .first { $0.count > 1 }
      if let twice { throw ValidationError("loop \(twice[0]) is named twice") }
      // What can't be made is said before anything is.
      if try await storeOptions.hasLoopStore() {
        let pool = try await storeOptions.loopPool()
        for table in tables { try await UpdateLoop.create(table, in: pool, dryRun: true) }
      }
      let pool = dryRun ? nil : try await storeOptions.loopPool(makes: true)
      for table in tables {
        if let pool { try await UpdateLoop.create(table, in: pool) }
        if !json {
          Say.line("\(dryRun ? "would create" : "created") loop \(table.name) with ids of type \(type)")
        }
      }
      if json {
        Say.out(
          JSONObject([("created", names), ("id_type", type.description), ("dry_run", dryRun)]).document)
      }
    }
  }

  /// `coordinator loop list`.
  struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Lists the loops in the store, doloop's own among them.",
      discussion: """
        EXAMPLE
          coordinator loop list --output json
        """)

    @OptionGroup var list: ListOptions
    @OptionGroup var storeOptions: StoreOptions

    func run() async throws {
      var table = Table([.init("loop"), .init("id_type")])
      for loop in try await UpdateLoop.all(in: storeOptions.loopPool()) {
        table.append([.init(loop.name), .init(loop.idType.description)])
      }
      try list.show(table)
    }
  }

  /// `coordinator loop drop`.
  struct Drop: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Removes a loop with all its ids.",
      discussion: """
        EXAMPLE
          coordinator loop drop user_loop --dry-run
        """)

    @Argument(help: "The loop.")
    var name: String

    @Flag(help: "Say what would be removed; remove nothing.")
    var dryRun = false

    @Flag(help: "Do not ask.")
    var yes = false

    @Flag(help: "Print one JSON document.")
    var json = false

    @OptionGroup var storeOptions: StoreOptions

    func run() async throws {
      let loop = try await storeOptions.loop(name)
      var count = try await loop.drop(dryRun: true)
      if !dryRun {
        try Consent.ask("Remove loop \(name) with \(count) id\(count == 1 ? "" : "s")?", isGiven: yes)
        count = try await loop.drop()
      }
      if json { return Say.out(JSONObject([("loop", name), ("ids", count), ("dry_run", dryRun)]).document) }
      Say.line("\(dryRun ? "would remove" : "removed") loop \(name) with \(count) id\(count == 1 ? "" : "s")")
    }
  }
}
