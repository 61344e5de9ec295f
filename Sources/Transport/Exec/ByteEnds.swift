import Glibc

/// Where a remote command's standard input comes from.
public enum ByteSource: Sendable {
  /// It is at its end from the beginning.
  case none
  /// These bytes.
  case bytes([UInt8])
  /// A descriptor, read when there is something to read; it stays open.
  case descriptor(Int32)
  /// What a task writes.
  case pipe(BytePipe)
}

/// Where a remote command's output goes.
public enum ByteSink: Sendable {
  /// Nowhere.
  case discard
  /// A descriptor, written to when it takes something; it stays open.
  case descriptor(Int32)
  /// A task that reads. It has to, or the command waits.
  case pipe(BytePipe)
}

/// A source as a pump uses it: the next bytes, of which no more are taken than the channel can carry away.
struct Inlet {
  private let source: ByteSource
  /// Bytes that wait to be sent.
  var pending: ArraySlice<UInt8> = []
  /// Whether nothing will come after ``pending``.
  private(set) var isOver = false

  init(_ source: ByteSource) {
    self.source = source
    switch source {
    case .none: isOver = true
    case .bytes(let bytes):
      pending = bytes[...]
      isOver = true
    case .descriptor, .pipe: break
    }
  }

  /// The descriptor to wait for.
  var awaited: Int32? {
    if case .descriptor(let descriptor) = source, pending.isEmpty, !isOver { return descriptor }
    return nil
  }

  /// Takes what is there, if all that was taken before is sent.
  mutating func fill() {
    guard pending.isEmpty, !isOver else { return }
    switch source {
    case .none, .bytes: break
    case .pipe(let pipe):
      if let bytes = pipe.take(32 << 10) { pending = bytes[...] } else { isOver = true }
    case .descriptor(let descriptor):
      var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      guard poll(&entry, 1, 0) > 0 else { return }
      var buffer = [UInt8](repeating: 0, count: 32 << 10)
      let count = read(descriptor, &buffer, buffer.count)
      if count > 0 {
        pending = buffer[..<count]
      } else if count == 0 || (errno != EINTR && errno != EAGAIN) {
        isOver = true
      }
    }
  }

  /// Takes nothing more.
  mutating func end() {
    pending = []
    isOver = true
  }
}

/// A sink as a pump uses it: takes the next bytes only when it has passed on the last.
struct Outlet {
  /// Everything up to a limit, for those who want it whole.
  final class Gathered {
    let limit: Int
    private(set) var bytes: [UInt8] = []
    /// Whether there was more.
    private(set) var isCut = false

    init(limit: Int) { self.limit = limit }

    func take(_ more: ArraySlice<UInt8>) {
      bytes += more.prefix(limit - bytes.count)
      if bytes.count == limit, !more.isEmpty { isCut = true }
    }
  }

  private enum Kind {
    case discard
    case descriptor(Int32, blocks: Bool)
    case pipe(BytePipe)
    case gathered(Gathered)
  }

  private var kind: Kind
  private var pending: ArraySlice<UInt8> = []
  /// Whether nobody takes anything any more; what comes is dropped.
  private(set) var isBroken = false

  init(_ sink: ByteSink) {
    kind =
      switch sink {
      case .discard: .discard
      case .descriptor(let descriptor):
        .descriptor(descriptor, blocks: fcntl(descriptor, F_GETFL) & O_NONBLOCK == 0)
      case .pipe(let pipe): .pipe(pipe)
      }
  }

  init(_ gathered: Gathered) { kind = .gathered(gathered) }

  /// Whether it takes more.
  var isReady: Bool { pending.isEmpty }

  /// The descriptor whose room is waited for.
  var awaited: Int32? {
    if case .descriptor(let descriptor, _) = kind, !pending.isEmpty { return descriptor }
    return nil
  }

  /// Takes bytes, when it is ready.
  mutating func take(_ bytes: ArraySlice<UInt8>) {
    pending += bytes
    flush()
  }

  /// Passes on what it can without waiting.
  mutating func flush() {
    while !pending.isEmpty {
      let count: Int
      switch kind {
      case .discard: count = pending.count
      case .gathered(let gathered):
        gathered.take(pending)
        count = pending.count
      case .pipe(let pipe):
        if pipe.room == nil { isBroken = true }
        count = pipe.put(pending)
      case .descriptor(let descriptor, let blocks): count = write(descriptor, blocks: blocks)
      }
      if count == 0 { return }
      pending = pending.dropFirst(count)
    }
  }

  /// Drops everything from now on.
  mutating func discard() {
    kind = .discard
    pending = []
  }

  /// A descriptor that may block is written to in pieces that a pipe with room takes at once (pipe(7)).
  private mutating func write(_ descriptor: Int32, blocks: Bool) -> Int {
    var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
    guard poll(&entry, 1, 0) > 0 else { return 0 }
    let length = blocks ? min(pending.count, Int(PIPE_BUF)) : pending.count
    let count = pending.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, length) }
    if count > 0 { return count }
    if errno == EINTR || errno == EAGAIN { return 0 }
    isBroken = true
    return pending.count
  }
}
