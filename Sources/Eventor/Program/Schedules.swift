import Model

/// What becomes of firings for whose time nobody was there: agents were down, or the schedule was paused.
public enum MissedFirings: Sendable, Hashable {
  /// They are left out.
  case none
  /// The latest is made up.
  case last
  /// Each is made up, one after the other.
  case all

  var model: Program.Schedule.CatchUp {
    switch self {
    case .none: .none
    case .last: .last
    case .all: .all
    }
  }
}

/// What a firing does while the former run still goes.
public enum OverlappingFiring: Sendable, Hashable {
  /// It is left out.
  case skip
  /// It waits for the end of that run.
  case queue
  /// It cancels that run.
  case replace

  var model: Program.Schedule.Overlap {
    switch self {
    case .skip: .skip
    case .queue: .queue
    case .replace: .replace
    }
  }
}
