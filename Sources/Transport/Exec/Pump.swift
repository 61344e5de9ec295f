import CSSH2
import Glibc

/// Moves bytes between a channel and its ends, until the host closes the channel.
///
/// A sink that is full makes it stop reading that stream; the window that the protocol grants the host then fills, and
/// the command there waits. So nothing grows, whoever is slow.
struct Pump {
  let channel: Channel
  private var inlet: Inlet
  private var outlets: [Outlet]
  private var isInputClosed = false
  private var buffer = [UInt8](repeating: 0, count: 64 << 10)
  private var mark: ProcessMark?
  private let control: RemoteControl?
  /// A forwarded connection is over as soon as one side is: nobody half-closes it.
  private let endsWithEither: Bool

  init(
    _ channel: Channel, inlet: Inlet, outlets: [Outlet], mark: ProcessMark? = nil,
    control: RemoteControl? = nil,
    endsWithEither: Bool = false
  ) {
    self.channel = channel
    self.inlet = inlet
    self.outlets = outlets
    self.mark = mark
    self.control = control
    self.endsWithEither = endsWithEither
  }

  private var wire: Wire { channel.wire }

  /// Pumps until the host has closed the channel. If the task is cancelled, the time is up, or nobody takes the output any
  /// more, the command there is ended.
  mutating func run(until limit: Wire.Limit? = nil) throws {
    do {
      try turn(until: limit)
    } catch is CancellationError {
      endCommand()
      throw CancellationError()
    } catch var error as TransportError where error.kind == .timedOut {
      endCommand()
      error.mend = "see what keeps it busy there"
      throw error
    }
  }

  private mutating func turn(until limit: Wire.Limit?) throws {
    var isToldOfBreak = false
    while true {
      let received = wire.link.received
      while let signal = control?.next() { send(signal) }
      let hasMore = try readOutputs()
      try writeInput()
      if outlets.contains(where: \.isBroken), !isToldOfBreak {
        if endsWithEither { return }
        isToldOfBreak = true
        send(.terminate)
      }
      if endsWithEither, inlet.isOver, inlet.pending.isEmpty, wire.link.backlog == 0 { return }
      if try isClosed() { return }
      // Any call of libssh2 may have taken from the socket what another will be asked for: only if nothing has come
      // since the last look at everything is there nothing to do.
      if hasMore || wire.link.received != received {
        try wire.glance(until: limit)
      } else {
        try wait(until: limit)
      }
    }
  }

  /// Passes on what has come, but comes back now and then however much there is: whether there may be more.
  private mutating func readOutputs() throws -> Bool {
    var turns = 32
    for stream in outlets.indices {
      outlets[stream].flush()
      while outlets[stream].isReady {
        wire.link.allowReading()
        let count = buffer.withUnsafeMutableBytes { bytes in
          libssh2_channel_read_ex(
            channel.pointer, Int32(stream), bytes.baseAddress?.assumingMemoryBound(to: CChar.self),
            bytes.count)
        }
        wire.link.flush()
        if count == 0 || count == LIBSSH2_ERROR_EAGAIN { break }
        turns -= 1
        guard count > 0 else {
          throw wire.anyFailure(Int32(truncatingIfNeeded: count), "output of the command")
        }
        let bytes = buffer[..<count]
        if stream == 0, mark != nil {
          if let passed = mark?.passing(bytes) { outlets[0].take(passed) }
        } else {
          outlets[stream].take(bytes)
        }
        if turns == 0 { return true }
      }
    }
    return false
  }

  private mutating func writeInput() throws {
    guard !isInputClosed else { return }
    inlet.fill()
    while !inlet.pending.isEmpty, wire.link.backlog < 1 << 20 {
      wire.link.allowReading()
      let count = inlet.pending.withUnsafeBytes { bytes in
        libssh2_channel_write_ex(
          channel.pointer, 0, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count)
      }
      wire.link.flush()
      if count == 0 || count == LIBSSH2_ERROR_EAGAIN { return }
      guard count > 0 else { throw wire.anyFailure(Int32(truncatingIfNeeded: count), "input of the command") }
      inlet.pending = inlet.pending.dropFirst(count)
      inlet.fill()
    }
    guard inlet.isOver, inlet.pending.isEmpty else { return }
    let code = try wire.perform(Wire.Limit(wire.patience, "end of input")) {
      libssh2_channel_send_eof(channel.pointer)
    }
    guard code == 0 else { throw wire.anyFailure(code, "end of input") }
    isInputClosed = true
  }

