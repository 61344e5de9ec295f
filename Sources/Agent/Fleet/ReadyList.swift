import Engine

/// What the last look saw ready and nobody was sent for yet, most urgent first, whichever run it belongs to.
///
/// A look shows more than there are places for, so that a place which becomes free a moment later is filled without
/// another look: at what is next in line of all runs, not at what the run has in which a step ended.
struct ReadyList {
  /// Tasks of one run that follow each other in line.
  struct Part: Hashable {
    let run: String
    var tasks: Int
    /// Whether a transaction of another agent in the same run is to be waited for.
    var waits = false
    /// The place in line by priority of the first of them; lower is first.
    var first: Int64 = 0
    /// The same of the last.
    var last: Int64 = 0
  }

  /// How long after a look its order is gone by: something more urgent may have become ready since.
  static let freshness = Duration.milliseconds(100)
  /// A look of which so much is used up within this time is followed by the next before it is used up altogether.
  private static let quick = Duration.milliseconds(20)
  /// The most tasks that one look shows, and the fewest, with no place free.
  private static let (most, fewest) = (256, 16)
  /// The most where tasks are passed, which leave their places free: a look is then soon used up.
  private static let mostPassed = 1024

  private var parts: [Part] = []
  private var until = ContinuousClock.now
  /// How many tasks the last look was to show at most.
  private var limit = 0
  /// Whether anybody was sent for something that it showed.
  private var isInUse = false
  /// Whether there was more than the look could show, or may be by now.
  private(set) var mayBeMore = false

  /// How many tasks a look is to show an agent with so many places free: one of few numbers, each of which makes another
  /// statement.
  static func limit(free: Int, isPassing: Bool = false) -> Int {
    let wanted = isPassing ? min(mostPassed, free * 16) : min(most, free * 4)
    var limit = fewest
    while limit < wanted { limit *= 2 }
    return limit
  }

  /// Whether looks are used up as soon as they have come: one that is to last had better show as much as would fill all
  /// places, whether they are free just now or not.
  func isQuick(at now: ContinuousClock.Instant) -> Bool { now < until - Self.freshness + Self.quick }

  /// Whether so little is left of what was seen that it would be used up before another look has come.
  func isLow(at now: ContinuousClock.Instant) -> Bool {
    mayBeMore && isInUse && isQuick(at: now) && parts.reduce(0) { $0 + $1.tasks } <= limit / 4
  }

  /// Whether there is nothing in line.
  var isEmpty: Bool { parts.isEmpty }

  /// How many tasks of runs for which `counts` is true are in line.
  func tasks(_ counts: (String) -> Bool) -> Int { parts.reduce(0) { $0 + (counts($1.run) ? $1.tasks : 0) } }

  /// There is something that no look has seen.
  mutating func noteMore() { mayBeMore = true }

  /// Takes over what a look has seen that was to show at most `limit` tasks.
  mutating func replace(
    with candidates: [Look.Candidate], limit: Int, at now: ContinuousClock.Instant
  ) {
    parts = candidates.map { Part(run: $0.run, tasks: $0.tasks, first: $0.first, last: $0.last) }
    mayBeMore = candidates.reduce(0) { $0 + $1.tasks } >= limit
    until = now + Self.freshness
    self.limit = limit
    isInUse = false
  }

  /// Leaves out what others were sent for while the look was under way, which it may have seen all the same: so many tasks of
  /// each run, the first of them. If it has seen nothing else, that stays, and so does what is more urgent than the rest.
  mutating func leaveOut(_ asked: [String: Int]) {
    var (rest, left) = (parts, asked)
    guard let next = parts.first(where: { asked[$0.run] == nil })?.first else { return }
    for index in rest.indices {
      guard let known = left[rest[index].run], rest[index].first >= next else { continue }
      let gone = min(known, rest[index].tasks)
      rest[index].tasks -= gone
      left[rest[index].run] = known - gone
    }
    rest.removeAll { $0.tasks == 0 }
    guard left != asked else { return }
    parts = rest
    // What was done before the look saw it was left out for nothing.
    mayBeMore = true
  }

  /// Forgets everything: nothing is taken any more.
  mutating func clear() {
    parts = []
    mayBeMore = false
  }

  /// Forgets what was seen too long ago.
  mutating func age(to now: ContinuousClock.Instant) {
    guard now >= until, !parts.isEmpty else { return }
    parts = []
    mayBeMore = true
  }

  /// How `room` places are shared out among runs, the most urgent first. A run for which `isBusy` is true can't be asked
  /// now: its tasks stay in line.
  ///
  /// - Parameter most: The most places for a run while another one's tasks that are as urgent follow, so that there is
  ///   always a transaction at hand when one is done.
  func shares(_ room: Int, most: Int = .max, isBusy: (String) -> Bool) -> [Part] {
    var room = room
    var shares: [Part] = []
    let others = Set(parts.map(\.run)).count > 1
    for (index, part) in parts.enumerated() where room > 0 && !isBusy(part.run) {
      let next = index + 1 < parts.count ? parts[index + 1] : nil
      let isFollowed =
        next.map { $0.first == part.last && part.first == part.last && !isBusy($0.run) } ?? false
      let known = shares.firstIndex { $0.run == part.run }
      let tasks = min(
        room, part.tasks, isFollowed ? max(0, most - (known.map { shares[$0].tasks } ?? 0)) : .max)
      if tasks == 0 { continue }
      room -= tasks
      // Whoever has nothing else to do waits.
      let waits = part.waits || !others
      if let known {
        shares[known].tasks += tasks
        shares[known].waits = shares[known].waits || waits
      } else {
        shares.append(Part(run: part.run, tasks: tasks, waits: waits, first: part.first, last: part.last))
      }
    }
    return shares
  }

  /// Somebody was sent for the first `tasks` tasks of the run.
  mutating func send(_ tasks: Int, of run: String) {
    isInUse = true
    var left = tasks
    for index in parts.indices where parts[index].run == run {
      let sent = min(left, parts[index].tasks)
      parts[index].tasks -= sent
      left -= sent
    }
    parts.removeAll { $0.tasks == 0 }
  }

  /// Of the run there is nothing left: others were quicker.
  mutating func forget(_ run: String) { parts.removeAll { $0.run == run } }

  /// Another agent was at the run just then. It is asked again after all others, and then waited for.
  mutating func postpone(_ run: String, _ tasks: Int) {
    let rest = parts.reduce(0) { $0 + ($1.run == run ? $1.tasks : 0) }
    forget(run)
    // As urgent as nothing else, as it stands out of line.
    parts.append(Part(run: run, tasks: tasks + rest, waits: true, first: .max, last: .min))
  }
}
