public import Model

/// How an attempt of a task ended.
public struct Outcome: Sendable, Hashable {
  /// `success`, `failure` or `cancelled`.
  public var status: TaskStatus
  /// The exit code of its process.
  public var exitCode: Int?
  /// The name of the signal that ended its process.
  public var signal: String?
  /// Whether its timeout ended it.
  public var timedOut = false
  /// Whether its precondition was false, so that nothing ran.
  public var skipped = false
  /// Whether its guard ended it, because the agent could not reach the store: then it has not ended, it was lost.
  public var wasCutOff = false
  /// Whether it was cut off before it was started.
  public var wasWithheld: Bool { wasCutOff && exitCode == nil && signal == nil }
  /// What went wrong, in a sentence.
  public var message: String?
  /// What it wrote to its result file.
  public var result: JSONValue?
  /// What it wrote to its trigger file.
  public var fileTriggers: [FileTrigger] = []
  /// The last of its output.
  public var tail: Tail?
  /// The file that holds all of its output, on its host.
  public var logPath: String?
  /// Peak resident memory, in KiB.
  public var maxResidentKiB: Int?
  /// Processor time, in microseconds.
  public var cpuMicroseconds: Int64?
  /// Who ended it by hand.
  public var markedBy: String?

  /// An end as `status`.
  public init(_ status: TaskStatus, message: String? = nil) {
    self.status = status
    self.message = message
  }

  /// The last of a step's output.
  public struct Tail: Sendable, Hashable {
    /// At most 64 KiB of it.
    public var text: String
    /// How many bytes it wrote in all.
    public var totalBytes: Int64

    /// The last of `totalBytes` bytes of output.
    public init(text: String, totalBytes: Int64) {
      self.text = text
      self.totalBytes = totalBytes
    }
  }
}

extension Program.Retry {
  /// How long to wait before the next attempt, or nil if there is none.
  ///
  /// - Parameters:
  ///   - attempt: The attempt that ended, from 1.
  ///   - outcome: How it ended.
  ///   - chance: A random number from 0 to 1, for the jitter.
  public func delay(after attempt: Int, _ outcome: Outcome, chance: Double) -> TimeSpan? {
    guard attempt < attempts, outcome.status == .failure else { return nil }
    if !onExit.isEmpty && !onExit.contains(where: { $0.matches(outcome) }) { return nil }
    if notOnExit.contains(where: { $0.matches(outcome) }) { return nil }
    var seconds = delay.seconds
    for _ in 1..<max(attempt, 1) {
      seconds *= backoff
      if let maxDelay, seconds >= maxDelay.seconds { break }
    }
    if let maxDelay { seconds = min(seconds, maxDelay.seconds) }
    // A year is as good as never, and keeps the sum far from the end of the numbers.
    seconds = min(max(0, seconds * (1 + jitter * (2 * chance - 1))), 366 * 86400)
    return TimeSpan(seconds: seconds)
  }
}

extension Program.Retry.Condition {
  func matches(_ outcome: Outcome) -> Bool {
    switch self {
    case .exit(let code): outcome.exitCode == code && !outcome.timedOut
    case .signal: outcome.signal != nil && !outcome.timedOut
    case .timeout: outcome.timedOut
    }
  }
}
