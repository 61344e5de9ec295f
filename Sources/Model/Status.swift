/// The state of a run.
public enum RunStatus: String, Sendable, Codable, CaseIterable {
  case running, paused, success, failure, cancelled

  /// Whether nothing more happens unless someone asks.
  public var isOver: Bool { self != .running && self != .paused }

  /// Whether a run may go from this state to `next`. An ended run runs again when it is recovered, rerun in part,
  /// or gets an event from outside.
  public func mayBecome(_ next: RunStatus) -> Bool {
    switch (self, next) {
    case (.running, .paused), (.paused, .running): true
    case (.running, .success), (.running, .failure), (.running, .cancelled): true
    case (.paused, .success), (.paused, .failure), (.paused, .cancelled): true
    case (.success, .running), (.failure, .running), (.cancelled, .running): true
    default: false
    }
  }
}

/// The state of a task.
public enum TaskStatus: String, Sendable, Codable, CaseIterable {
  /// For a delay, a host or a resource.
  case waiting
  /// Any agent of its host may take it.
  case ready
  /// An agent holds it.
  case running
  case success, failure, cancelled

  /// Whether the task has ended.
  public var isOver: Bool { self == .success || self == .failure || self == .cancelled }

  /// Whether a task may go from this state to `next`.
  public func mayBecome(_ next: TaskStatus) -> Bool {
    switch (self, next) {
    case (.waiting, .ready), (.ready, .waiting), (.waiting, .running), (.ready, .running): true
    // Given back unstarted, lost with its agent, or tried again after a delay.
    case (.running, .ready), (.running, .waiting): true
    case (.running, .success), (.running, .failure), (.running, .cancelled): true
    // Marked by hand, repeated by a recovery, or never able to start.
    case (.waiting, .success), (.waiting, .failure), (.ready, .success), (.ready, .failure): true
    case (.waiting, .cancelled), (.ready, .cancelled): true
    default: false
    }
  }
}

/// The state of a loop or of one iteration.
public enum LoopStatus: String, Sendable, Codable, CaseIterable {
  case running, success, failure, cancelled

  /// Whether it has ended.
  public var isOver: Bool { self != .running }
}
