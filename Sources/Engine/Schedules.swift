public import Model

/// What agents do for schedules. Any of them may at any time: the store decides who fires, and each firing once.
public protocol ScheduleDriver: Sendable {
  /// Fires what is due by the database's clock, for at most `limit` schedules, each in a transaction of its own.
  ///
  /// A schedule whose turn another caller has taken is passed over without waiting. Runs are left to agents: they are
  /// not standalone. Steps that name no place run on `host`, as those of a run started by hand do where that was.
  ///
  /// - Throws: Errors of the database. What is wrong with one schedule is a ``ScheduleFirings/Problem``.
  func fireSchedules(limit: Int, host: String) async throws -> ScheduleFirings
  /// Microseconds until ``fireSchedules(limit:host:)`` may find something, 0 if it will now; nil if nothing is
  /// scheduled. While a firing waits for a run, that is at most five seconds: nobody is told of the run's end.
  func nextScheduleDue() async throws -> Int64?
}

/// What people do with schedules, and what is to be known of them.
public protocol ScheduleControl: Sendable {
  /// Stores a program version, as ``RunRegistry/register(_:by:)`` does, and makes its schedules those of the program:
  /// new ones begin, those that other versions had and this one has not end. One of the same name keeps its pause and
  /// its last firing, and with the same cron line and time zone what is due.
  ///
  /// - Throws: ``StoreError`` where a schedule could never start a run; nothing is stored then.
  func registerWithSchedules(_ program: Program, by user: String) async throws -> (
    ProgramVersion, [ScheduleRecord]
  )
  /// Active schedules, ordered by program and name; all of them, or those of one program.
  func schedules(of program: String?) async throws -> [ScheduleRecord]
  /// The schedule called `name`, which may be written PROGRAM/NAME. Throws if there is none, or several.
  func schedule(named name: String) async throws -> ScheduleRecord
  /// Nothing fires until ``resumeSchedule(_:by:)``. False if it had been paused before, and that pause stands.
  func pauseSchedule(_ name: String, by user: String) async throws -> (ScheduleRecord, isNew: Bool)
  /// Undoes ``pauseSchedule(_:by:)``; nil in place of the firings that this makes due if it was not paused.
  func resumeSchedule(_ name: String, by user: String) async throws -> (ScheduleRecord, MadeUpFirings?)
  /// Everything that is not as it should be, for monitoring.
  func lateSchedules() async throws -> [LateSchedule]
}

/// What ``ScheduleDriver/fireSchedules(limit:host:)`` did.
public struct ScheduleFirings: Sendable, Hashable {
  /// What became of a firing.
  public enum Outcome: Sendable, Hashable {
    /// It started a run.
    case fired(run: String)
    /// It was left out because that run still goes.
    case skipped(because: String)
    /// It, and all others up to that moment, were left out because nobody was there for them.
    case missed(through: Timestamp)
    /// It waits for the end of that run.
    case waiting(for: String)
  }

  /// A firing that was decided on.
  public struct Firing: Sendable, Hashable {
    /// The program.
    public let program: String
    /// The schedule's name.
    public let schedule: String
    /// The moment it is for.
    public let at: Timestamp
    /// What became of it.
    public let outcome: Outcome

    /// A firing of these values.
    public init(program: String, schedule: String, at: Timestamp, outcome: Outcome) {
      self.program = program
      self.schedule = schedule
      self.at = at
      self.outcome = outcome
    }
  }

  /// A schedule that is due and can't be fired from here: another host may be able to. It is not looked at again by
  /// this store for a minute.
  public struct Problem: Sendable, Hashable {
    /// The program.
    public let program: String
    /// The schedule's name.
    public let schedule: String
    /// What is wrong, and how to mend it.
    public let message: String

    /// A problem of these values.
    public init(program: String, schedule: String, message: String) {
      self.program = program
      self.schedule = schedule
      self.message = message
    }
  }

  /// The firings, in the order in which they were decided on.
  public var firings: [Firing] = []
  /// What could not be fired from here.
  public var problems: [Problem] = []

  /// Nothing.
  public init() {}
}

/// What becomes of the firings of a pause.
public struct MadeUpFirings: Sendable, Hashable {
  /// One of them.
  public struct Firing: Sendable, Hashable {
    /// The moment it is for.
    public let at: Timestamp
    /// What the schedule's clock shows then, as `2026-11-21T02:00`.
    public let local: String

    /// A firing at `at`.
    public init(at: Timestamp, local: String) {
      self.at = at
      self.local = local
    }
  }

  /// Whether anything came due during the pause.
  public let isDue: Bool
  /// The first of those that still start a run.
  public let firings: [Firing]
  /// Whether there are more than are listed.
  public let hasMore: Bool

  /// These firings.
  public init(isDue: Bool, firings: [Firing], hasMore: Bool) {
    self.isDue = isDue
    self.firings = firings
    self.hasMore = hasMore
  }
}
