/// How often something is tried, and how long to pause in between.
///
/// The pause doubles from `first` to `cap` and is drawn between half of it and all of it, so that
/// rivals which failed together don't meet again.
public struct RetryPolicy: Sendable, Hashable {
  /// Tries in all, the first one included; at least 1.
  public var attempts: Int
  /// The longest pause after the first failure.
  public var first: Duration
  /// The longest pause ever.
  public var cap: Duration

  /// A policy; `attempts` below 1 counts as 1.
  public init(attempts: Int, first: Duration = .milliseconds(5), cap: Duration = .seconds(1)) {
    self.attempts = max(1, attempts)
    self.first = first
    self.cap = cap
  }

  /// Whether another try is due after `attempt` tries (counted from 1) have failed.
  public func allowsAnother(after attempt: Int) -> Bool { attempt < attempts }

  /// The pause after the failed try number `attempt` (from 1); `chance` in 0..<1 is the jitter.
  public func pause(after attempt: Int, chance: Double = .random(in: 0..<1)) -> Duration {
    let doublings = min(max(attempt - 1, 0), 30)
    let ceiling = min(first * (1 << doublings), cap)
    return ceiling * (0.5 + chance / 2)
  }
}
