/// Where a listener is reached: a random name, which it makes its own for as long as it listens.
///
/// On PostgreSQL a channel, on MySQL a user-level lock, with SQLite a socket in the abstract namespace. A name that is
/// random and not a number given by the server (such as a connection's) means nothing to another server, to the same
/// one after a restart, or to a copy of the store, so that a stale one can't hit anybody else.
struct WakeAddress: Sendable, Hashable {
  /// `ev_` and 32 hexadecimal digits: an identifier in each of the three places.
  let name: String

  /// A new one.
  init() {
    let digits = (0..<4).map { _ in
      let part = String(UInt32.random(in: 0...UInt32.max), radix: 16)
      return String(repeating: "0", count: 8 - part.count) + part
    }
    name = "ev_" + digits.joined()
  }

  /// The one that stands in a store; nil if it is none.
  init?(_ name: String) {
    let digits = name.utf8.dropFirst(3)
    guard name.hasPrefix("ev_"), digits.count == 32,
      digits.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) })
    else { return nil }
    self.name = name
  }

  /// The half of it that may be seen by everybody.
  var publicHalf: Substring { name.prefix(19) }
}
