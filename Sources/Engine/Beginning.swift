public import Model

/// What a run begins with, in each of its recoveries.
public enum Beginning: Sendable, Hashable {
  /// What its program starts with, in the given sequence or where the program says.
  case program(in: Sequence?)
  /// These events alone: a schedule has started it.
  case events([Program.Start])

  /// What that comes to in `plan`.
  func starts(of plan: Plan) -> (
    events: [Program.Start], nodes: [(target: Plan.Target, sequence: Sequence)]
  ) {
    switch self {
    case .program(let sequence): plan.starts(in: sequence)
    case .events(let events): (events, [])
    }
  }

  /// The first sequence in which something of `plan` starts; `1` if nothing does.
  public func sequence(in plan: Plan) -> Sequence {
    let starts = starts(of: plan)
    return starts.events.first?.sequence ?? starts.nodes.first?.sequence ?? .first
  }
}
