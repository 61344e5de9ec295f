/// The safeguards of the protocol: a broken variant goes without one of them. docs/locks.md says why each is there.
enum Safeguard: UInt8, CaseIterable, Sendable {
  // Writes to the store.
  case takingRaisesFence, endCarriesFence, endNeedsRunning, claimNeedsReady, renewalComparesFence
  case lossesAreCounted
  // Time.
  case trustFromBegin, keeperGuards, startHasDeadline, databaseClockDecides
  case outageGrace, graceInTransaction, expiryInTransaction
  // What an agent knows.
  case olderRenewalIsIgnored, takingUnderWayIsNotUnknown, unknownIsTakenAnew, deadAreLookedForAgain
  case losingStops
  // Evidence on the host.
  case onlyFromTheDead, evidenceBeforeStart, endsAreRead, keeperRefusesForTheDead, announceThenCheck
  case adopterMovesGuard
  // What is kept, and what people ask for.
  case keptIsNotExpired, leftoversEndFirst, unresolvedStaysOnHost, leftoversAreSwept

  /// What it asks for.
  var sentence: String {
    switch self {
    case .takingRaisesFence: "every taking raises the fence"
    case .endCarriesFence: "an end is recorded only for the holder, under its fence"
    case .endNeedsRunning: "an end is recorded only of a task that runs"
    case .claimNeedsReady: "a claim takes only what is ready when it is carried out"
    case .renewalComparesFence: "a renewal is believed only where the fence is still the one the agent knows"
    case .lossesAreCounted: "a task is lost at most max_lost times"
    case .trustFromBegin: "trust is measured from when the request began"
    case .keeperGuards: "the keeper, not the agent, ends a step when trust is over"
    case .startHasDeadline: "a keeper starts nothing after the end of the trust under which it was asked to"
    case .databaseClockDecides: "only the database's clock says that a lock has expired"
    case .outageGrace: "only an agent in touch for a lock's length declares it lost"
    case .graceInTransaction: "the transaction that declares a lock lost makes sure of the touch"
    case .expiryInTransaction: "the transaction that declares a lock lost makes sure that it has expired"
    case .olderRenewalIsIgnored: "a renewal begun before a taking says nothing about it"
    case .takingUnderWayIsNotUnknown: "a held task is unknown only while no taking is under way"
    case .unknownIsTakenAnew: "every renewal is looked through for tasks held without knowing"
    case .deadAreLookedForAgain: "tasks of dead agents of the host are looked for again and again"
    case .losingStops: "an agent that loses a task stops its step"
    case .onlyFromTheDead: "a task is adopted only from an agent known to be dead"
    case .evidenceBeforeStart:
      "whoever holds a task it does not know looks for its process before it starts one"
    case .endsAreRead: "whoever adopts a task reads the journal for its end"
    case .keeperRefusesForTheDead: "a keeper starts nothing for an agent that is gone"
    case .announceThenCheck: "a keeper announces a start before it looks whether its agent lives"
    case .adopterMovesGuard: "whoever adopts a step moves its guard"
    case .keptIsNotExpired: "the lock of a kept task expires for nobody"
    case .leftoversEndFirst: "processes of earlier attempts on the host are ended before a start"
    case .unresolvedStaysOnHost:
      "a kept task ended from afar is taken elsewhere only after its host has answered"
    case .leftoversAreSwept: "agents end processes on their host whose attempt is over"
    }
  }
}

/// The protocol: all safeguards, or all but one.
struct Rules: Sendable {
  private let missing: UInt8

  /// The protocol as docs/locks.md states it.
  static let all = Rules(missing: .max)

  /// The protocol without one safeguard.
  static func without(_ safeguard: Safeguard) -> Rules { Rules(missing: safeguard.rawValue) }

  func keep(_ safeguard: Safeguard) -> Bool { safeguard.rawValue != missing }
}
