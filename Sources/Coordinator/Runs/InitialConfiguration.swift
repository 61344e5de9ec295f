import Documents
import Model

/// The configuration that `init` writes: four answers, and every other key commented out with its default.
public struct InitialConfiguration: Sendable {
  /// The store.
  public var store = "sqlite:~/.local/state/eventor/eventor.db"
  /// Where steps' logs go.
  public var logDirectory = "~/.local/state/eventor/logs"
  /// Tasks at once.
  public var maxConcurrent = "default"
  /// How long history is kept.
  public var retention = "90d"

  /// The defaults.
  public init() {}

  /// The questions, in order, with the answers they fill.
  public static var questions:
    [(text: String, answer: any WritableKeyPath<InitialConfiguration, String> & Sendable)]
  {
    [
      ("Store (a URL: sqlite:PATH, postgresql://…, mysql://…)?", \.store),
      ("Directory for the steps' logs?", \.logDirectory),
      ("Tasks at once (a number, or default)?", \.maxConcurrent),
      ("How long is history kept?", \.retention),
    ]
  }

  /// The file's text.
  ///
  /// - Throws: ``UsageFailure`` if an answer can't stand in a configuration.
  public func text() throws -> String {
    func line(_ key: String, _ value: String) -> String {
      "\(key): \"\(value.replacing("\"", with: "\\\""))\""
    }
    var text = """
      # Configuration of Eventor. `coordinator schema config KEY` says what a key means.

      # The store that commands use unless --store says otherwise: a URL or a tag of `databases`.
      \(line("store", store))

      # Named stores: `--store lab` is then enough.
      # databases:
      #   lab: postgresql://eventor@db.example/eventor?sslmode=verify-full

      # Logs of steps: LOGDIR/RUN/STEP/SEQUENCE.ATTEMPT.log
      \(line("log_dir", logDirectory))

      # Files of agents: journals, and what steps hand back.
      # work_dir: ~/.local/state/eventor/work

      # How long finished runs are kept by `coordinator db purge`.
      \(line("retention", retention))

      # How long an agent's lock on a task lasts; it is renewed three times in that.
      # lock_for: 30s

      # The longest an agent goes without looking at the store.
      # poll: 1s

      # Tasks at once; 4 for each core by default.

      """
    text += maxConcurrent == "default" ? "# max_concurrent: 8\n" : "max_concurrent: \(maxConcurrent)\n"
    do {
      _ = try Configuration.parse(text, file: "answers")
    } catch {
      throw UsageFailure(error.diagnostics.map(\.message).joined(separator: "; "))
    }
    return text
  }
}
