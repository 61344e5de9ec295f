/// What one search looks at: the task, who is there, and what may go wrong.
struct Setting: Sendable {
  /// Where the task may run.
  enum Placement: Sendable { case pinned, group }
  /// `on_cut_off`.
  enum CutOff: Sendable { case stop, keep }
  /// `on_lost`.
  enum OnLost: Sendable { case rerun, fail }

  var name: String
  var placement: Placement
  var cutOff: CutOff
  var onLost = OnLost.rerun
  var maxLost: UInt8 = 1
  /// `lock_for`, in ticks. An agent may renew in every tick.
  var lockFor: UInt8 = 3
  /// The host of each agent: two or three agents on hosts 0 and 1. A pinned task is host 0's.
  var hosts: [UInt8] = [0, 1]

  /// A failed attempt is tried again, once.
  var retries = false
  /// Somebody cancels the run.
  var cancels = false
  /// Somebody runs the step again after its end, once.
  var reruns = false
  /// Agents are killed, and restarted.
  var kills = true
  /// Hosts are rebooted.
  var reboots = false
  /// The store goes away and comes back.
  var outages = false
  /// Answers get lost: a partition is that, for a while.
  var lostAnswers = true
  /// Answers take their time: more than none is only needed where somebody measures from them.
  var slowAnswers = true
  /// A request whose sender has given it up is carried out by the store at some later time.
  var lateRequests = false

  /// What no protocol can stand: see `Assumption`.
  var broken: Assumption?

  /// The database's clock is ahead of the agents', in ticks, which matters only to those that compare them.
  static let offset: UInt8 = 2

  func with(_ change: (inout Setting) -> Void) -> Setting {
    var copy = self
    change(&copy)
    return copy
  }
}

/// What the protocol relies on. The model leaves each out in turn, to show that it is needed.
enum Assumption: String, CaseIterable, Sendable {
  case databaseClockIsSteady = "the database's clock does not jump forward"
  case keeperIsPrompt = "the keeper runs when a guard is due"
  case commitsLast = "what the store has acknowledged is not forgotten"
}
