/// One thing that happens.
struct Move: Equatable, Sendable {
  enum Kind: UInt8 {
    case claim, claimSentLate, takingAnswered, takingAnswerLost
    case renew, renewalAnswered, renewalAnswerLost
    case adopt, follow, findEnd, orderStart, giveUp, giveUpUnheard
    case end, endForRetry, endAndClaim, endUnheard, endForRetryUnheard, endAndClaimUnheard, endRefused,
      endSentLate
    case expire, expirySentLate, sweep, resolve
    case lateCarriedOut, lateGone
    case keeperBegins, keeperStarts, keeperRefuses, guardEnds, stepEnds
    case kill, restart, reboot, storeLeaves, storeReturns, cancel, rerun, tick
    case clockJumps, commitForgotten

    var bit: UInt64 { 1 << UInt64(truncatingIfNeeded: rawValue) }
  }

  /// What may be counted on when it is asked whether a task comes to its end.
  enum Nature: UInt8 {
    /// Happens sooner or later wherever nothing is broken.
    case progress
    /// An agent is started again: on a host that is gone for good it never is.
    case restart
    /// The step's own doing.
    case ownEnd
    /// A fault, an accident, or the wish of a person.
    case fault
  }

  let kind: Kind
  /// The agent's, or the host's number.
  var place: UInt8 = 0
  var nature = Nature.progress
}

extension Move: CustomStringConvertible {
  private var agent: String { ["A", "B", "C"][Int(place)] }

  var description: String {
    switch kind {
    case .claim: "\(agent) claims the task; the answer is on its way"
    case .claimSentLate: "\(agent) gives up waiting for a claim that the store has not carried out yet"
    case .takingAnswered: "\(agent) learns that it has taken the task"
    case .takingAnswerLost: "the answer to \(agent)'s taking is lost"
    case .renew: "\(agent) renews; the answer is on its way, if it says anything about the task"
    case .renewalAnswered: "\(agent) hears the answer to its renewal"
    case .renewalAnswerLost: "the answer to \(agent)'s renewal is lost"
    case .adopt: "\(agent) adopts the task; the answer is on its way"
    case .follow: "\(agent) finds the step running and follows it"
    case .findEnd: "\(agent) finds the step's end in the journal"
    case .orderStart: "\(agent) orders its keeper to start the step"
    case .giveUp: "\(agent) finds no trace of the step and declares it lost"
    case .giveUpUnheard: "\(agent) finds no trace of the step and declares it lost; the answer is lost"
    case .end: "\(agent) records the end"
    case .endForRetry: "\(agent) records the end, a failure that is tried again"
    case .endAndClaim:
      "\(agent) records the end, a failure that is tried again, and claims the next attempt with it"
    case .endUnheard: "\(agent) records the end; the answer is lost"
    case .endForRetryUnheard: "\(agent) records the end, a failure that is tried again; the answer is lost"
    case .endAndClaimUnheard:
      "\(agent) records the end, a failure that is tried again, and claims the next attempt with it; the answer is lost"
    case .endRefused: "\(agent) sends an end and is told that it is superseded or recorded"
    case .endSentLate: "\(agent) gives up waiting for an end that the store has not carried out yet"
    case .expire: "\(agent) declares the lock expired and the attempt lost"
    case .expirySentLate:
      "\(agent) sees an expired lock and asks for the attempt to be declared lost; that takes long"
    case .sweep: "\(agent) ends a process on its host whose attempt is over"
    case .resolve: "\(agent) tells the store that nothing of the earlier attempt runs on its host"
    case .lateCarriedOut: "the store carries out the late request"
    case .lateGone: "the late request is gone"
    case .keeperBegins: "the keeper begins to obey the order"
    case .keeperStarts: "the keeper starts the step"
    case .keeperRefuses: "the keeper refuses the order"
    case .guardEnds: "the guard ends the step"
    case .stepEnds: "the step ends"
    case .kill: "\(agent) is killed"
    case .restart: "\(agent) is started again"
    case .reboot: "host s\(place + 1) is rebooted"
    case .storeLeaves: "the store goes away"
    case .storeReturns: "the store comes back"
    case .cancel: "somebody cancels the run"
    case .rerun: "somebody runs the step again"
    case .tick: "time passes"
    case .clockJumps: "the database's clock jumps forward"
    case .commitForgotten: "the store forgets a claim that it had acknowledged"
    }
  }
}

/// What must never happen.
enum Breach: UInt8 {
  case none
  case twoProcesses, startAfterTheEnd, lateEnd, secondEnd, endOfRunning, absenceExpired, liveLockExpired
  case endForgotten, lostTooOften, lawfulStepStopped, needlessGuard, takenWhileHeld

  var sentence: String {
    switch self {
    case .none: "nothing"
    case .twoProcesses: "two processes of the step run at once"
    case .startAfterTheEnd: "a process is started for an attempt that is over"
    case .lateEnd: "the end of an attempt that is over is recorded"
    case .secondEnd: "a second end is recorded"
    case .endOfRunning: "an end is recorded while the step runs"
    case .absenceExpired: "a lock is declared lost before its holder had its length to report in"
    case .liveLockExpired: "a lock that has not expired is declared lost"
    case .endForgotten: "an attempt whose end is in the journal is declared lost"
    case .lostTooOften: "a task is lost more often than max_lost"
    case .lawfulStepStopped: "the lawful holder stops its step"
    case .needlessGuard: "the guard ends a step whose agent may still rely on its lock"
    case .takenWhileHeld: "a task that runs is claimed"
    }
  }
}
