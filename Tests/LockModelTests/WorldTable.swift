/// Worlds by number, each once: an open hash table over two flat arrays, because a set of some million values is too
/// slow in a debug build.
struct WorldTable {
  private(set) var count = 0
  private var lows: UnsafeMutablePointer<UInt64>
  private var highs: UnsafeMutablePointer<UInt64>
  private var capacity = 1 << 14
  private var slots: UnsafeMutablePointer<UInt32>
  private var mask = (1 << 15) - 1
  private static let free = UInt32.max

  init() {
    lows = .allocate(capacity: capacity)
    highs = .allocate(capacity: capacity)
    slots = .allocate(capacity: mask + 1)
    slots.initialize(repeating: Self.free, count: mask + 1)
  }

  /// Gives the memory back; the table is not to be used any more.
  func deallocate() {
    lows.deallocate()
    highs.deallocate()
    slots.deallocate()
  }

  subscript(number: Int) -> PackedWorld { PackedWorld(low: lows[number], high: highs[number]) }

  /// The number of a world, which is the next one if it is new.
  mutating func number(of world: PackedWorld) -> Int {
    var slot = Self.hash(world) & mask
    while slots[slot] != Self.free {
      let number = Int(slots[slot])
      if lows[number] == world.low, highs[number] == world.high { return number }
      slot = (slot + 1) & mask
    }
    if count == capacity {
      grow()
      return self.number(of: world)
    }
    lows[count] = world.low
    highs[count] = world.high
    slots[slot] = UInt32(truncatingIfNeeded: count)
    count += 1
    return count - 1
  }

  private static func hash(_ world: PackedWorld) -> Int {
    var mixed = (world.low ^ (world.high &* 0x9E37_79B9_7F4A_7C15)) &* 0xBF58_476D_1CE4_E5B9
    mixed ^= mixed >> 29
    mixed = mixed &* 0x94D0_49BB_1331_11EB
    mixed ^= mixed >> 32
    return Int(truncatingIfNeeded: mixed)
  }

  /// Twice the room; the table of slots stays at most half full.
  private mutating func grow() {
    lows = Self.moved(lows, capacity)
    highs = Self.moved(highs, capacity)
    capacity *= 2
    slots.deallocate()
    mask = capacity * 2 - 1
    slots = .allocate(capacity: mask + 1)
    slots.initialize(repeating: Self.free, count: mask + 1)
    var number = 0
    while number < count {
      var slot = Self.hash(self[number]) & mask
      while slots[slot] != Self.free { slot = (slot + 1) & mask }
      slots[slot] = UInt32(truncatingIfNeeded: number)
      number += 1
    }
  }

  private static func moved(_ old: UnsafeMutablePointer<UInt64>, _ capacity: Int) -> UnsafeMutablePointer<
    UInt64
  > {
    let new = UnsafeMutablePointer<UInt64>.allocate(capacity: capacity * 2)
    new.moveInitialize(from: old, count: capacity)
    old.deallocate()
    return new
  }
}
