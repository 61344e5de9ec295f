/// Where everything of a graph stands in a picture: frames within frames, each laid out by itself and then taken as
/// one box by what is around it, so that nothing overlaps a frame it does not belong to.
struct GraphLayout {
  struct Point: Sendable {
    var x: Double
    var y: Double
  }
  struct Rect: Sendable {
    var x: Double
    var y: Double
    var width: Double
    var height: Double
  }
  struct Path: Sendable {
    let edge: ProgramGraph.Edge
    var points: [Point]
    var label: Point?
  }

  static let frameTitle = 30.0
  static let framePadding = 16.0

  let isHorizontal: Bool
  private(set) var width = 0.0
  private(set) var height = 0.0
  /// By the id of the node; a loop's is its frame.
  private(set) var boxes: [Int: Rect] = [:]
  private(set) var paths: [Path] = []

  /// The better of the layouts from top to bottom and from left to right.
  static func best(for graph: ProgramGraph) -> GraphLayout {
    let vertical = GraphLayout(graph, isHorizontal: false)
    let horizontal = GraphLayout(graph, isHorizontal: true)
    return horizontal.awkwardness < vertical.awkwardness ? horizontal : vertical
  }

  init(_ graph: ProgramGraph, isHorizontal: Bool) {
    self.isHorizontal = isHorizontal
    let frames = Dictionary(grouping: graph.nodes, by: \.frame)
    let links = Dictionary(grouping: Self.linksByFrame(graph), by: \.frame)
    let inner = lay(nil, frames: frames, links: links)
    width = inner.width
    height = inner.height
    boxes = inner.boxes
    paths = inner.paths
  }

  /// How badly the picture fits a page of 1100 by 800.
  private var awkwardness: Double { max(width / 1100, height / 800) }

  private struct Inner {
    var width = 0.0
    var height = 0.0
    var boxes: [Int: Rect] = [:]
    var paths: [Path] = []

    mutating func place(_ inner: Inner, x: Double, y: Double) {
      for (id, box) in inner.boxes {
        boxes[id] = Rect(x: box.x + x, y: box.y + y, width: box.width, height: box.height)
      }
      for var path in inner.paths {
        path.points = path.points.map { Point(x: $0.x + x, y: $0.y + y) }
        path.label = path.label.map { Point(x: $0.x + x, y: $0.y + y) }
        paths.append(path)
      }
    }
  }

  private struct FramedLink {
    let frame: Int?
    let from: Int
    let to: Int
    let edge: ProgramGraph.Edge
  }

  private func lay(_ frame: Int?, frames: [Int?: [ProgramGraph.Node]], links: [Int?: [FramedLink]]) -> Inner {
    let nodes = frames[frame] ?? []
    var inners: [Int: Inner] = [:]
    var places: [Int: Int] = [:]
    var sizes: [LayeredLayout.Size] = []
    for (place, node) in nodes.enumerated() {
      places[node.id] = place
      var (width, height) = NodeShape(node).size
      if node.kind == .loop {
        let inner = lay(node.id, frames: frames, links: links)
        inners[node.id] = inner
        width = max(inner.width, width) + 2 * Self.framePadding
        height = inner.height + Self.frameTitle + Self.framePadding
      }
      sizes.append(size(width, height))
    }
    let own = (links[frame] ?? []).filter { places[$0.from] != nil && places[$0.to] != nil }
    let gaps = LayeredLayout.Gaps(across: isHorizontal ? 14 : 22, along: isHorizontal ? 34 : 24)
    let layout = LayeredLayout(
      boxes: sizes,
      links: own.map { link in
        LayeredLayout.Link(
          from: places[link.from] ?? 0, to: places[link.to] ?? 0,
          label: NodeShape.labelSize(link.edge).map(size))
      }, gaps: gaps)

    var result = Inner()
    (result.width, result.height) =
      isHorizontal ? (layout.size.along, layout.size.across) : (layout.size.across, layout.size.along)
    for (place, node) in nodes.enumerated() {
      let centre = point(layout.centres[place])
      let (width, height) =
        isHorizontal ? (sizes[place].along, sizes[place].across) : (sizes[place].across, sizes[place].along)
      let box = Rect(x: centre.x - width / 2, y: centre.y - height / 2, width: width, height: height)
      result.boxes[node.id] = box
      if let inner = inners[node.id] {
        result.place(inner, x: box.x + (width - inner.width) / 2, y: box.y + Self.frameTitle)
      }
    }
    for (link, route) in zip(own, layout.routes) {
      guard let route else { continue }
      result.paths.append(
        Path(edge: link.edge, points: route.points.map(point), label: route.label.map(point)))
    }
    return result
  }

  private func size(_ width: Double, _ height: Double) -> LayeredLayout.Size {
    isHorizontal ? .init(across: height, along: width) : .init(across: width, along: height)
  }

  private func point(_ point: LayeredLayout.Point) -> Point {
    isHorizontal ? Point(x: point.along, y: point.across) : Point(x: point.across, y: point.along)
  }

  /// Each edge in the innermost frame that holds both its ends; an end further in is drawn to its frame.
  private static func linksByFrame(_ graph: ProgramGraph) -> [FramedLink] {
    func enclosing(_ id: Int) -> [Int] {
      var ids: [Int] = []
      var frame = graph.nodes[id].frame
      while let next = frame {
        ids.append(next)
        frame = graph.nodes[next].frame
      }
      return ids
    }
    return graph.edges.map { edge in
      let (left, right) = (enclosing(edge.from), enclosing(edge.to))
      let shared = left.first { right.contains($0) }
      func end(_ id: Int, _ frames: [Int]) -> Int {
        guard let shared else { return frames.last ?? id }
        let place = frames.firstIndex(of: shared) ?? 0
        return place == 0 ? id : frames[place - 1]
      }
      return FramedLink(frame: shared, from: end(edge.from, left), to: end(edge.to, right), edge: edge)
    }
  }
}