  /// Whether the host has closed the channel and all it said is passed on. The end of output alone is not the end: the
  /// exit status comes after it.
  private mutating func isClosed() throws -> Bool {
    guard libssh2_channel_eof(channel.pointer) != 0 else { return false }
    if let held = mark?.rest() { outlets[0].take(held) }
    guard outlets.allSatisfy(\.isReady) else { return false }
    wire.link.allowReading()
    let code = libssh2_channel_wait_closed(channel.pointer)
    if code == 0 { return true }
    guard code == LIBSSH2_ERROR_EAGAIN else { throw wire.anyFailure(code, "end of the command") }
    return false
  }

  private func wait(until limit: Wire.Limit?) throws {
    var others: [pollfd] = []
    if !isInputClosed, let descriptor = inlet.awaited {
      others.append(pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0))
    }
    for descriptor in outlets.compactMap(\.awaited) {
      others.append(pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0))
    }
    // What nobody takes from the socket must not wake us again and again.
    let isSending = !inlet.pending.isEmpty && wire.link.backlog < 1 << 20
    try wire.wait(until: limit, reading: outlets.contains(where: \.isReady) || isSending, others: &others)
  }

  // MARK: Ending the command

  /// Sends a signal to the command's process group, over a channel of its own. Where the host allows no second one, or
  /// the command has not said its id, nothing is sent.
  private func send(_ signal: RemoteControl.Signal) {
    guard let process = mark?.process else { return }
    let script =
      "kill -s \(signal.rawValue) -- -\(process) 2>/dev/null || kill -s \(signal.rawValue) \(process)"
    _ = try? wire.gather(.script(script), limit: 4096, within: .seconds(5))
  }

  /// Asks the command to end, then makes it, then leaves it: a few seconds in all.
  private mutating func endCommand() {
    let interruption = wire.interruption
    wire.interruption = nil
    defer { wire.interruption = interruption }
    guard mark != nil else { return }
    for index in outlets.indices { outlets[index].discard() }
    inlet.end()
    // A command that has hardly begun has not said its id yet.
    if mark?.process == nil, (try? turn(until: Wire.Limit(.seconds(1), "start of the command"))) != nil {
      return
    }
    for (signal, time) in [(RemoteControl.Signal.terminate, 5), (.kill, 2)] {
      send(signal)
      do {
        try turn(until: Wire.Limit(.seconds(time), "end of the command"))
        return
      } catch let error as TransportError where error.kind == .timedOut {
        continue
      } catch {
        return
      }
    }
  }
}

/// Finds the line in which a command says its process id, and takes it out of the output.
struct ProcessMark {
  /// What the line begins with: nobody else writes that.
  let text: String
  /// The id, once it is known.
  private(set) var process: Int?
  private var held: [UInt8] = []
  private var isOver = false

  init() { text = "eventor-" + String(UInt64.random(in: 0...UInt64.max), radix: 36) }

  /// What of the output is passed on now. What a login shell prints itself comes before the line, and is none of it.
  mutating func passing(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    if isOver { return bytes }
    held += bytes
    let start = held.firstRange(of: Array((text + " ").utf8))
    if let start, let end = held[start.upperBound...].firstIndex(of: UInt8(ascii: "\n")) {
      process = Int(String(decoding: held[start.upperBound..<end], as: UTF8.self))
      return over(held[(end + 1)...])
    }
    // Something else than a POSIX shell: what it says is its own affair.
    return held.count > 64 << 10 ? over(held[...]) : []
  }

  /// What was held back, at the end of the output.
  mutating func rest() -> ArraySlice<UInt8>? { isOver || held.isEmpty ? nil : over(held[...]) }

  private mutating func over(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    isOver = true
    held = []
    return bytes
  }
}
