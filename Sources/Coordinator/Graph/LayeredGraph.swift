/// Boxes and dummies in layers, each link a chain of vertices from layer to layer.
struct LayeredGraph {
  struct Vertex {
    var layer: Int
    let size: LayeredLayout.Size
    let isDummy: Bool
  }

  /// More dummies than this are not made; long links of vast graphs then run straight across.
  private static let mostDummies = 20_000

  /// The boxes, then the dummies.
  private(set) var vertices: [Vertex]
  /// For each link the vertices it runs through, from the upper layer; nil if it is from a box to itself.
  private(set) var chains: [[Int]?] = []
  /// Whether a link runs up, against the others, for its circle had to be broken.
  private(set) var isReversed: [Bool] = []
  /// For each link the vertex that keeps room for its label.
  private(set) var labels: [Int?] = []
  /// The vertices of each layer, in order.
  var order: [[Int]] = []

  init(boxes: [LayeredLayout.Size], links: [LayeredLayout.Link]) {
    isReversed = Self.reversals(count: boxes.count, links)
    let downward = zip(links, isReversed).map { link, isReversed in
      let (from, to) = isReversed ? (link.to, link.from) : (link.from, link.to)
      // A label needs a layer of its own between the two.
      return (from: from, to: to, span: link.label == nil ? 1 : 2)
    }
    let layers = Self.layers(count: boxes.count, downward)
    vertices = zip(boxes, layers).map { Vertex(layer: $1, size: $0, isDummy: false) }
    for (index, link) in links.enumerated() {
      addChain(of: link, downward[index].from, downward[index].to, index)
    }
    order = Array(repeating: [], count: (vertices.map(\.layer).max() ?? 0) + 1)
    for vertex in vertices.indices { order[vertices[vertex].layer].append(vertex) }
  }

  private mutating func addChain(of link: LayeredLayout.Link, _ from: Int, _ to: Int, _ index: Int) {
    guard from != to else {
      chains.append(nil)
      labels.append(nil)
      return
    }
    var chain = [from]
    var label: Int?
    let between = (vertices[from].layer + 1)..<max(vertices[from].layer + 1, vertices[to].layer)
    // The label stands where the link begins, for that is whose end it tells of.
    let labelled = isReversed[index] ? between.last : between.first
    for layer in between where layer == labelled || vertices.count < Self.mostDummies {
      var size = LayeredLayout.Size(across: 2, along: 0)
      if layer == labelled, let room = link.label {
        size = room
        label = vertices.count
      }
      chain.append(vertices.count)
      vertices.append(Vertex(layer: layer, size: size, isDummy: true))
    }
    chains.append(chain + [to])
    labels.append(label)
  }

  /// Which links to turn round so that no circle is left: those that lead back to a box on the way to which a walk
  /// in depth still is.
  private static func reversals(count: Int, _ links: [LayeredLayout.Link]) -> [Bool] {
    var outgoing = [[Int]](repeating: [], count: count)
    var isTarget = [Bool](repeating: false, count: count)
    for (index, link) in links.enumerated() where link.from != link.to {
      outgoing[link.from].append(index)
      isTarget[link.to] = true
    }
    var reversed = [Bool](repeating: false, count: links.count)
    var isSeen = [Bool](repeating: false, count: count)
    var isOnWay = isSeen
    for start in (0..<count).sorted(by: { !isTarget[$0] && isTarget[$1] }) where !isSeen[start] {
      var way: [(box: Int, next: Int)] = [(start, 0)]
      isSeen[start] = true
      isOnWay[start] = true
      while let top = way.last {
        guard top.next < outgoing[top.box].count else {
          isOnWay[top.box] = false
          way.removeLast()
          continue
        }
        way[way.count - 1].next += 1
        let link = outgoing[top.box][top.next]
        let target = links[link].to
        if isOnWay[target] { reversed[link] = true }
        guard !isSeen[target] else { continue }
        isSeen[target] = true
        isOnWay[target] = true
        way.append((target, 0))
      }
    }
    return reversed
  }

  /// The longest path from a source to each box; boxes with more links down than up then move down to what they lead
  /// to, which shortens links.
  private static func layers(count: Int, _ links: [(from: Int, to: Int, span: Int)]) -> [Int] {
    let order = TopologicalOrder.of(count: count, links.map { ($0.from, $0.to) })
    var incoming = [[Int]](repeating: [], count: count)
    var outgoing = incoming
    for (index, link) in links.enumerated() where link.from != link.to {
      incoming[link.to].append(index)
      outgoing[link.from].append(index)
    }
    var layers = [Int](repeating: 0, count: count)
    for box in order {
      layers[box] = incoming[box].map { layers[links[$0].from] + links[$0].span }.max() ?? 0
    }
    for box in order.reversed() where outgoing[box].count > incoming[box].count {
      let lowest = outgoing[box].map { layers[links[$0].to] - links[$0].span }.min() ?? layers[box]
      layers[box] = max(layers[box], lowest)
    }
    return layers
  }
}
