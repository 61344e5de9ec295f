public import Model

/// What is done with the firings of a schedule that are due (rule 16).
public enum FiringDecision: Sendable, Hashable {
  /// What is due before that moment was missed and is left out; nothing is made up.
  case leaveOut(before: Timestamp)
  /// The firing at that moment does its deed; what is due before it was missed and is left out.
  case carryOut(Deed, at: Timestamp)

  /// What becomes of one firing.
  public enum Deed: Sendable, Hashable {
    /// It starts a run.
    case fire
    /// It cancels the former run and starts one.
    case replace
    /// It stays due until the former run is over.
    case wait
    /// It is left out, because the former run still goes.
    case skip
  }

  /// What is due, and how things stand.
  public struct Facts: Sendable, Hashable {
    /// The schedule.
    public var schedule: Program.Schedule
    /// The first firing that is due.
    public var first: Timestamp
    /// The last one; not before ``first``.
    public var last: Timestamp
    /// Whether the first one has been kept waiting for the former run.
    public var isWaiting = false
    /// Whether the former run still goes.
    public var formerGoes = false
    /// The database's clock.
    public var now: Timestamp

    /// The firings from `first` to `last` are due at `now`.
    public init(schedule: Program.Schedule, first: Timestamp, last: Timestamp, now: Timestamp) {
      self.schedule = schedule
      self.first = first
      self.last = last
      self.now = now
    }
  }

  /// Decides on the first of the firings that are due. What that leaves is decided on next.
  ///
  /// A firing within ``Program/Schedule/tolerance`` of its time is on time, and `overlap` decides alone. One for whose
  /// time nobody was there was missed, and `catch_up` decides first. What `all` makes up waits for the former run
  /// whatever `overlap` says: left out or cancelled, it would not be made up.
  public init(_ facts: Facts) {
    let catchUp = facts.schedule.catchUp
    let punctual = Timestamp(
      microseconds: facts.now.microseconds - Program.Schedule.tolerance.microseconds)
    let isMissed = facts.first < punctual
    if isMissed, catchUp == .none, !facts.isWaiting {
      self = .leaveOut(before: punctual)
    } else {
      let deed = Self.deed(facts, isMadeUp: isMissed && catchUp == .all)
      self = .carryOut(deed, at: isMissed && catchUp == .last ? facts.last : facts.first)
    }
  }

  private static func deed(_ facts: Facts, isMadeUp: Bool) -> Deed {
    guard facts.formerGoes else { return .fire }
    if isMadeUp { return .wait }
    switch facts.schedule.overlap {
    case .skip: return .skip
    case .queue: return .wait
    case .replace: return .replace
    }
  }
}
