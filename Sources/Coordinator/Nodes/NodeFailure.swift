public import Transport

/// Why something was not done on a node that was reached.
public struct NodeFailure: ExplainedError, Sendable, Hashable {
  /// What kind of failure it is, to act on.
  public enum Kind: String, Sendable, Hashable {
    /// What was asked for can't be meant.
    case usage
    /// There is no agent.
    case notFound = "not_found"
    /// The programs don't run there: another machine, or libraries that are missing.
    case cannotRun = "cannot_run"
    /// The node's agent can't reach the store.
    case database
    /// It did not come about in the time allowed.
    case timedOut = "timed_out"
    /// Anything else.
    case failed
  }

  /// What kind of failure it is.
  public let kind: Kind
  /// What was not done, with the name of the host.
  public let what: String
  /// Why.
  public let why: String
  /// How to mend it; may be empty.
  public let mend: String

  /// A failure of these parts.
  public init(_ kind: Kind, what: String, why: String = "", mend: String = "") {
    self.kind = kind
    self.what = what
    self.why = why
    self.mend = mend
  }

  /// Programs that don't run on a host, where `ldd` misses `libraries` there.
  static func cannotRun(_ program: String, on host: String, libraries: [String], said: String) -> NodeFailure
  {
    let what = "\(program) does not run on \(host)"
    guard !libraries.isEmpty else { return NodeFailure(.cannotRun, what: what, why: said) }
    let why = "it lacks \(libraries.joined(separator: ", "))"
    let isOfSwift = { (name: String) in
      ["libswift", "libFoundation", "lib_Foundation", "libdispatch", "libBlocksRuntime"].contains {
        name.hasPrefix($0)
      }
    }
    if libraries.contains(where: isOfSwift) {
      return NodeFailure(
        .cannotRun, what: what, why: why,
        mend: "send programs that hold Swift's libraries: swift build -c release --static-swift-stdlib, "
          + "then --from .build/release")
    }
    let known = Set(libraries.compactMap { packages[$0] }).sorted()
    return NodeFailure(
      .cannotRun, what: what, why: why,
      mend: known.isEmpty
        ? "install what has them" : "there, as root: apt-get install -y \(known.joined(separator: " "))")
  }

  /// The packages of Debian 12 that have the libraries our programs need.
  private static let packages = [
    "libsqlite3.so.0": "libsqlite3-0", "libpq.so.5": "libpq5", "libmariadb.so.3": "libmariadb3",
    "libsodium.so.23": "libsodium23", "libssh2.so.1": "libssh2-1", "libstdc++.so.6": "libstdc++6",
    "libgcc_s.so.1": "libgcc-s1", "libz.so.1": "zlib1g",
  ]
}
