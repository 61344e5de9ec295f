import CProcess

/// When a step must be dead whatever becomes of its agent.
public struct GuardDeadlines: Sendable, Hashable {
  /// In microseconds as `LocalClock.sinceBoot` has them.
  public struct Times: Sendable, Hashable {
    /// When its processes are told to end, with SIGTERM.
    public var terminateAt: Int64
    /// When they are killed.
    public var killAt: Int64

    /// SIGTERM at one time, SIGKILL at the other.
    public init(terminateAt: Int64, killAt: Int64) {
      self.terminateAt = terminateAt
      self.killAt = killAt
    }
  }

  /// The step.
  public var ticket: UInt64
  /// Its deadlines; nil takes the guard off.
  public var times: Times?

  /// Deadlines of the step `ticket`.
  public init(ticket: UInt64, _ times: Times?) {
    self.ticket = ticket
    self.times = times
  }
}

/// What is said to a keeper, as it reads it. A list longer than a request may be goes out in parts.
enum KeeperRequests {
  private static let mostInOne = 65_536

  static func list(_ kind: evk_request_kind, _ tickets: [UInt64], signal: Int32 = 0) -> [[UInt8]] {
    parts(kind, tickets, signal: signal) { $0 }
  }

  static func `guard`(_ deadlines: [GuardDeadlines]) -> [[UInt8]] {
    parts(EVK_GUARD, deadlines) {
      evk_deadline(
        ticket: $0.ticket, terminate_at: $0.times?.terminateAt ?? 0, kill_at: $0.times?.killAt ?? 0)
    }
  }

  static func stop(_ tickets: [UInt64], killAt: Int64) -> [[UInt8]] {
    parts(EVK_STOP, tickets) { evk_deadline(ticket: $0, terminate_at: 0, kill_at: killAt) }
  }

  static func stopAll(prefix: String, killAt: Int64, ticket: UInt64) -> [UInt8]? {
    var frame = Frame(EVK_STOP_ALL)
    frame.append(evk_stop_all(ticket: ticket, kill_at: killAt))
    frame.append(string: prefix)
    return frame.finished()
  }

  private static func parts<Item, Value: BitwiseCopyable>(
    _ kind: evk_request_kind, _ items: [Item], signal: Int32 = 0, _ value: (Item) -> Value
  ) -> [[UInt8]] {
    stride(from: 0, to: max(1, items.count), by: mostInOne).compactMap { first in
      let part = items[first..<min(first + mostInOne, items.count)]
      var frame = Frame(kind)
      frame.append(evk_ticket_list(signal: UInt32(bitPattern: signal), count: UInt32(part.count)))
      for item in part { frame.append(value(item)) }
      return frame.finished()
    }
  }
}

/// A request under construction: a header with the length, filled in at the end, and what follows it.
struct Frame {
  private var bytes: [UInt8]
  private let kind: UInt32

  init(_ kind: evk_request_kind) {
    self.kind = kind.rawValue
    bytes = Array(repeating: 0, count: MemoryLayout<evk_request>.size)
  }

  mutating func append<Value: BitwiseCopyable>(_ value: Value) {
    withUnsafeBytes(of: value) { bytes.append(contentsOf: $0) }
  }

  mutating func append(text: String) { bytes.append(contentsOf: text.utf8) }

  mutating func append(string: String) {
    bytes.append(contentsOf: string.utf8)
    bytes.append(0)
  }

  consuming func finished() -> [UInt8]? {
    guard bytes.count <= Int(evk_max_request()) else { return nil }
    let head = evk_request(length: UInt32(bytes.count), kind: kind)
    withUnsafeBytes(of: head) { bytes.replaceSubrange(0..<$0.count, with: $0) }
    return bytes
  }
}
