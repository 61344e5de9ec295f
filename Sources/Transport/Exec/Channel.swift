import CSSH2

/// One channel of a session: a command, a forwarded connection.
final class Channel {
  let wire: Wire
  let pointer: OpaquePointer
  private var isFreed = false

  private init(_ wire: Wire, _ pointer: OpaquePointer) {
    self.wire = wire
    self.pointer = pointer
  }

  /// A channel for a command.
  static func session(_ wire: Wire, limit: Wire.Limit) throws -> Channel {
    // The library's own default, which Swift can't import.
    let window: UInt32 = 2 << 20
    let made = try wire.make(limit) {
      libssh2_channel_open_ex(
        wire.session, "session", 7, window, UInt32(LIBSSH2_CHANNEL_PACKET_DEFAULT), nil, 0)
    }
    guard let made else { throw wire.anyFailure(wire.lastError.code, "opening a channel") }
    return Channel(wire, made)
  }

  /// A connection that the host makes to `target` and passes on.
  static func connection(_ wire: Wire, to target: String, port: Int, limit: Wire.Limit) throws -> Channel {
    let made = try wire.make(limit) {
      libssh2_channel_direct_tcpip_ex(wire.session, target, Int32(port), "127.0.0.1", 22)
    }
    guard let made else { throw wire.anyFailure(wire.lastError.code, "connecting on to \(target):\(port)") }
    return Channel(wire, made)
  }

  /// Has the host carry out `line` with the login shell.
  func start(_ line: [UInt8], limit: Wire.Limit) throws {
    let code = try wire.perform(limit) {
      line.withUnsafeBufferPointer { bytes in
        bytes.withMemoryRebound(to: CChar.self) {
          libssh2_channel_process_startup(pointer, "exec", 4, $0.baseAddress, UInt32($0.count))
        }
      }
    }
    guard code == 0 else { throw wire.anyFailure(code, "starting a command") }
  }

  /// How the command ended, once the host has closed the channel.
  ///
  /// libssh2 can't tell a status that never came from 0; sshd always sends one before it closes a channel.
  func end() -> RemoteEnd {
    var name: UnsafeMutablePointer<CChar>?
    var length = 0
    libssh2_channel_get_exit_signal(pointer, &name, &length, nil, nil, nil, nil)
    if let name {
      defer { libssh2_free(wire.session, name) }
      return .signalled(String(decoding: UnsafeRawBufferPointer(start: name, count: length), as: UTF8.self))
    }
    return .exited(Int(libssh2_channel_get_exit_status(pointer)))
  }

  /// Closes the channel and waits a moment for the host to do so. Where that fails, it ends with the session.
  func close() {
    guard !isFreed else { return }
    let interruption = wire.interruption
    wire.interruption = nil
    defer { wire.interruption = interruption }
    if let code = try? wire.perform(Wire.Limit(.seconds(2), "closing"), { libssh2_channel_free(pointer) }) {
      isFreed = code == 0
    }
  }
}
