/// An error of the store that tells an agent whether to wait for the store or to give up.
public protocol StoreFailure: Error {
  /// Whether the store is away, or a transaction's outcome is unknown, so that asking again later is right.
  var isOutage: Bool { get }
}
