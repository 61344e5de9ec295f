public import Database
public import Engine

extension DatabaseError: StoreFailure {
  /// Whether the store is away, busy beyond patience, or a commit's outcome is unknown.
  public var isOutage: Bool {
    switch kind {
    case .unreachable, .connectionLost, .outcomeUnknown, .busy, .deadlock, .serialization, .lockTimeout: true
    case .refused, .uniqueViolation, .constraint, .syntax, .readOnly, .diskFull, .corrupt, .tooNew,
      .cancelled,
      .unexpectedValue, .unsupported, .badURL, .other:
      false
    }
  }
}
