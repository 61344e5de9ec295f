/// What a running step has last said of itself: how far it is, and that it lives.
public struct StepNote: Sendable, Hashable, Codable {
  /// The task's number in its run.
  public let number: Int64
  /// The attempt.
  public let attempt: Int
  /// How much of its work is done, from 0 to 1; nil if it has not said.
  public let fraction: Double?
  /// What it is at, in words.
  public let message: String?

  /// The most bytes of a message that are kept.
  public static let longestMessage = 1000

  /// A note of an attempt. A fraction outside 0 to 1 is taken as the nearer end, and one that is no number as none; a
  /// long message is cut.
  public init(number: Int64, attempt: Int, fraction: Double?, message: String?) {
    self.number = number
    self.attempt = attempt
    self.fraction = fraction.flatMap { $0.isNaN ? nil : min(1, max(0, $0)) }
    self.message = message.map { text in
      guard text.utf8.count > Self.longestMessage else { return text }
      return String(decoding: text.utf8.prefix(Self.longestMessage - 3), as: UTF8.self) + "…"
    }
  }
}
