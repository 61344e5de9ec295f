/// An error that says what, why, and how to mend it, each by itself.
public protocol ExplainedError: Error, CustomStringConvertible {
  /// The kinds of failure there are.
  associatedtype Kind: RawRepresentable<String>

  /// What kind of failure it is, to act on.
  var kind: Kind { get }
  /// What was not done.
  var what: String { get }
  /// Why; may be empty.
  var why: String { get }
  /// How to mend it; may be empty.
  var mend: String { get }
}

extension ExplainedError {
  /// `WHAT: WHY; HOW TO MEND`.
  public var description: String {
    what + (why.isEmpty ? "" : ": " + why) + (mend.isEmpty ? "" : "; " + mend)
  }

  /// The word for the kind of failure.
  public var kindName: String { kind.rawValue }
}
