import Agent
import ArgumentParser
import CommandSupport
import Coordinator
import Engine
import Model
import Storage

/// Which run a command acts on, and how it answers.
struct ActingOptions: ParsableArguments {
  @Argument(help: "The run: its id, the beginning of it, or 'latest'.")
  var run: String

  @Flag(help: "Print one JSON document.")
  var json = false

  @OptionGroup var storeOptions: StoreOptions

  /// Opens the store, acts on the run, and says what was done.
  func act(_ body: (SQLStore, String) async throws -> String) async throws {
    let open = try await storeOptions.open()
    let id = try await open.store.runID(matching: run)
    let said = try await body(open.store, id)
    if json {
      Say.out(RunJSON.document(try await open.store.report(on: id, recovery: nil, allAttempts: false)))
    } else {
      Say.line(said)
    }
  }
}

/// `coordinator trigger`.
struct TriggerCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "trigger",
    abstract: "Triggers an event of a run from outside.",
    discussion: """
      An event is triggered once per sequence; again changes nothing and says so. A run that ended as success goes on.

      EXAMPLE
        coordinator trigger latest go_by_hand --sequence 2
      """)

  @OptionGroup var options: ActingOptions

  @Argument(help: "The event.")
  var event: String

  @Option(help: "The sequence; without it the first that the program starts in.")
  var sequence: String?

  func validate() throws {
    let parts = sequence?.split(separator: "/", omittingEmptySubsequences: false).map(String.init) ?? []
    if let sequence, !parts.allSatisfy(Sequence.isValidFromOutside) {
      throw ValidationError(
        "--sequence \(sequence): use 1 to 64 characters of A-Z a-z 0-9 _ . : -, and / for iterations")
    }
  }

  func run() async throws {
    try await options.act { store, id in
      let isNew = try await store.trigger(event, in: sequence.map { Sequence($0) }, of: id, by: Person.name)
      let place = sequence.map { " in sequence \($0)" } ?? ""
      return isNew
        ? "triggered \(event)\(place)" : "\(event) had been triggered\(place) before; nothing changes"
    }
  }
}

/// `coordinator cancel`.
struct CancelCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cancel",
    abstract: "Cancels a run: nothing new starts, what runs is stopped.",
    discussion: """
      EXAMPLE
        coordinator cancel latest
      """)

  @OptionGroup var options: ActingOptions

  func run() async throws {
    try await options.act { store, id in
      try await store.cancel(id, by: Person.name)
      // What nobody works on any more is ended here, as far as it runs on this host. A submitted run is left to the agents.
      guard try await store.summary(of: id, failures: 0).run.isStandalone else { return "cancelled \(id)" }
      for holder in try await store.holders(of: id, otherThan: 0) where Takeover.isGone(holder.identity) {
        try await Takeover(store: store, run: id, agent: 0, lockFor: TimeSpan(seconds: 30)).endLeftovers()
        try await store.interrupt(id, because: "cancelled by \(Person.name)")
        break
      }
      return "cancelled \(id)"
    }
  }
}

/// `coordinator pause`.
struct PauseCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pause",
    abstract: "Starts nothing more of a run until it is resumed; what runs goes on.",
    discussion: """
      EXAMPLE
        coordinator pause latest
      """)

  @OptionGroup var options: ActingOptions

  func run() async throws {
    try await options.act { store, id in
      try await store.pause(id, by: Person.name)
      return "paused \(id)"
    }
  }
}

/// `coordinator resume`.
struct ResumeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "resume",
    abstract: "Undoes a pause.",
    discussion: """
      EXAMPLE
        coordinator resume latest
      """)

  @OptionGroup var options: ActingOptions

  func run() async throws {
    try await options.act { store, id in
      try await store.resume(id, by: Person.name)
      return "resumed \(id)"
    }
  }
}
