/// Gives each vertex its place along its layer: near its neighbours, in the order of the layer, at a distance from
/// the next.
enum LayerPlacement {
  private static let rounds = 30

  static func across(_ graph: LayeredGraph, gap: Double) -> [Double] {
    let vertices = graph.vertices
    // Straight long links matter more than straight short ones (Gansner et al. 1993 use the same weights).
    var neighbours = [[(vertex: Int, weight: Double, isUp: Bool)]](repeating: [], count: vertices.count)
    for case .some(let chain) in graph.chains {
      for (upper, lower) in zip(chain, chain.dropFirst()) {
        let dummies = (vertices[upper].isDummy ? 1 : 0) + (vertices[lower].isDummy ? 1 : 0)
        let weight = [1.0, 2, 8][dummies]
        neighbours[upper].append((lower, weight, false))
        neighbours[lower].append((upper, weight, true))
      }
    }
    let offsets = graph.order.map { Self.offsets(of: $0, vertices, gap: gap) }
    var across = [Double](repeating: 0, count: vertices.count)
    for (layer, offset) in zip(graph.order, offsets) {
      let middle = (offset.last ?? 0) / 2
      for (vertex, place) in zip(layer, offset) { across[vertex] = place - middle }
    }
    for round in 0..<rounds {
      // Down and up in turn, and at the end by both sides at once.
      let isLast = round >= rounds - 14
      let layers = round % 2 == 0 ? Array(graph.order.indices) : graph.order.indices.reversed()
      for layer in layers {
        let wishes = graph.order[layer].map { vertex -> (place: Double, weight: Double) in
          var (sum, weight) = (0.0, 0.0)
          for near in neighbours[vertex] where isLast || near.isUp == (round % 2 == 0) {
            sum += across[near.vertex] * near.weight
            weight += near.weight
          }
          return weight > 0 ? (sum / weight, weight) : (across[vertex], 0.05)
        }
        let places = nearest(to: wishes, offsets: offsets[layer])
        for (vertex, place) in zip(graph.order[layer], places) { across[vertex] = place }
      }
    }
    return across
  }

  /// Where each vertex of a layer would stand if all stood as close as they may.
  private static func offsets(of layer: [Int], _ vertices: [LayeredGraph.Vertex], gap: Double) -> [Double] {
    var offsets: [Double] = []
    var last: LayeredGraph.Vertex?
    for index in layer {
      let vertex = vertices[index]
      if let last, let place = offsets.last {
        let space = last.isDummy && vertex.isDummy ? gap * 0.6 : gap
        offsets.append(place + (last.size.across + vertex.size.across) / 2 + space)
      } else {
        offsets.append(0)
      }
      last = vertex
    }
    return offsets
  }

  /// The places nearest to the wishes, by least squares, that keep order and distance: with the offsets taken off
  /// they need only not decrease, and pooling adjacent violators solves that exactly.
  private static func nearest(to wishes: [(place: Double, weight: Double)], offsets: [Double]) -> [Double] {
    var pools: [(mean: Double, weight: Double, count: Int)] = []
    for (wish, offset) in zip(wishes, offsets) {
      pools.append((wish.place - offset, wish.weight, 1))
      while pools.count > 1, pools[pools.count - 2].mean > pools[pools.count - 1].mean {
        let right = pools.removeLast()
        let left = pools.removeLast()
        let weight = left.weight + right.weight
        let mean = (left.mean * left.weight + right.mean * right.weight) / weight
        pools.append((mean, weight, left.count + right.count))
      }
    }
    let shifts = pools.flatMap { Array(repeating: $0.mean, count: $0.count) }
    return zip(shifts, offsets).map { $0 + $1 }
  }
}
