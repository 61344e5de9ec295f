/// All moves of a search: from each world, in order, to which others, and of which nature.
struct MoveGraph {
  /// From where each world was first reached.
  var parents: [UInt32] = []
  private var targets = GrowingArray()
  private var starts = GrowingArray()

  private static let natureShift: UInt32 = 30

  init() { starts.append(0) }

  func deallocate() {
    targets.deallocate()
    starts.deallocate()
  }

  /// A move from the present world. Faults are left out: nothing may count on them.
  mutating func add(to target: Int, _ nature: Move.Nature) {
    guard nature != .fault else { return }
    targets.append(UInt32(truncatingIfNeeded: target) | UInt32(nature.rawValue) << Self.natureShift)
  }

  /// The present world has no more moves.
  mutating func close() { starts.append(UInt32(truncatingIfNeeded: targets.count)) }

  /// Whether one of the moves that may be counted on leads to a marked world.
  func leads(from world: Int, to marks: UnsafeMutablePointer<Bool>, without excluded: Move.Nature?) -> Bool {
    var index = Int(starts[world])
    let end = Int(starts[world + 1])
    let bits = excluded.map { UInt32($0.rawValue) } ?? .max
    while index < end {
      let entry = targets[index]
      if entry >> Self.natureShift != bits, marks[Int(entry & ((1 << Self.natureShift) - 1))] { return true }
      index += 1
    }
    return false
  }
}

/// A flat array that grows: appending to a Swift array in a debug build costs ten times as much.
private struct GrowingArray {
  private(set) var count = 0
  private var capacity = 1 << 16
  private var values: UnsafeMutablePointer<UInt32>

  init() { values = .allocate(capacity: capacity) }
  func deallocate() { values.deallocate() }

  subscript(index: Int) -> UInt32 { values[index] }

  mutating func append(_ value: UInt32) {
    if count == capacity {
      let new = UnsafeMutablePointer<UInt32>.allocate(capacity: capacity * 2)
      new.moveInitialize(from: values, count: count)
      values.deallocate()
      values = new
      capacity *= 2
    }
    values[count] = value
    count += 1
  }
}

/// Whether things come to an end: from each world there must be a way to it on which nothing is broken any more, every
/// agent that lives hears from the store in every tick, and nobody helps.
struct Endings {
  private let table: WorldTable
  private let graph: MoveGraph

  init(_ table: WorldTable, _ graph: MoveGraph) {
    self.table = table
    self.graph = graph
  }

  /// The first world from which there is no such way, and what can't be reached.
  func firstStuck(_ setting: Setting) -> (world: Int, what: String)? {
    if let world = stuck(without: nil, goal: { $0.row.status == TaskRow.Status.ended }, from: { _ in true }) {
      return (world, "the task never ends")
    }
    let isLeftOver: (World) -> Bool = {
      $0.row.status == TaskRow.Status.ended && $0.step.owner != Party.nobody
    }
    if let world = stuck(without: .ownEnd, goal: { !isLeftOver($0) }, from: isLeftOver) {
      return (world, "the step is never stopped, though its task has ended")
    }
    guard setting.placement == .group, setting.cutOff == .stop else { return nil }
    let hasAgent: (World) -> Bool = { $0.a.isAlive || $0.b.isAlive || $0.c.isAlive }
    if let world = stuck(without: .restart, goal: { $0.row.status == TaskRow.Status.ended }, from: hasAgent) {
      return (world, "the task never ends, though an agent that could take it lives")
    }
    return nil
  }

  private func stuck(
    without excluded: Move.Nature?, goal: (World) -> Bool, from isAsked: (World) -> Bool
  ) -> Int? {
    let marks = UnsafeMutablePointer<Bool>.allocate(capacity: table.count)
    defer { marks.deallocate() }
    marks.initialize(repeating: false, count: table.count)
    for world in 0..<table.count where goal(table[world].world) { marks[world] = true }
    // Ways lead to higher numbers more often than not: from behind, few rounds do.
    var isChanged = true
    while isChanged {
      isChanged = false
      var world = table.count - 1
      while world >= 0 {
        if !marks[world], graph.leads(from: world, to: marks, without: excluded) {
          marks[world] = true
          isChanged = true
        }
        world -= 1
      }
    }
    return (0..<table.count).first { !marks[$0] && isAsked(table[$0].world) }
  }
}
