/// An order of a graph's nodes in which causes come before what they cause, and a chain is told to its end before
/// the next one begins. Where events raise each other in a circle, it is broken at its first node.
enum TopologicalOrder {
  static func of(_ graph: ProgramGraph) -> [Int] {
    let links = graph.edges.map { ($0.from, $0.to) }
    return of(count: graph.nodes.count, links)
  }

  static func of(count: Int, _ links: [(from: Int, to: Int)]) -> [Int] {
    var waits = [Int](repeating: 0, count: count)
    var next = [[Int]](repeating: [], count: count)
    for link in links where link.from != link.to {
      waits[link.to] += 1
      next[link.from].append(link.to)
    }
    var done = [Bool](repeating: false, count: count)
    var order: [Int] = []
    // A stack, not a queue: what was just made possible comes next.
    var open = Array((0..<count).filter { waits[$0] == 0 }.reversed())
    var untried = 0
    while order.count < count {
      guard let node = open.popLast() else {
        while done[untried] { untried += 1 }
        open.append(untried)
        continue
      }
      if done[node] { continue }
      done[node] = true
      order.append(node)
      for target in next[node].reversed() {
        waits[target] -= 1
        if waits[target] == 0, !done[target] { open.append(target) }
      }
    }
    return order
  }
}
