import Glibc

/// Wakes a thread that sits in poll(2), as often as wanted; ``StopSignal`` is for what happens once.
public final class Waker: Sendable {
  /// What the thread polls, together with what else it waits for.
  public let descriptor: Int32
  private let ringingEnd: Int32

  /// A waker that is quiet; nil if the process has no descriptor left.
  public init?() {
    var ends: [Int32] = [-1, -1]
    // Not a pipe, for the reason given in `StopSignal`.
    let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
    guard socketpair(AF_UNIX, type, 0, &ends) == 0 else { return nil }
    (descriptor, ringingEnd) = (ends[0], ends[1])
  }

  deinit {
    close(descriptor)
    close(ringingEnd)
  }

  /// Makes the descriptor readable. Doesn't block: once that is full, it has been rung often enough.
  public func ring() {
    var byte: UInt8 = 1
    _ = write(ringingEnd, &byte, 1)
  }

  /// Makes it quiet again; what it was rung for is looked at afterwards.
  public func quieten() {
    var bytes = [UInt8](repeating: 0, count: 256)
    while read(descriptor, &bytes, bytes.count) > 0 {}
  }
}
