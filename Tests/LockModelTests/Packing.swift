/// A world in 128 bits. Each field has its bits in the order in which it is written.
struct PackedWorld: Equatable, Sendable {
  var low: UInt64
  var high: UInt64

  init(low: UInt64, high: UInt64) {
    self.low = low
    self.high = high
  }

  init(_ world: World) {
    var common = BitWriter()
    common.put(world.row.status, 2)
    common.put(world.row.holder, 3)
    common.put(world.row.isAdopted)
    common.put(world.row.lock, 3)
    common.put(world.row.losses, 2)
    common.put(world.row.retriesLeft, 1)
    common.put(world.row.isCancelled)
    common.put(world.row.rerunsLeft, 1)
    common.put(world.row.unresolved, 2)
    common.put(world.step.owner, 3)
    common.put(world.step.isCurrent)
    common.put(world.step.guarded, 2)
    common.put(world.order.owner, 3)
    common.put(world.order.isCurrent)
    common.put(world.order.deadline, 2)
    common.put(world.order.isBegun)
    common.put(world.hasEnd0)
    common.put(world.hasEnd1)
    common.put(world.late.kind, 2)
    common.put(world.late.sender, 3)
    common.put(world.late.hasFence)
    common.put(world.late.isCurrent)
    common.put(world.store.isAway)
    common.put(world.store.wasThere)
    common.put(world.store.thereFor, 2)
    common.put(world.a)
    var others = BitWriter()
    others.put(world.b)
    others.put(world.c)
    low = common.bits
    high = others.bits
  }

  var world: World {
    var world = World()
    var common = BitReader(bits: low)
    world.row.status = common.take(2)
    world.row.holder = common.take(3)
    world.row.isAdopted = common.take()
    world.row.lock = common.take(3)
    world.row.losses = common.take(2)
    world.row.retriesLeft = common.take(1)
    world.row.isCancelled = common.take()
    world.row.rerunsLeft = common.take(1)
    world.row.unresolved = common.take(2)
    world.step.owner = common.take(3)
    world.step.isCurrent = common.take()
    world.step.guarded = common.take(2)
    world.order.owner = common.take(3)
    world.order.isCurrent = common.take()
    world.order.deadline = common.take(2)
    world.order.isBegun = common.take()
    world.hasEnd0 = common.take()
    world.hasEnd1 = common.take()
    world.late.kind = common.take(2)
    world.late.sender = common.take(3)
    world.late.hasFence = common.take()
    world.late.isCurrent = common.take()
    world.store.isAway = common.take()
    world.store.wasThere = common.take()
    world.store.thereFor = common.take(2)
    world.a = common.agent()
    var others = BitReader(bits: high)
    world.b = others.agent()
    world.c = others.agent()
    return world
  }
}

private struct BitWriter {
  var bits: UInt64 = 0
  private var used: UInt64 = 0

  mutating func put(_ value: UInt8, _ width: UInt64) {
    bits |= UInt64(truncatingIfNeeded: value) << used
    used += width
  }

  mutating func put(_ flag: Bool) {
    if flag { bits |= 1 << used }
    used += 1
  }

  mutating func put(_ agent: Agent) {
    put(agent.isAlive)
    put(agent.knows, 2)
    put(agent.hasFence)
    put(agent.isCurrent)
    put(agent.mayStart)
    put(agent.trust, 2)
    put(agent.touch, 2)
    put(agent.isNew)
    put(agent.taking.isThere)
    put(agent.taking.hasFence)
    put(agent.taking.isCurrent)
    put(agent.taking.mayStart)
    put(agent.taking.age, 2)
    put(agent.renewal, 3)
    put(agent.renewalAge, 2)
  }
}

private struct BitReader {
  var bits: UInt64

  mutating func take(_ width: UInt64) -> UInt8 {
    defer { bits >>= width }
    return UInt8(truncatingIfNeeded: bits & ((1 << width) - 1))
  }

  mutating func take() -> Bool {
    defer { bits >>= 1 }
    return bits & 1 != 0
  }

  mutating func agent() -> Agent {
    var agent = Agent()
    agent.isAlive = take()
    agent.knows = take(2)
    agent.hasFence = take()
    agent.isCurrent = take()
    agent.mayStart = take()
    agent.trust = take(2)
    agent.touch = take(2)
    agent.isNew = take()
    agent.taking.isThere = take()
    agent.taking.hasFence = take()
    agent.taking.isCurrent = take()
    agent.taking.mayStart = take()
    agent.taking.age = take(2)
    agent.renewal = take(3)
    agent.renewalAge = take(2)
    return agent
  }
}
