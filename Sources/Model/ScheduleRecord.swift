/// An active schedule as the store shows it.
public struct ScheduleRecord: Sendable, Hashable {
  /// The program.
  public var program: String
  /// The digest of the program version whose schedule it is.
  public var version: String
  /// What the program says.
  public var schedule: Program.Schedule
  /// The first firing not yet decided on; in the past if it is due, paused or waiting.
  public var nextAt: Timestamp
  /// What the schedule's clock shows then, as `2026-11-21T02:00`; nil where this host doesn't know its time zone.
  public var nextLocal: String?
  /// The run for whose end the next firing waits.
  public var waitsFor: String?
  /// The last firing that started a run.
  public var lastAt: Timestamp?
  /// That run; nil if there was none.
  public var lastRun: String?
  /// How that run stands; nil if it is no longer in the store.
  public var lastStatus: RunStatus?
  /// When that run must be over.
  public var lateAt: Timestamp?
  /// The last firing that was left out because nobody was there for it.
  public var missedAt: Timestamp?
  /// Who has paused it.
  public var pausedBy: String?
  /// When.
  public var pausedAt: Timestamp?

  /// A schedule that has not fired yet.
  public init(program: String, version: String, schedule: Program.Schedule, nextAt: Timestamp) {
    self.program = program
    self.version = version
    self.schedule = schedule
    self.nextAt = nextAt
  }

  /// `PROGRAM/NAME`, which is never ambiguous.
  public var fullName: String { program + "/" + schedule.name }
}

/// A schedule that is not as it should be: a fault for monitoring.
public struct LateSchedule: Sendable, Hashable {
  /// What is wrong.
  public enum Fault: Sendable, Hashable {
    /// A firing is due, and nobody fires.
    case notFired
    /// A firing was left out because nobody was there for it, and there has been no other since.
    case missed
    /// The run that it started is not over in time.
    case notEnded(run: String)
  }
  /// The program.
  public var program: String
  /// The schedule's name.
  public var schedule: String
  /// What is wrong.
  public var fault: Fault
  /// The firing.
  public var firesAt: Timestamp
  /// Since when it has been wrong.
  public var since: Timestamp

  /// A fault of these values.
  public init(program: String, schedule: String, fault: Fault, firesAt: Timestamp, since: Timestamp) {
    self.program = program
    self.schedule = schedule
    self.fault = fault
    self.firesAt = firesAt
    self.since = since
  }
}
