/// What a short command said and how it ended.
public struct RemoteOutcome: Sendable, Hashable {
  /// How it ended.
  public let end: RemoteEnd
  /// Its standard output, up to the limit asked for.
  public let output: [UInt8]
  /// Its standard error, up to the same limit.
  public let error: [UInt8]
  /// Whether there was more of one of them.
  public let isCut: Bool

  /// The output as text, without the line's end.
  public var text: String { String(decoding: output, as: UTF8.self).trimmedAtEnd }
  /// The error output as text, without the line's end.
  public var errorText: String { String(decoding: error, as: UTF8.self).trimmedAtEnd }
}

extension Wire {
  /// Carries out `command`, with its streams as given.
  func execute(
    _ command: RemoteCommand, input: ByteSource, output: Outlet, error: Outlet, control: RemoteControl?,
    within time: Duration? = nil
  ) throws -> RemoteEnd {
    let mark = control == nil ? nil : ProcessMark()
    let line = try command.line(mark: mark?.text)
    let limit = Limit(patience, "start of a command")
    let channel = try Channel.session(self, limit: limit)
    defer { channel.close() }
    try channel.start(line, limit: limit)
    var pump = Pump(channel, inlet: Inlet(input), outlets: [output, error], mark: mark, control: control)
    try pump.run(until: time.map { Limit($0, "a command") })
    return channel.end()
  }

  /// Carries out a short command and returns all it says, up to `limit` bytes of each stream.
  func gather(
    _ command: RemoteCommand, input: [UInt8] = [], limit: Int, within time: Duration? = nil
  ) throws -> RemoteOutcome {
    let (output, error) = (Outlet.Gathered(limit: limit), Outlet.Gathered(limit: limit))
    let end = try execute(
      command, input: .bytes(input), output: Outlet(output), error: Outlet(error), control: nil,
      within: time)
    return RemoteOutcome(
      end: end, output: output.bytes, error: error.bytes, isCut: output.isCut || error.isCut)
  }
}

extension String {
  fileprivate var trimmedAtEnd: String {
    var text = self[...]
    while let last = text.last, last.isNewline { text.removeLast() }
    return String(text)
  }
}
