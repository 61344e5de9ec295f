import Engine
import Model

/// What an agent has to do with one run: what it carries out, what it has to report, what it is after.
struct RunDesk {
  /// A task that is being carried out.
  struct Held {
    let claim: Claim
    /// When it was known to be taken: a heartbeat that was asked for before says nothing of it.
    let taken: ContinuousClock.Instant
    /// Why it was told to stop, where its end is not to be recorded as one.
    var parting: Parting?
  }

  /// Why the end of a step is not recorded as an end.
  enum Parting {
    /// Somebody else has it: nothing is recorded.
    case takenOver
    /// It is given back, for others to run.
    case givenBack(String)
  }

  var context: RunContext?
  var held: [Int64: Held] = [:]
  var ends: [TaskEnd] = []
  var endedKeys: [TaskKey] = []
  /// Something is due, or the run was stopped.
  var isDue = false
  var isInFlight = false
  /// How many tasks were asked for when something last was.
  var asked = 0
  /// When the last answer came: a heartbeat that was asked for before may not have seen what it took.
  var answered = ContinuousClock.now
  /// Tasks whose ends are on their way to be given back.
  var departing: Set<Int64> = []
  var isStopping = false
  /// After a failure of its own the run is left alone for a moment.
  var notBefore: ContinuousClock.Instant?

  /// Whether there is something to tell the store, or to ask it for, at once.
  var isPressing: Bool { !ends.isEmpty || isDue }

  /// Whether nothing can be asked for now: an answer is on its way, or the last one was a failure.
  func isBusy(at now: ContinuousClock.Instant) -> Bool { isInFlight || notBefore.map { $0 > now } ?? false }

  /// Whether nothing of it is left to be remembered.
  var isEmpty: Bool {
    held.isEmpty && ends.isEmpty && !isInFlight && !isDue && departing.isEmpty
  }
}

/// One advance, and what came of it.
struct AdvanceReply: Sendable {
  let run: String
  /// Places taken for what it might claim.
  let granted: Int
  /// Whether a look had seen what it was to claim.
  let isShare: Bool
  let endedKeys: [TaskKey]
  /// When it was asked, the last time if it was more than once.
  let asked: ContinuousClock.Instant
  /// The same in microseconds since boot.
  let askedSinceBoot: Int64
  let advance: Advance
  /// Whether there was more than one try: then an end may have been recorded by an earlier one.
  let wasRepeated: Bool
}
