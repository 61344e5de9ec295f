import Model

/// How long a step with `on_cut_off: stop` may go on by itself: its lock in the store is surely good until a time by the
/// local clock, and the step must be dead by then, whatever else happens on this host.
enum Trust {
  /// What is kept between the kill and the end of the trust, in microseconds: a tenth of it, but at least this and at most
  /// that. A kill takes milliseconds; a host that swaps, or steps by the thousand, need more.
  private static let leastReserve: Int64 = 200_000
  private static let mostReserve: Int64 = 2_000_000

  /// When a step is told to end and when it is killed, so that it is dead at `trustedUntil`.
  ///
  /// The kill comes a reserve before. SIGTERM comes `killAfter` before the kill, but at most a third of the trust: with
  /// 30 s, of which the store is asked for more every 10 s, that is after 18 s, so that one renewal may fail without harm.
  ///
  /// - Parameters:
  ///   - trustedUntil: Microseconds since boot, as all times here.
  ///   - now: The present.
  ///   - killAfter: What the step asks for between SIGTERM and SIGKILL.
  static func times(trustedUntil: Int64, now: Int64, killAfter: TimeSpan) -> GuardDeadlines.Times {
    let left = max(0, trustedUntil - now)
    let reserve = min(left / 2, max(leastReserve, min(left / 10, mostReserve)))
    let killAt = trustedUntil - reserve
    let warning = min(max(0, killAfter.microseconds), left / 3)
    // 0 would mean no deadline at all.
    return GuardDeadlines.Times(terminateAt: max(1, killAt - warning), killAt: max(1, killAt))
  }
}
