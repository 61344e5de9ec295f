import Testing

/// The protocol without one safeguard, where that shows, and what comes of it.
struct BrokenVariant: Sendable, CustomTestStringConvertible {
  let safeguard: Safeguard
  let setting: Setting
  let finding: String

  init(_ safeguard: Safeguard, _ setting: Setting, _ finding: String) {
    self.safeguard = safeguard
    self.setting = setting
    self.finding = finding
  }

  init(_ safeguard: Safeguard, _ setting: Setting, _ breach: Breach) {
    self.init(safeguard, setting, breach.sentence)
  }

  var testDescription: String { "not: \(safeguard.sentence)" }

  private static let stopped = Setting.stopped.with { $0.slowAnswers = false }
  private static let kept = Setting.kept.with { $0.slowAnswers = false }
  private static let late = stopped.with { $0.lateRequests = true }
  private static let failing = kept.with { $0.onLost = .fail }
  private static let twoHosts = kept.with {
    $0.placement = .group
    $0.hosts = [0, 1]
  }

  static let all: [BrokenVariant] = [
    .init(.takingRaisesFence, late.with { $0.retries = true }, .lateEnd),
    .init(.endCarriesFence, stopped, .lateEnd),
    .init(.endNeedsRunning, stopped, .secondEnd),
    .init(.claimNeedsReady, stopped, .takenWhileHeld),
    .init(.renewalComparesFence, stopped, .startAfterTheEnd),
    .init(.lossesAreCounted, stopped, .lostTooOften),
    .init(.trustFromBegin, .stopped, .startAfterTheEnd),
    .init(.keeperGuards, stopped, .twoProcesses),
    .init(.startHasDeadline, stopped, .startAfterTheEnd),
    .init(.databaseClockDecides, stopped, .startAfterTheEnd),
    .init(.outageGrace, stopped.with { $0.outages = true }, .absenceExpired),
    .init(.graceInTransaction, late.with { $0.outages = true }, .absenceExpired),
    .init(.expiryInTransaction, late, .liveLockExpired),
    .init(.olderRenewalIsIgnored, stopped, .lawfulStepStopped),
    .init(.takingUnderWayIsNotUnknown, stopped, .lawfulStepStopped),
    .init(.unknownIsTakenAnew, stopped, "the task never ends"),
    .init(.deadAreLookedForAgain, kept, "the task never ends"),
    .init(.losingStops, failing, "the step is never stopped, though its task has ended"),
    .init(.onlyFromTheDead, kept, .startAfterTheEnd),
    .init(.evidenceBeforeStart, kept, .twoProcesses),
    .init(.endsAreRead, kept, .endForgotten),
    .init(.keeperRefusesForTheDead, kept, .startAfterTheEnd),
    .init(.announceThenCheck, kept, .startAfterTheEnd),
    .init(.adopterMovesGuard, stopped, .needlessGuard),
    .init(.keptIsNotExpired, twoHosts, .twoProcesses),
    .init(.leftoversEndFirst, failing.with { $0.reruns = true }, .twoProcesses),
    .init(
      .unresolvedStaysOnHost,
      twoHosts.with {
        $0.onLost = .fail
        $0.reruns = true
      }, .twoProcesses),
    .init(.leftoversAreSwept, failing, "the step is never stopped, though its task has ended"),
  ]
}
