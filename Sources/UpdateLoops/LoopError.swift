/// Why a loop did not do what it was asked; the text holds no password.
public struct LoopError: Error, Sendable, Hashable, CustomStringConvertible {
  /// What the caller can act on.
  public enum Kind: Sendable, Hashable {
    /// There is no such loop.
    case notFound
    /// There is something else of that name, or a table that can't serve.
    case conflict
    /// A name, an id or a number that no loop can take.
    case invalid
  }

  /// What the caller can act on.
  public let kind: Kind
  /// `WHAT: WHY; HOW TO MEND`.
  public let description: String

  /// An error of `kind`.
  public init(_ kind: Kind, _ what: String, why: String = "", mend: String = "") {
    self.kind = kind
    description = what + (why.isEmpty ? "" : ": " + why) + (mend.isEmpty ? "" : "; " + mend)
  }

  /// A loop that is not in the store.
  static func noLoop(_ name: String) -> LoopError {
    LoopError(
      .notFound, "there is no loop '\(name)' in this store",
      mend: "`coordinator loop list` shows those there are, `coordinator loop create \(name)` makes it")
  }
}
