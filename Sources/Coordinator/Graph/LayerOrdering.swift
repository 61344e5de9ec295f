/// Orders the vertices within layers so that few links cross.
enum LayerOrdering {
  private static let sweeps = 16
  /// With more chain pieces than this, fewer sweeps are made: such a picture can't be read anyway.
  private static let manyPieces = 6000

  static func order(_ graph: inout LayeredGraph) {
    var up = [[Int]](repeating: [], count: graph.vertices.count)
    var down = up
    var pieces = 0
    for case .some(let chain) in graph.chains {
      for (upper, lower) in zip(chain, chain.dropFirst()) {
        down[upper].append(lower)
        up[lower].append(upper)
        pieces += 1
      }
    }
    var order = initial(graph, down)
    var best = order
    var fewest = crossings(order, down, count: graph.vertices.count)
    for sweep in 0..<(pieces > manyPieces ? 3 : sweeps) where fewest > 0 {
      let isDownward = sweep % 2 == 0
      let layers = isDownward ? Array(order.indices.dropFirst()) : order.indices.dropLast().reversed()
      for layer in layers {
        let fixed = order[isDownward ? layer - 1 : layer + 1]
        order[layer] = sorted(order[layer], by: isDownward ? up : down, fixed, count: graph.vertices.count)
      }
      let now = crossings(order, down, count: graph.vertices.count)
      if now < fewest {
        fewest = now
        best = order
      }
    }
    graph.order = best
  }

  /// In the order in which a walk in depth finds them: parts that hang together stay together.
  private static func initial(_ graph: LayeredGraph, _ down: [[Int]]) -> [[Int]] {
    var order = [[Int]](repeating: [], count: graph.order.count)
    var isSeen = [Bool](repeating: false, count: graph.vertices.count)
    for start in graph.order.joined() where !isSeen[start] {
      var open = [start]
      while let vertex = open.popLast() {
        if isSeen[vertex] { continue }
        isSeen[vertex] = true
        order[graph.vertices[vertex].layer].append(vertex)
        open += down[vertex].reversed()
      }
    }
    return order
  }

  /// A layer by the mean place of each vertex's neighbours in the fixed layer; one without neighbours keeps its place.
  private static func sorted(_ layer: [Int], by neighbours: [[Int]], _ fixed: [Int], count: Int) -> [Int] {
    var place = [Int](repeating: 0, count: count)
    for (index, vertex) in fixed.enumerated() { place[vertex] = index }
    let keyed = layer.enumerated().map { index, vertex -> (vertex: Int, index: Int, key: Double) in
      let near = neighbours[vertex]
      let mean = near.reduce(0.0) { $0 + Double(place[$1]) } / Double(max(1, near.count))
      let own = Double(index) * Double(max(1, fixed.count)) / Double(max(1, layer.count))
      return (vertex, index, near.isEmpty ? own : mean)
    }
    return keyed.sorted { ($0.key, $0.index) < ($1.key, $1.index) }.map(\.vertex)
  }

  /// Pairs of links between neighbouring layers that cross: inversions, counted with a Fenwick tree (Barth, Jünger
  /// and Mutzel 2002).
  private static func crossings(_ order: [[Int]], _ down: [[Int]], count: Int) -> Int {
    var place = [Int](repeating: 0, count: count)
    for layer in order { for (index, vertex) in layer.enumerated() { place[vertex] = index } }
    var total = 0
    for (upper, lower) in zip(order, order.dropFirst()) {
      var tree = [Int](repeating: 0, count: lower.count + 1)
      var seen = 0
      for vertex in upper {
        let targets = down[vertex].map { place[$0] }.sorted()
        for target in targets {
          var before = 0
          var node = target + 1
          while node > 0 {
            before += tree[node]
            node -= node & -node
          }
          total += seen - before
        }
        for target in targets {
          var node = target + 1
          while node <= lower.count {
            tree[node] += 1
            node += node & -node
          }
          seen += 1
        }
      }
    }
    return total
  }
}
