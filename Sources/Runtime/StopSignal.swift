import Glibc

/// Ends the waiting of a thread that sits in poll(2): once set, it stays set.
public final class StopSignal: Sendable {
  /// Why a wait was over.
  public enum Outcome: Sendable, Hashable {
    /// The signal is set; this is said first where more than one is true.
    case stopped
    /// The descriptor has something to read, or was closed at its other end.
    case readable
    /// The time is up.
    case timeout
  }

  /// The end of a pair of sockets in which a byte lies once the signal is set.
  private let waitingEnd: Int32
  private let settingEnd: Int32

  /// A signal that is not set; nil if the process has no descriptor left.
  public init?() {
    var ends: [Int32] = [-1, -1]
    // Not a pipe: only a socket gets its flags together with its descriptor, in what Swift can import of Glibc.
    let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
    guard socketpair(AF_UNIX, type, 0, &ends) == 0 else { return nil }
    (waitingEnd, settingEnd) = (ends[0], ends[1])
  }

  deinit {
    close(waitingEnd)
    close(settingEnd)
  }

  /// Whether it is set.
  public var isSet: Bool { wait(upTo: .zero) }

  /// Sets it, for good. Doesn't block: once that is full, it has been set often enough.
  public func set() {
    var byte: UInt8 = 1
    _ = write(settingEnd, &byte, 1)
  }

  /// Waits until it is set, but no longer than `limit`; returns whether it is. Blocks its thread.
  @discardableResult
  public func wait(upTo limit: Duration) -> Bool { wait(reading: -1, upTo: limit) == .stopped }

  /// Waits until it is set or `descriptor` can be read, but no longer than `limit` (nil: for ever; beyond 11 days
  /// it counts as those). Blocks its thread.
  public func wait(reading descriptor: Int32, upTo limit: Duration? = nil) -> Outcome {
    let deadline = limit.map { ContinuousClock.now + $0 }
    // poll(2) leaves out an entry with a negative descriptor.
    var entries = [
      pollfd(fd: waitingEnd, events: Int16(POLLIN), revents: 0),
      pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
    ]
    while true {
      let left = deadline.map { max(.zero, $0 - ContinuousClock.now) / Duration.milliseconds(1) }
      let count = poll(&entries, 2, left.map { Int32(min($0.rounded(.up), 1e9)) } ?? -1)
      if entries[0].revents != 0 { return .stopped }
      if entries[1].revents != 0 { return .readable }
      if count == 0 { return .timeout }
    }
  }
}
