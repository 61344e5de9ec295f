import ArgumentParser
import CommandSupport
public import Coordinator
import Model
public import UpdateLoops

extension LoopCommand {
  /// `coordinator loop check`.
  struct Check: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Shows how long ids have gone without an update, and how long they stay locked.",
      discussion: """
        Times are seconds; a lock that has ended shows how long ago, as a negative number. Ids that are not in the loop
        are named on standard error, with exit code 3.

        EXAMPLE
          coordinator loop check user_loop 17 18 --json
        """)

    @Argument(help: "The loop.")
    var name: String

    @OptionGroup var input: LoopIDOptions
    @OptionGroup var list: ListOptions
    @OptionGroup var storeOptions: StoreOptions

    func run() async throws {
      let loop = try await storeOptions.loop(name)
      var table = Table([
        .init("id"), .init("since_updated", alignment: .right), .init("locked_for", alignment: .right),
      ])
      var unknown: [LoopID] = []
      _ = try await input.each(of: loop.table.idType) { ids in
        let checks = try await loop.check(ids)
        for check in checks {
          table.append([
            .init("\(check.id)", value: check.id), .init(check.sinceUpdated ?? nil),
            .init(check.lockedFor ?? nil),
          ])
        }
        let known = Set(checks.map(\.id))
        if checks.count < Set(ids).count { unknown += Set(ids).subtracting(known).sorted() }
        return checks.count
      }
      try list.show(table)
      for id in unknown { Say.aside("not in loop \(name): \(IDFormat.json(id))\n") }
      if !unknown.isEmpty { throw ExitCode(ExitStatus.notFound.rawValue) }
    }
  }

  /// `coordinator loop stats`.
  struct Stats: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Shows how a loop stands: what is bumped and locked, and how old the updates are.",
      discussion: """
        Times are seconds. With --full every id is looked at: how many there are, how many were never updated or are
        older than the thresholds, and how long one turn of all takes at the rate of the last hour (or day, or week).

        EXAMPLE
          coordinator loop stats user_loop
          coordinator loop stats user_loop --full --delay-thresholds 1d,7d --json
        """)

    @Argument(help: "The loop.")
    var name: String

    @Flag(help: "Look at every id.")
    var full = false

    @Option(help: "With --full: count ids updated at least so long ago, separated by commas.")
    var delayThresholds: String?

    @Flag(help: "Print one JSON document.")
    var json = false

    @OptionGroup var storeOptions: StoreOptions

    func run() async throws {
      guard full || delayThresholds == nil else {
        throw CommandFailure(
          status: .usage, what: "--delay-thresholds", why: "only a look at every id can tell",
          mend: "add --full")
      }
      let texts = (delayThresholds ?? "").split(separator: ",").map(String.init)
      let thresholds = try texts.map { try LoopTime.read($0, of: "--delay-thresholds") }
      let loop = try await storeOptions.loop(name)
      let stats = try await loop.stats()
      let whole = full ? try await loop.fullStats(thresholds: thresholds) : nil
      Say.out(json ? LoopView.json(name, stats, whole, texts) : LoopView.text(stats, whole, texts))
    }
  }
}

extension LoopID: JSONRenderable {
  /// A number, or a string.
  public var jsonValue: JSONObject.Content {
    if case .integer(let number) = self { return number.jsonValue }
    return description.jsonValue
  }
}

/// How the state of a loop is shown.
enum LoopView {
  /// One JSON document with doloop's keys.
  static func json(_ name: String, _ stats: LoopStats, _ full: FullLoopStats?, _ thresholds: [String])
    -> String
  {
    var object = JSONObject([
      ("loop", name), ("bumped", stats.bumped), ("locked", stats.locked), ("min_id", stats.minID),
      ("max_id", stats.maxID), ("min_bump_time", stats.minBumpTime), ("max_bump_time", stats.maxBumpTime),
      ("min_lock_time", stats.minLockTime), ("max_lock_time", stats.maxLockTime),
      ("min_update_time", stats.minUpdateTime), ("max_update_time", stats.maxUpdateTime),
    ])
    if let full {
      object.set("all", full.all)
      object.set("never_updated", full.neverUpdated)
      let delayed = zip(thresholds, full.delayed).map { text, delayed in
        JSONObject([("older_than", text), ("seconds", delayed.age), ("ids", delayed.count)])
      }
      object.set("delayed", delayed)
      object.set("ids_per_second", full.rate)
      object.set("loop_time", full.loopTime)
    }
    return object.document
  }

  /// Lines for people.
  static func text(_ stats: LoopStats, _ full: FullLoopStats?, _ thresholds: [String]) -> String {
    func range(_ least: Int, _ most: Int, _ count: Int) -> String {
      count == 0 ? "" : ", \(LoopTime.text(least)) to \(LoopTime.text(most))"
    }
    var lines: [(String, String)] = [
      ("ids", stats.minID.map { "\(neutralised("\($0)", onOneLine: true)) to " } ?? "none"),
      ("bumped", "\(stats.bumped)" + range(stats.minBumpTime, stats.maxBumpTime, stats.bumped)),
      ("locked", "\(stats.locked)" + range(stats.minLockTime, stats.maxLockTime, stats.locked)),
      ("updated", "\(LoopTime.text(stats.minUpdateTime)) to \(LoopTime.text(stats.maxUpdateTime)) ago"),
    ]
    if let last = stats.maxID { lines[0].1 += neutralised("\(last)", onOneLine: true) }
    if let full {
      lines += [("all", "\(full.all)"), ("never", "\(full.neverUpdated)")]
      for (text, delayed) in zip(thresholds, full.delayed) {
        lines.append((">= \(text)", "\(delayed.count)"))
      }
      let turn = full.loopTime.map { "\(LoopTime.text(Int($0.rounded(.up)))) for all at the present rate" }
      lines.append(("turn", turn ?? "unknown: nothing was updated for a week"))
    }
    return lines.map { name, text in
      name + String(repeating: " ", count: max(1, 9 - name.count)) + text + "\n"
    }.joined()
  }
}
