import Model

/// How a node stands in a run, over all its sequences.
struct GraphState: Sendable, Hashable {
  /// Ordered from the worst.
  enum Mark: String, Sendable, CaseIterable {
    case failure, cancelled, running, ready, waiting, skipped, success
    /// An event that was triggered.
    case triggered
    /// Nothing happened there yet.
    case untouched
  }

  let mark: Mark
  /// What is written on the node: `success 1.2s`, `1 failure, 3 success`; nil where nothing happened.
  let text: String?

  static let untouched = GraphState(mark: .untouched, text: nil)

  /// The states of a run's nodes, found by name.
  struct All {
    fileprivate var tasks: [String: [TaskRecord]] = [:]
    fileprivate var loops: [String: [LoopRecord]] = [:]
    fileprivate var events: [String: Int] = [:]

    func state(of node: ProgramGraph.Node) -> GraphState? {
      switch node.kind {
      case .event:
        guard let count = events[node.name] else { return .untouched }
        return GraphState(mark: .triggered, text: count > 1 ? "×\(count)" : nil)
      case .step: return tasks[node.name].map(GraphState.init(tasks:)) ?? .untouched
      case .forEach:
        return tasks[node.name].map(GraphState.init(tasks:)) ?? loops[node.name].map(GraphState.init(loops:))
          ?? .untouched
      case .loop: return loops[node.name].map(GraphState.init(loops:)) ?? .untouched
      case .and, .or, .begin, .end: return nil
      }
    }
  }

  /// The states in `report`, by the newest attempt of each task.
  static func all(of report: RunReport) -> All {
    var all = All()
    all.tasks = Dictionary(grouping: report.currentTasks, by: \.step)
    all.loops = Dictionary(grouping: report.loops, by: \.loop)
    for event in report.events { all.events[event.event, default: 0] += 1 }
    return all
  }

  private init(mark: Mark, text: String?) {
    self.mark = mark
    self.text = text
  }

  private init(tasks: [TaskRecord]) {
    let counts = Dictionary(grouping: tasks, by: Self.mark).mapValues(\.count)
    let marks = Mark.allCases.filter { counts[$0] != nil }
    mark = marks.first ?? .untouched
    if let task = tasks.first, tasks.count == 1 {
      let time = Elapsed.text(from: task.startedAt, to: task.endedAt, now: task.startedAt ?? task.endedAt)
      let isTimed = task.startedAt != nil && task.endedAt != nil && !task.skipped
      text = mark.rawValue + (isTimed ? time.map { " " + $0 } ?? "" : "")
    } else {
      text = marks.map { "\(counts[$0, default: 0]) \($0.rawValue)" }.joined(separator: ", ")
    }
  }

  private init(loops: [LoopRecord]) {
    let order: [(LoopStatus, Mark)] = [
      (.failure, .failure), (.cancelled, .cancelled), (.running, .running), (.success, .success),
    ]
    let worst = order.first { status, _ in loops.contains { $0.status == status } }
    mark = worst?.1 ?? .untouched
    let ended = loops.reduce(0) { $0 + $1.ended }
    let all = loops.reduce(0) { $0 + $1.iterations }
    text = "\(mark.rawValue), \(ended) of \(all)"
  }

  private static func mark(of task: TaskRecord) -> Mark {
    switch task.status {
    case .success: task.skipped ? .skipped : .success
    case .failure: .failure
    case .cancelled: .cancelled
    case .running: .running
    case .ready: .ready
    case .waiting: .waiting
    }
  }
}

extension Elapsed {
  fileprivate static func text(from start: Timestamp?, to end: Timestamp?, now: Timestamp?) -> String? {
    now.flatMap { text(from: start, to: end, now: $0) }
  }
}
