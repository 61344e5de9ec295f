/// Places boxes in layers, causes above what they cause, after Sugiyama, Tagawa and Toda (1981): layers by longest
/// path, dummies where a link crosses a layer, order by barycentres, then places within the layers.
///
/// Layers lie below each other: `across` runs along a layer, `along` from cause to effect. A picture from left to
/// right is made by swapping the two before and after.
struct LayeredLayout {
  /// A length in each direction.
  struct Size: Sendable {
    var across: Double
    var along: Double
  }
  struct Point: Sendable {
    var across: Double
    var along: Double
  }
  struct Link: Sendable {
    let from: Int
    let to: Int
    /// Room for its label, if it has one.
    let label: Size?
  }
  /// Where a link runs: alternately through a gap between layers and straight through a layer.
  struct Route: Sendable {
    var points: [Point]
    /// The middle of its label.
    var label: Point?
  }
  struct Gaps: Sendable {
    var across = 18.0
    var along = 26.0
  }

  /// The middles of the boxes, in the order given.
  private(set) var centres: [Point] = []
  /// The links, in the order given; nil for one from a box to itself.
  private(set) var routes: [Route?] = []
  private(set) var size = Size(across: 0, along: 0)

  init(boxes: [Size], links: [Link], gaps: Gaps) {
    guard !boxes.isEmpty else { return }
    var layers = LayeredGraph(boxes: boxes, links: links)
    LayerOrdering.order(&layers)
    let across = LayerPlacement.across(layers, gap: gaps.across)
    let bands = Self.bands(of: layers, across, gap: gaps.along)
    size.along = bands.last.map { $0.end } ?? 0

    centres = boxes.indices.map { box in
      let band = bands[layers.vertices[box].layer]
      return Point(across: across[box], along: (band.start + band.end) / 2)
    }
    let ports = Self.ports(of: layers, across)
    routes = layers.chains.enumerated().map { link, chain in
      guard let chain else { return nil }
      return Self.route(chain, link: link, layers, across, bands, ports)
    }
    normalise(boxes)
  }

  private typealias Band = (start: Double, end: Double)

  /// Where each layer begins and ends. A gap through which links run far to the side is made wider, or they would
  /// lie almost along the layer.
  private static func bands(of layers: LayeredGraph, _ across: [Double], gap: Double) -> [Band] {
    var farthest = [Double](repeating: 0, count: layers.order.count)
    for case .some(let chain) in layers.chains {
      for (upper, lower) in zip(chain, chain.dropFirst()) {
        let layer = layers.vertices[upper].layer
        farthest[layer] = max(farthest[layer], abs(across[upper] - across[lower]))
      }
    }
    var bands: [Band] = []
    var next = 0.0
    for (index, layer) in layers.order.enumerated() {
      let depth = layer.map { layers.vertices[$0].size.along }.max() ?? 0
      bands.append((next, next + depth))
      next += depth + gap + min(60, max(0, farthest[index] - 100) * 0.1)
    }
    return bands
  }

  private struct Port: Hashable {
    let link: Int
    let isLower: Bool
  }

  /// Links leave and reach a box side by side, in the order of where they go to.
  private static func ports(of layers: LayeredGraph, _ across: [Double]) -> [Port: Double] {
    var byBox: [Int: (up: [(Int, Double)], down: [(Int, Double)])] = [:]
    for (link, chain) in layers.chains.enumerated() {
      guard let chain, let first = chain.first, let last = chain.last, chain.count > 1 else { continue }
      byBox[first, default: ([], [])].down.append((link, across[chain[1]]))
      byBox[last, default: ([], [])].up.append((link, across[chain[chain.count - 2]]))
    }
    var ports: [Port: Double] = [:]
    for (box, ends) in byBox {
      for (links, isLower) in [(ends.down, false), (ends.up, true)] {
        let sorted = links.sorted { ($0.1, $0.0) < ($1.1, $1.0) }
        let step = min(16, layers.vertices[box].size.across * 0.7 / Double(max(1, sorted.count)))
        for (rank, entry) in sorted.enumerated() {
          let shift = (Double(rank) - Double(sorted.count - 1) / 2) * step
          ports[Port(link: entry.0, isLower: isLower)] = across[box] + shift
        }
      }
    }
    return ports
  }

  private static func route(
    _ chain: [Int], link: Int, _ layers: LayeredGraph, _ across: [Double], _ bands: [Band],
    _ ports: [Port: Double]
  ) -> Route {
    var points: [Point] = []
    for (place, vertex) in chain.enumerated() {
      let band = bands[layers.vertices[vertex].layer]
      let middle = (band.start + band.end) / 2
      let half = layers.vertices[vertex].size.along / 2
      switch place {
      case 0:
        let port = ports[Port(link: link, isLower: false)] ?? across[vertex]
        points += [Point(across: port, along: middle + half), Point(across: port, along: band.end)]
      case chain.count - 1:
        let port = ports[Port(link: link, isLower: true)] ?? across[vertex]
        points += [Point(across: port, along: band.start), Point(across: port, along: middle - half)]
      default:
        points += [
          Point(across: across[vertex], along: band.start), Point(across: across[vertex], along: band.end),
        ]
      }
    }
    var route = Route(points: layers.isReversed[link] ? points.reversed() : points)
    if let label = layers.labels[link] {
      let band = bands[layers.vertices[label].layer]
      route.label = Point(across: across[label], along: (band.start + band.end) / 2)
    }
    return route
  }

  /// Moves everything so that it begins at 0.
  private mutating func normalise(_ boxes: [Size]) {
    var least = Double.infinity
    var most = -Double.infinity
    for (centre, box) in zip(centres, boxes) {
      least = min(least, centre.across - box.across / 2)
      most = max(most, centre.across + box.across / 2)
    }
    for route in routes {
      for point in route?.points ?? [] {
        least = min(least, point.across)
        most = max(most, point.across)
      }
    }
    for index in centres.indices { centres[index].across -= least }
    routes = routes.map { route in
      guard var route else { return nil }
      for index in route.points.indices { route.points[index].across -= least }
      route.label?.across -= least
      return route
    }
    size.across = most - least
  }
}
