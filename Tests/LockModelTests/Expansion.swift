/// What can happen next in a world: each move with the world after it, and what it breaks.
///
/// The buffers are allocated once: this is called for every world there is.
struct Expansion {
  let setting: Setting
  let rules: Rules
  let agents: Int
  /// Touch is counted only where the store can be away: elsewhere everybody may be as much in touch as need be.
  let countsTouch: Bool
  /// A bit for each agent: whether it is on host 1.
  private let hosts: UInt8
  private(set) var count = 0
  private let worlds: UnsafeMutablePointer<World>
  private let moves: UnsafeMutablePointer<Move>
  private let breaches: UnsafeMutablePointer<Breach>
  private static let capacity = 128

  init(_ setting: Setting, _ rules: Rules) {
    self.setting = setting
    self.rules = rules
    agents = setting.hosts.count
    countsTouch = setting.outages
    hosts = setting.hosts.enumerated().reduce(0) { $0 | $1.element << UInt8($1.offset) }
    worlds = .allocate(capacity: Self.capacity)
    worlds.initialize(repeating: World(), count: Self.capacity)
    moves = .allocate(capacity: Self.capacity)
    moves.initialize(repeating: Move(kind: .tick), count: Self.capacity)
    breaches = .allocate(capacity: Self.capacity)
    breaches.initialize(repeating: .none, count: Self.capacity)
  }

  /// Gives the buffers back; the expansion is not to be used any more.
  func deallocate() {
    worlds.deallocate()
    moves.deallocate()
    breaches.deallocate()
  }

  func world(_ index: Int) -> World { worlds[index] }
  func move(_ index: Int) -> Move { moves[index] }
  func breach(_ index: Int) -> Breach { breaches[index] }

  /// The world in which everything begins: the task is ready, and all agents have just been started.
  var first: World {
    var world = World()
    world.row.retriesLeft = setting.retries ? 1 : 0
    world.row.rerunsLeft = setting.reruns ? 1 : 0
    for index in 0..<agents { world[agent: index] = started }
    return world
  }

  mutating func expand(_ world: World) {
    count = 0
    for index in 0..<agents {
      let agent = world[agent: index]
      if agent.isAlive {
        expandKnowledge(world, index, agent)
        if !world.store.isAway { expandStore(world, index, agent) }
      }
      expandFaults(world, index, agent)
    }
    expandKeeper(world)
    expandLate(world)
    expandAccidents(world)
    expandTime(world)
  }

  mutating func emit(
    _ world: World, _ kind: Move.Kind, _ place: Int = 0, _ nature: Move.Nature = .progress,
    breach: Breach = .none
  ) {
    worlds[count] = world
    moves[count] = Move(kind: kind, place: UInt8(truncatingIfNeeded: place), nature: nature)
    breaches[count] = breach
    count += 1
  }

  // MARK: What all moves ask

  /// An agent that has just been started.
  var started: Agent {
    var agent = Agent()
    agent.isAlive = true
    agent.isNew = !rules.keep(.deadAreLookedForAgain)
    return agent
  }

  func host(of index: Int) -> UInt8 { (hosts >> UInt8(truncatingIfNeeded: index)) & 1 }

  /// The host of an agent, or of the keeper of a dead one.
  func host(ofParty party: UInt8) -> UInt8 {
    Party.isDead(party) ? party - 4 : (hosts >> (party - 1)) & 1
  }

  /// The step runs, or ran, on the host of this agent.
  func isHere(_ party: UInt8, _ index: Int) -> Bool {
    party != Party.nobody && host(ofParty: party) == host(of: index)
  }

  var isKept: Bool { setting.cutOff == .keep }

  /// What others know of the fence is no longer so.
  func raiseFence(_ world: inout World) {
    for index in 0..<agents {
      var agent = world[agent: index]
      agent.hasFence = false
      agent.taking.hasFence = false
      // What it would ask for is for the fence it was told, and would be refused.
      if agent.renewal == Agent.Renewal.unknown { agent.dropRenewal() }
      world[agent: index] = agent
    }
    world.late.hasFence = false
  }

  /// The attempt is over: what is known, runs or is written of it is of an earlier one.
  func closeAttempt(_ world: inout World) {
    for index in 0..<agents {
      var agent = world[agent: index]
      agent.isCurrent = false
      agent.taking.isCurrent = false
      world[agent: index] = agent
    }
    world.late.isCurrent = false
    world.step.isCurrent = false
    world.order.isCurrent = false
    world.hasEnd0 = false
    world.hasEnd1 = false
  }
}
