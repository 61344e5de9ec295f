import ArgumentParser
import CommandSupport
import Coordinator
import Database
import Drivers
import Foundation

extension DatabaseCommand {
  /// `coordinator db ping`.
  struct Ping: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Says whether the store answers, and how fast; changes nothing, not even a schema.",
      discussion: """
        Exit code 4 if it does not answer, 3 if none is configured. The time is that of one statement on an open \
        connection.

        EXAMPLE
          coordinator db ping --store postgresql://eventor@db/eventor
        """)

    @Flag(help: "Print milliseconds, a tab and the store.")
    var plain = false

    @Flag(help: "Print one JSON document.")
    var json = false

    @OptionGroup var storeOptions: StoreOptions

    func run() async throws {
      let isNamed = try storeOptions.store != nil || storeOptions.configuration().store != nil
      let url = try await storeOptions.url().url
      if url.kind == .sqlite, !url.isMemory, let path = url.path,
        !FileManager.default.fileExists(atPath: path)
      {
        guard isNamed else {
          throw CommandFailure(
            status: .notFound, what: "no store is configured", mend: "name one with --store or store:")
        }
        throw CommandFailure(status: .database, what: "there is no store at \(path)")
      }
      let pool = Pool(url: url, driver: Drivers.driver(for: url), size: 1)
      let took = try await pool.run { session in
        _ = try session.query("SELECT 1")
        let began = ContinuousClock.now
        _ = try session.query("SELECT 1")
        return ContinuousClock.now - began
      }
      await pool.close()
      let milliseconds = Int((took / .milliseconds(1)).rounded(.up))
      if json {
        Say.out(JSONObject([("store", url.description), ("answer_ms", milliseconds)]).document)
      } else if plain {
        Say.line("\(milliseconds)\t\(url)")
      } else {
        Say.line("\(url) answers in \(milliseconds) ms")
      }
    }
  }
}
