import Database
import Glibc
import Synchronization

/// Rings on MySQL and MariaDB: asks which connection holds the address's lock, and interrupts its sleep.
///
/// The number is asked for each time, on the connection that kills: numbers begin anew when a server does, and a
/// killed number must not be a stranger's. While a server runs it doesn't use one again, so that a listener which
/// leaves in between is a number that nobody has. Users may kill what their own name runs without further rights.
final class MySQLBell: Bell {
  /// Milliseconds between tries: a listener that is awake goes to sleep again within one or two, longer under load.
  private static let pauses: [UInt32] = [1, 2, 4, 8, 16]

  /// Those that were not found in all tries, and are not waited for again until they are. Agents that died without
  /// taking their address back are in the store for a while.
  private let absent = Mutex<Set<WakeAddress>>([])

  func ring(_ addresses: [WakeAddress], on session: any Session) throws(DatabaseError) {
    var missing = try ringThoseAsleep(addresses, session)
    let known = absent.withLock { absent in
      absent.subtract(Set(addresses).subtracting(missing))
      return absent
    }
    missing.removeAll { known.contains($0) }
    for pause in Self.pauses where !missing.isEmpty {
      usleep(pause * 1000)
      missing = try ringThoseAsleep(missing, session)
    }
    absent.withLock { absent in
      if absent.count > 1000 { absent = [] }
      absent.formUnion(missing)
    }
  }

  /// Returns the others.
  private func ringThoseAsleep(
    _ addresses: [WakeAddress], _ session: any Session
  ) throws(DatabaseError) -> [WakeAddress] {
    var others: [WakeAddress] = []
    for address in addresses {
      guard let row = try session.query("SELECT IS_USED_LOCK(\(address.name))").first,
        let connection = try row.optionalInteger(0)
      else {
        others.append(address)
        continue
      }
      do {
        // KILL takes no bound values in MySQL; this one is a number.
        try session.executeScript("KILL QUERY \(connection)")
      } catch  where !session.isBroken {
        // It has left meanwhile, or is another user's: the rest is rung all the same.
      }
    }
    return others
  }
}
