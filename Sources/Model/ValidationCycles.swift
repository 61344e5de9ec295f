/// What waits for itself.
extension Validation {
  mutating func checkCycles() {
    let stepWaits = program.steps.map { ($0.name, $0.after) }
    let loopWaits = program.loops.map { ($0.name, $0.after) }
    let waits = Dictionary(stepWaits + loopWaits, uniquingKeysWith: { first, _ in first })
    for cycle in cycles(among: (stepWaits + loopWaits).map(\.0), next: { waits[$0] ?? [] }) {
      let path = (steps.contains(cycle[0]) ? "steps." : "loops.") + cycle[0]
      error(
        path + ".after",
        "a cycle through 'after': \(cycle.joined(separator: " after ")); none of them could start")
    }
    let operands = Dictionary(
      program.events.map { ($0.name, $0.when?.operands ?? []) }, uniquingKeysWith: { first, _ in first })
    for cycle in cycles(among: program.events.map(\.name), next: { operands[$0] ?? [] }) {
      error("events.\(cycle[0]).when", "a cycle of conditions: \(cycle.joined(separator: " needs "))")
    }
  }

  /// Cycles of a graph, each from a node back to itself; no node begins two of them.
  ///
  /// Depth first with a stack of its own: chains may be longer than a thread's stack is deep.
  private func cycles(among nodes: [String], next: (String) -> [String]) -> [[String]] {
    enum Mark { case open, done }
    var marks: [String: Mark] = [:]
    var found: [[String]] = []
    for root in nodes where marks[root] == nil {
      var way: [(node: String, left: ArraySlice<String>)] = [(root, next(root)[...])]
      marks[root] = .open
      while let last = way.indices.last {
        guard let node = way[last].left.popFirst() else {
          marks[way[last].node] = .done
          way.removeLast()
          continue
        }
        switch marks[node] {
        case .done: break
        case .open:
          let start = way.firstIndex { $0.node == node } ?? 0
          found.append(way[start...].map(\.node) + [node])
        case nil:
          marks[node] = .open
          way.append((node, next(node)[...]))
        }
      }
    }
    return found
  }
}
