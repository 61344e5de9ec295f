import Dispatch
public import Glibc
import Synchronization

/// Signals while steps run, such as Ctrl-C: handed on one by one.
///
/// A handler of our own writes to a pipe. A dispatch source for signals lost one in twenty here: on Linux it blocks the
/// signal in the thread that gets it and raises it again there, where nobody reads it.
public final class Interrupts: Sendable {
  /// There is no pipe to be had, and so no signals.
  public struct NoPipe: Error, CustomStringConvertible {
    let reason: String

    /// What failed, and why.
    public var description: String { "can't make a pipe: \(reason); let this process open more files" }
  }

  private let numbers: [Int32]
  // Resumed here, cancelled once; nothing else touches it, and dispatch sources may be used on any thread.
  private nonisolated(unsafe) let source: any DispatchSourceRead

  /// Calls `body` for each of the signals `numbers` that comes, with the signal and how many have come by then.
  ///
  /// - Throws: ``NoPipe``.
  public init(
    _ numbers: [Int32] = [SIGINT, SIGTERM],
    _ body: @escaping @Sendable (_ signal: Int32, _ count: Int) -> Void
  ) throws {
    self.numbers = numbers
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { throw NoPipe(reason: String(cString: strerror(errno))) }
    for end in ends {
      _ = fcntl(end, F_SETFD, FD_CLOEXEC)
      _ = fcntl(end, F_SETFL, O_NONBLOCK)
    }
    let (read, write) = (ends[0], ends[1])
    let count = Mutex(0)
    source = DispatchSource.makeReadSource(
      fileDescriptor: read, queue: DispatchQueue(label: "eventor.signals"))
    source.setEventHandler {
      var byte: UInt8 = 0
      while Glibc.read(read, &byte, 1) == 1 {
        let number = count.withLock { count in
          count += 1
          return count
        }
        body(Int32(byte), number)
      }
    }
    source.setCancelHandler {
      close(read)
      close(write)
    }
    source.resume()
    interruptPipe = write
    for number in numbers { Glibc.signal(number, noteInterrupt) }
  }

  /// Gives the signals back their usual meaning.
  public func stop() {
    for number in numbers { Glibc.signal(number, SIG_DFL) }
    interruptPipe = -1
    source.cancel()
  }
}

// Set before the handlers are, and taken back after them: one process drives one run at a time.
private nonisolated(unsafe) var interruptPipe: Int32 = -1

/// The handler: nothing but a write is allowed here.
private func noteInterrupt(_ number: Int32) {
  let former = errno
  var byte = UInt8(truncatingIfNeeded: number)
  _ = Glibc.write(interruptPipe, &byte, 1)
  errno = former
}
