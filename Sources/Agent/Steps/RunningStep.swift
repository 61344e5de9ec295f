import Model

/// What the executor knows of a step that was begun and has not ended.
struct RunningStep {
  /// Its precondition's, which may have left something behind, and then its own.
  var tickets: [UInt64] = []
  /// Its processes, if an earlier agent's keeper started it.
  var foreign: ForeignStep?
  /// Set when a stop or timeout was asked for, perhaps before the process was there.
  var stop: (reason: String, isTimeout: Bool)?
  /// Between SIGTERM and SIGKILL.
  let killAfter: TimeSpan
  /// Whether it must be dead when nobody can vouch for its lock any more.
  let isGuarded: Bool
  /// Until when its lock is surely good, in microseconds since boot; nil: nobody has said. Nothing of it is started later,
  /// whatever its `on_cut_off` is.
  var trustedUntil: Int64?
  /// Ends it when it has run for too long.
  var timeout: Task<Void, Never>?

  /// A step whose lock is good until `trustedUntil`, as far as that is known.
  init(_ step: Program.Step, trustedUntil: Int64?) {
    killAfter = step.killAfter ?? Program.Step.defaultKillAfter
    isGuarded = step.cutOffPolicy == .stop
    self.trustedUntil = trustedUntil
  }

  /// When it must be told to end and be killed; nil: it is not guarded.
  var deadlines: GuardDeadlines.Times? {
    guard isGuarded, let trustedUntil else { return nil }
    return Trust.times(trustedUntil: trustedUntil, now: LocalClock.sinceBoot, killAfter: killAfter)
  }
}
