/// Which lane of a pool serves whom: the pool's decisions, without threads or connections.
///
/// SQLite has one writing lane and several reading ones; the servers have one group for all; a memory
/// database is a single lane. Waiters are served in the order they came. The writing lane is lent to two at a time: a lane
/// does one job after the other, and so finds the second at hand when it has done the first, without waiting for two
/// threads to wake up in between.
struct PoolLanes<Waiter> {
  typealias Index = Int

  private struct Group {
    var idle: [Index]
    var waiters: [(id: Int, waiter: Waiter)] = []
  }

  let count: Int
  private(set) var isClosed = false
  private var groups: [Group]
  private let groupOfLane: [Int]
  private var nextWaiter = 0

  init(kind: Dialect.Kind, isMemory: Bool, size: Int) {
    if isMemory {
      count = 1
    } else {
      // A file always gets a reader beside its writer, so that reads never wait for a write.
      count = kind == .sqlite ? max(2, size) : max(1, size)
    }
    let split = kind == .sqlite && !isMemory
    groupOfLane = (0..<count).map { split && $0 > 0 ? 1 : 0 }
    // The lowest index is taken first, and the last used again first: few warm connections, not many cold.
    groups =
      split
      ? [Group(idle: [0, 0]), Group(idle: Array((1..<count).reversed()))]
      : [Group(idle: Array((0..<count).reversed()))]
  }

  /// A free lane for this kind of work, if one is free.
  mutating func take(_ kind: TransactionKind) -> Index? {
    groups[group(kind)].idle.popLast()
  }

  /// Puts `waiter` in the queue; the number serves to take it out again.
  mutating func wait(_ kind: TransactionKind, _ id: Int, _ waiter: Waiter) {
    groups[group(kind)].waiters.append((id, waiter))
  }

  /// A number for a waiter to come.
  mutating func ticket() -> Int {
    nextWaiter += 1
    return nextWaiter
  }

  /// Takes a waiter out whose task was cancelled; nil if it was served already.
  mutating func leave(_ id: Int) -> Waiter? {
    for index in groups.indices {
      if let place = groups[index].waiters.firstIndex(where: { $0.id == id }) {
        return groups[index].waiters.remove(at: place).waiter
      }
    }
    return nil
  }

  /// Gives a lane back, to the returned waiter if there is one.
  mutating func giveBack(_ lane: Index) -> Waiter? {
    let group = groupOfLane[lane]
    if groups[group].waiters.isEmpty {
      groups[group].idle.append(lane)
      return nil
    }
    return groups[group].waiters.removeFirst().waiter
  }

  /// Refuses everybody from now on; returns those who were waiting.
  mutating func close() -> [Waiter] {
    isClosed = true
    var left: [Waiter] = []
    for index in groups.indices {
      left += groups[index].waiters.map(\.waiter)
      groups[index].waiters = []
    }
    return left
  }

  private func group(_ kind: TransactionKind) -> Int {
    groups.count > 1 && kind == .read ? 1 : 0
  }
}
