import Database
import Synchronization

/// Schedules that could not be fired from here a moment ago: this machine may lack their time zone. They are left to
/// other hosts for a minute, so that nobody asks for them over and over.
final class UnfitSchedules: Sendable {
  private static let pause: Duration = .seconds(60)
  private let since = Mutex<[Int64: ContinuousClock.Instant]>([:])

  func note(_ key: Int64) { since.withLock { $0[key] = .now } }

  /// A condition on `ev_schedule s`.
  var exclusion: SQL {
    let keys = since.withLock { noted in
      noted = noted.filter { ContinuousClock.now - $0.value < Self.pause }
      return noted.keys.sorted()
    }
    return keys.isEmpty ? "" : " AND s.schedule_key NOT IN \(list: keys)"
  }
}
