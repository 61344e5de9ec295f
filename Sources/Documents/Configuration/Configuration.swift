import Foundation
public import Model

/// `eventor.yaml`: where the store is and how agents behave on this machine.
public struct Configuration: Sendable, Hashable {
  /// The store: a URL or a tag of ``databases``.
  public var store: String?
  /// Stores by tag.
  public var databases: [String: String] = [:]
  /// Where the output of steps is kept.
  public var logDirectory: String?
  /// Where agents keep what they need while steps run.
  public var workDirectory: String?
  /// Steps at once on this host.
  public var maxConcurrent: Int?
  /// How long an agent's lock on a task lasts unless renewed.
  public var lockFor: TimeSpan?
  /// How often an idle agent looks for work when nothing wakes it.
  public var poll: TimeSpan?
  /// The name of this host.
  public var host: String?
  /// How long ended runs are kept.
  public var retention: TimeSpan?
  /// Labels of this host's agent, by which groups with `match` find it.
  public var labels: [String: String] = [:]
  /// How long an agent that is told to stop waits for running steps before it hands them over.
  public var grace: TimeSpan?
  /// The file it was read from; nil for the defaults.
  public var file: String?

  /// Nothing said.
  public init() {}

  /// Reads the file at `path`.
  public static func read(path: String) throws(DocumentError) -> Configuration {
    var configuration = try parse(try FileBytes.read(path: path), file: path)
    configuration.file = path
    return configuration
  }

  /// Reads `text`, the content of `file`.
  public static func parse(_ text: String, file: String) throws(DocumentError) -> Configuration {
    try parse(Array(text.utf8), file: file)
  }

  /// Reads `bytes`, the content of `file`. An empty file, or one of comments alone, says nothing.
  public static func parse(_ bytes: [UInt8], file: String) throws(DocumentError) -> Configuration {
    var source = try Source(bytes, file: file, mayBeEmpty: true, quotesValues: false)
    guard let configuration = source.read(ConfigurationKeys.section, into: Configuration()) else {
      if source.diagnostics.isEmpty { return Configuration() }
      throw .invalid(source.diagnostics)
    }
    source.reader.add(configuration.problems())
    let diagnostics = source.diagnostics
    if diagnostics.contains(where: { $0.severity == .error }) { throw .invalid(diagnostics) }
    return configuration
  }

  /// Everything wrong in it. Values are never repeated in a message: a URL may hold a password.
  private func problems() -> [Problem] {
    var problems: [Problem] = []
    for tag in databases.keys.sorted() where !Name.isValid(tag) {
      problems.append(
        .error("databases.\(tag)", "'\(tag)' is not a valid tag; use 1 to 128 of A-Z a-z 0-9 _ . -"))
    }
    if let store, !store.contains(":"), databases[store] == nil {
      let nearest = Name.nearest(to: store, among: databases.keys).map { "; did you mean '\($0)'?" } ?? ""
      problems.append(.error("store", "'\(store)' is no URL and no tag under 'databases'" + nearest))
    }
    if let maxConcurrent, maxConcurrent < 1 {
      problems.append(.error("max_concurrent", "'max_concurrent' must be at least 1"))
    }
    for (key, span) in [("lock_for", lockFor), ("poll", poll), ("retention", retention)] where span == .zero {
      problems.append(.error(key, "'\(key)' must be longer than nothing"))
    }
    for label in labels.keys.sorted() where !Name.isValid(label) {
      problems.append(
        .error("labels.\(label)", "'\(label)' is not a valid label; use 1 to 128 of A-Z a-z 0-9 _ . -"))
    }
    if let host, host.contains(where: \.isWhitespace) {
      problems.append(.error("host", "a host name holds no spaces"))
    }
    return problems
  }

  /// The file to read: the one asked for, even if it does not exist, else the first that does.
  ///
  /// In order: `explicit` (`--config`), `EVENTOR_CONFIG`, `./eventor.yaml`, `~/.config/eventor/eventor.yaml`,
  /// `/etc/eventor/eventor.yaml`.
  public static func locate(
    explicit: String?, environment: [String: String], home: String?, currentDirectory: String
  ) -> String? {
    if let explicit { return explicit }
    if let asked = environment["EVENTOR_CONFIG"], !asked.isEmpty { return asked }
    var places = [currentDirectory + "/eventor.yaml"]
    if let home { places.append(home + "/.config/eventor/eventor.yaml") }
    places.append("/etc/eventor/eventor.yaml")
    return places.first { FileManager.default.fileExists(atPath: $0) }
  }
}
