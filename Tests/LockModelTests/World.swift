/// Everything there is at one moment. Times are what is left of them: no clock is ever read, and none compared.
///
/// Fences and attempts are kept as whether they are the task's present ones: nothing else is ever asked of them, and so
/// any number of takings fits into finitely many worlds.
struct World: Equatable, Sendable {
  var row = TaskRow()
  var step = StepProcess()
  var order = StartOrder()
  /// Whether the journals of each host hold the end of the present attempt.
  var hasEnd0 = false
  var hasEnd1 = false
  var late = LateRequest()
  var store = Store()
  var a = Agent()
  var b = Agent()
  var c = Agent()

  subscript(agent index: Int) -> Agent {
    get {
      switch index {
      case 0: a
      case 1: b
      default: c
      }
    }
    set {
      switch index {
      case 0: a = newValue
      case 1: b = newValue
      default: c = newValue
      }
    }
  }

  func hasEnd(on host: UInt8) -> Bool { host == 0 ? hasEnd0 : hasEnd1 }

  mutating func noteEnd(on host: UInt8) {
    if host == 0 { hasEnd0 = true } else { hasEnd1 = true }
  }
}

/// Somebody who can hold a task, own a process or have sent a request.
enum Party {
  static let nobody: UInt8 = 0
  /// A living agent.
  static func agent(_ index: Int) -> UInt8 { UInt8(index + 1) }
  /// Any agent of `host` that is dead: those are all alike.
  static func dead(on host: UInt8) -> UInt8 { 4 + host }
  static func isDead(_ party: UInt8) -> Bool { party >= 4 }
}

/// The task's row.
struct TaskRow: Equatable, Sendable {
  enum Status { static let ready: UInt8 = 0, running: UInt8 = 1, ended: UInt8 = 2 }
  var status = Status.ready
  var holder = Party.nobody
  /// The holder came by it by adoption: another agent's keeper may have started it.
  var isAdopted = false
  /// `lock_until` minus the database's time, plus one: 0 is an expired lock.
  var lock: UInt8 = 0
  var losses: UInt8 = 0
  var retriesLeft: UInt8 = 0
  var isCancelled = false
  var rerunsLeft: UInt8 = 0
  /// The host, plus one, where a kept attempt that was ended from afar may still run; 0: none.
  var unresolved: UInt8 = 0
}

/// The process of the step. A second one would be the end of the search.
struct StepProcess: Equatable, Sendable {
  /// Whose it is: the agent that follows it, or a keeper whose agent is dead. Nobody: there is no process.
  var owner = Party.nobody
  var isCurrent = false
  /// Ticks until its guard ends it. Steps that are kept have none.
  var guarded: UInt8 = 0
}

/// An agent's order to its keeper to start the step, under way.
struct StartOrder: Equatable, Sendable {
  var owner = Party.nobody
  var isCurrent = false
  /// Ticks until it must not be obeyed any more.
  var deadline: UInt8 = 0
  /// The keeper has announced it in its journal; in the variant that looks first, it has looked.
  var isBegun = false
}

/// A request whose sender waits for it no longer, or is dead, and which the store has not carried out yet.
struct LateRequest: Equatable, Sendable {
  enum Kind { static let none: UInt8 = 0, claim: UInt8 = 1, end: UInt8 = 2, expiry: UInt8 = 3 }
  var kind = Kind.none
  var sender = Party.nobody
  var hasFence = false
  var isCurrent = false
}

/// The store's presence. The last two are not known to anybody: they say what the agents could have done.
struct Store: Equatable, Sendable {
  var isAway = false
  /// It was there at some moment of this tick.
  var wasThere = true
  /// For how many ticks on end it was there at some moment.
  var thereFor: UInt8 = 0
}

/// An agent, and what it knows of the task.
struct Agent: Equatable, Sendable {
  enum Knowledge { static let none: UInt8 = 0, taken: UInt8 = 1, started: UInt8 = 2 }
  /// The answer to a renewal that is on its way.
  enum Renewal {
    static let none: UInt8 = 0, held: UInt8 = 1, lost: UInt8 = 2, unknown: UInt8 = 3
    static let stopped: UInt8 = 4
  }
  var isAlive = false
  var knows = Knowledge.none
  var hasFence = false
  var isCurrent = false
  /// It may start the step, if it finds no trace of it. Who adopts may not.
  var mayStart = false
  /// Ticks for which it may rely on its lock.
  var trust: UInt8 = 0
  /// For how many ticks on end it has heard from the store.
  var touch: UInt8 = 0
  /// It has just been started; kept for the variant that looks at that moment only.
  var isNew = false
  /// The answer to a taking that is on its way, and how long ago the request began.
  var taking = Taking()
  /// The answer to a renewal that is on its way, and how long ago the request began.
  var renewal = Renewal.none
  var renewalAge: UInt8 = 0

  mutating func dropRenewal() {
    renewal = Renewal.none
    renewalAge = 0
  }

  mutating func forget() {
    knows = Knowledge.none
    hasFence = false
    isCurrent = false
    mayStart = false
    trust = 0
  }
}

struct Taking: Equatable, Sendable {
  var isThere = false
  var hasFence = false
  var isCurrent = false
  var mayStart = false
  var age: UInt8 = 0
}
