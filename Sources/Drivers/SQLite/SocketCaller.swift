import Database

/// Rings the listeners of an SQLite store: sending never blocks, so it is done at once, by whoever rings.
final class SocketCaller: WakeCaller {
  private let socket = WakeSocket()

  func ring(_ addresses: [String]) {
    for address in addresses {
      guard let address = WakeAddress(address) else { continue }
      socket?.ring(address)
    }
  }

  /// Nothing waits here.
  func close() async {}
}
