extension Program {
  /// When runs of the program start by themselves (rule 16).
  public struct Schedule: Sendable, Hashable, Codable {
    /// What becomes of firings for whose time nobody was there: agents were down, or the schedule was paused.
    public enum CatchUp: String, Sendable, Codable, CaseIterable {
      /// They are left out.
      case none
      /// The latest is made up.
      case last
      /// Each is made up, one after the other.
      case all
    }

    /// What a firing does while the former run still goes.
    public enum Overlap: String, Sendable, Codable, CaseIterable {
      /// It is left out.
      case skip
      /// It waits for the end of that run.
      case queue
      /// It cancels that run.
      case replace
    }

    /// The name, one of those of this program's schedules.
    public var name: String
    /// The cron line.
    public var cron: String
    /// By whose clock it is read: a name of the time zone database.
    public var timeZone = Schedule.defaultTimeZone
    /// The only event that a run started by it begins with.
    public var event: String
    /// What becomes of missed firings.
    public var catchUp: CatchUp = .last
    /// What a firing does while the former run still goes.
    public var overlap: Overlap = .skip
    /// How long after its time a run must be over; nil: it is never late.
    public var lateAfter: TimeSpan?

    /// The zone where none is said: hosts differ in theirs, and any agent may fire.
    public static let defaultTimeZone = "UTC"
    /// The longest name: with the date and time that follow it a sequence has its 64 characters.
    public static let maximumNameLength = 45
    /// How long after its time a firing is still on time; later it was missed, and `catch_up` decides.
    public static let tolerance = TimeSpan(seconds: 60)

    /// `event` at the times of `cron`.
    public init(name: String, cron: String, event: String) {
      self.name = name
      self.cron = cron
      self.event = event
    }

    /// The sequence of a firing at `localTime`, written as `2026-11-21T02:00`.
    ///
    /// - Parameter isSecondPass: Whether clocks have been put back, and have shown that time before.
    public func sequence(at localTime: String, isSecondPass: Bool) -> Sequence {
      Sequence("\(name)_\(localTime)" + (isSecondPass ? ".2" : ""))
    }
  }

  /// Parameters without which no schedule can start a run: those that must be given a value and have no default.
  public var parametersNoScheduleCanGive: [Parameter] {
    parameters.filter { $0.required && $0.defaultValue == nil }
  }

  /// The values with which a schedule starts a run.
  public var scheduledParameters: [String: JSONValue] {
    var values: [String: JSONValue] = [:]
    for parameter in parameters where !parameter.secret { values[parameter.name] = parameter.defaultValue }
    return values
  }
}
