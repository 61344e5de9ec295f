import ArgumentParser
import CommandSupport
import UpdateLoops

extension LoopCommand {
  /// `coordinator loop add`.
  struct Add: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Adds ids; those that are in the loop stay as they are.",
      discussion: """
        EXAMPLE
          coordinator loop add user_loop 17 18 19
          psql -Atc 'SELECT id FROM users' | coordinator loop add user_loop -
        """)

    @Argument(help: "The loop.")
    var name: String

    @OptionGroup var input: LoopIDOptions

    @Flag(help: "They have just been updated, and do not come first.")
    var updated = false

    @OptionGroup var change: LoopChangeOptions
    @OptionGroup var storeOptions: StoreOptions

    func run() async throws {
      let loop = try await storeOptions.loop(name)
      let count = try await input.each(of: loop.table.idType, dryRun: change.dryRun) {
        try await loop.add($0, updated: updated, dryRun: change.dryRun)
      }
      change.tell(count, "added", would: "add", in: name)
    }
  }

  /// `coordinator loop remove`.
  struct Remove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Takes ids out of a loop.",
      discussion: """
        EXAMPLE
          coordinator loop remove user_loop 17
        """)

    @Argument(help: "The loop.")
    var name: String

    @OptionGroup var input: LoopIDOptions
    @OptionGroup var change: LoopChangeOptions
    @OptionGroup var storeOptions: StoreOptions

    func run() async throws {
      let loop = try await storeOptions.loop(name)
      let count = try await input.each(of: loop.table.idType, dryRun: change.dryRun) {
        try await loop.remove($0, dryRun: change.dryRun)
      }
      change.tell(count, "removed", would: "remove", in: name)
    }
  }

  /// `coordinator loop did`.
  struct Did: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Marks ids as updated now, and unlocks them; adds those that are not in the loop.",
      discussion: """
        EXAMPLE
          coordinator loop did user_loop 17 18
        """)

    @Argument(help: "The loop.")
    var name: String

    @OptionGroup var input: LoopIDOptions

    @Flag(help: "Leave out ids that are not in the loop.")
    var noAutoAdd = false

    @OptionGroup var change: LoopChangeOptions
    @OptionGroup var storeOptions: StoreOptions

    func run() async throws {
      let loop = try await storeOptions.loop(name)
      let count = try await input.each(of: loop.table.idType, dryRun: change.dryRun) {
        try await loop.did($0, autoAdd: !noAutoAdd, dryRun: change.dryRun)
      }
      change.tell(count, "marked", would: "mark", in: name)
    }
  }

  /// `coordinator loop unlock`.
  struct Unlock: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Unlocks ids without marking them updated; adds those that are not in the loop.",
      discussion: """
        EXAMPLE
          coordinator loop unlock user_loop 17
        """)

    @Argument(help: "The loop.")
    var name: String

    @OptionGroup var input: LoopIDOptions

    @Flag(help: "Leave out ids that are not in the loop.")
    var noAutoAdd = false

    @OptionGroup var change: LoopChangeOptions
    @OptionGroup var storeOptions: StoreOptions

    func run() async throws {
      let loop = try await storeOptions.loop(name)
      let count = try await input.each(of: loop.table.idType, dryRun: change.dryRun) {
        try await loop.unlock($0, autoAdd: !noAutoAdd, dryRun: change.dryRun)
      }
      change.tell(count, "unlocked", would: "unlock", in: name)
    }
  }

  /// `coordinator loop bump`.
  struct Bump: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Brings ids forward; adds those that are not in the loop.",
      discussion: """
        A bump only ever brings the end of a lock nearer: bumping again and again does not put an id off.

        EXAMPLE
          coordinator loop bump user_loop 17
          coordinator loop bump user_loop 17 --lock-for 1h
        """)

    @Argument(help: "The loop.")
    var name: String

    @OptionGroup var input: LoopIDOptions

    @Option(
      parsing: .unconditional,
      help: "Let them come so much later (1h), now (0), or ahead of others that come now (-10m).")
    var lockFor = "0"

    @Flag(help: "Leave out ids that are not in the loop.")
    var noAutoAdd = false

    @OptionGroup var change: LoopChangeOptions
    @OptionGroup var storeOptions: StoreOptions

    func run() async throws {
      let time = try LoopTime.read(lockFor, of: "--lock-for", isSigned: true)
      let loop = try await storeOptions.loop(name)
      let count = try await input.each(of: loop.table.idType, dryRun: change.dryRun) {
        try await loop.bump($0, lockFor: time, autoAdd: !noAutoAdd, dryRun: change.dryRun)
      }
      change.tell(count, "bumped", would: "bump", in: name)
    }
  }
}
