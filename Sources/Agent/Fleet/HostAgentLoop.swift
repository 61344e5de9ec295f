import Engine
import Logging
import Model

/// The deciding part of an agent: takes in what happened, and starts what follows from it.
struct HostAgentLoop {
  typealias Group = ThrowingDiscardingTaskGroup<any Error>

  let agent: HostAgent
  var desks: [String: RunDesk] = [:]
  var queues = AgentQueues(names: [], count: -1)
  var chores: Set<HostAgent.Chore> = []
  var followed: Set<String> = []
  /// What is next in line. While there is something, freed places go to the most urgent of all runs, not just to the run
  /// in which a step ended.
  var readyList = ReadyList()
  var isDraining = false
  var hostDrain: Drain?
  var graceIsOver = false
  /// Whether a look has come back since anything last happened, and found nothing to do.
  var isIdle = false
  /// How many looks in a row have found nothing, and from how many on nothing is likely to come.
  var idleLooks = 0
  private static let mostIdleLooks = 16
  private static let fewIdleLooks = 3
  /// How many times in a row none of the tasks that a look has seen could be had.
  var fruitless = 0
  /// Whether the last transaction that might have taken something has passed it: then it leaves its places free.
  var isPassing = false
  var nextLook = ContinuousClock.now
  /// When the look under way is asked for again unless it has come back: what ``nextLook`` is while nobody wants another.
  var lookEnd = ContinuousClock.now
  /// How many tasks were asked for while the look under way was, or just before, and of which runs.
  var askedBesideLook: [String: Int] = [:]
  /// Whether something has become ready beside the look under way.
  var lookMayMiss = false
  /// What looks have seen to be settled, and when they next see for themselves.
  var horizon = LookHorizon()
  var nextWideLook = ContinuousClock.now + .seconds(60)
  var nextPublishing = ContinuousClock.now
  var nextOrphans = ContinuousClock.now
  var nextRetention = ContinuousClock.now
  var hasSwept = false
  var isReplaced = false
  /// When orphans were last looked for: what a heartbeat asked for before shows may have been adopted by that.
  var adoptedAt = ContinuousClock.now

  init(_ agent: HostAgent) { self.agent = agent }

  var options: HostAgent.Options { agent.options }
  var log: Logger { agent.log }
  var heldCount: Int { desks.values.reduce(0) { $0 + $1.held.count } }

  /// Works until there is nothing left to do here.
  mutating func run(_ group: inout Group) async throws -> HostAgent.Ending {
    while true {
      for message in agent.mailbox.take() { take(message, &group) }
      if isReplaced {
        throw HostAgent.Replaced(
          description: "another agent has taken the place of this one on host \(options.host)")
      }
      if let ending { return ending }
      // In this order: what an advance sets free, or finds to be crowded, the look that follows knows of.
      startAdvances(&group)
      startChores(&group)
      if agent.mailbox.isEmpty { await agent.mailbox.wait(atMost: pause) }
      try Task.checkCancellation()
    }
  }

  var ending: HostAgent.Ending? {
    let isReporting = desks.values.contains { $0.isInFlight || !$0.ends.isEmpty }
    if isDraining {
      if isReporting, !graceIsOver || !agent.touch.isAway { return nil }
      if heldCount == 0 { return .done }
      return graceIsOver ? .handedOver(heldCount) : nil
    }
    if options.once, isIdle, chores.isEmpty, desks.values.allSatisfy(\.isEmpty) { return .done }
    return nil
  }

  /// How long nothing needs to be done unless something happens.
  var pause: Duration {
    let now = ContinuousClock.now
    var next = now + .seconds(5)
    // What is under way leaves a message when it is done; until then its next time, which may have passed, is nothing to
    // get up for.
    if mayLook { next = min(next, nextLook) }
    if !followed.isEmpty, !chores.contains(.publishing) { next = min(next, nextPublishing) }
    for desk in desks.values {
      if let moment = desk.notBefore, moment > now { next = min(next, moment) }
    }
    return max(.milliseconds(1), next - now)
  }

  // MARK: What happened

  private mutating func take(_ message: HostAgent.Message, _ group: inout Group) {
    switch message {
    case .ended(let run, let number, let fence, let outcome):
      ended(run, number, fence, outcome, &group)
    case .advanced(let reply): advanced(reply, &group)
    case .advanceFailed(let run, let granted, let ends, let keys, let error):
      agent.capacity.give(granted)
      log.error("run can't be worked on", metadata: ["run": "\(run)", "error": "\(error)"])
      var desk = desks[run] ?? RunDesk()
      desk.isInFlight = false
      desk.ends.insert(contentsOf: ends, at: 0)
      desk.endedKeys.insert(contentsOf: keys, at: 0)
      desk.notBefore = .now + .seconds(5)
      desks[run] = desk
    case .busy(let run, let granted):
      agent.capacity.give(granted)
      askedBesideLook[run] = nil
      desks[run]?.isInFlight = false
      readyList.postpone(run, granted)
      tidy(run)
    case .retaken(let context, let claims, let sinceBoot, let places):
      agent.capacity.give(max(0, places - claims.count))
      desks[context.run, default: RunDesk()].context = context
      desks[context.run]?.isInFlight = false
      desks[context.run]?.answered = .now
      for claim in claims { start(claim, context.run, sinceBoot) }
      tidy(context.run)
    case .looked(let look, let queues): looked(look, at: queues)
    case .pulse(let pulse, let asked, let sinceBoot): felt(pulse, asked, sinceBoot, &group)
    case .queues(let new):
      chores.remove(.queues)
      if new != queues {
        nextLook = .now
        horizon = LookHorizon()
      }
      queues = new
    case .adopted(let tasks, let context): adopt(tasks, context)
    case .parted(let key):
      agent.executor.recorded([key])
      desks[key.run]?.departing.remove(key.number)
      tidy(key.run)
    case .chore(let chore):
      chores.remove(chore)
      if chore == .orphans { adoptedAt = .now }
      // Without its queues it sees nothing.
      if chore == .queues, queues.count < 0 { wantedChores.insert(.queues) }
    case .address(let address):
      group.addTask { [agent] in
        try await agent.unlessCancelled {
          try await agent.touch.reach { _ in
            try await agent.store.announce(agent: agent.agent, address: address)
          }
          // Whoever had something for it before could not tell.
          agent.wake()
        }
      }
    case .wake:
      nextLook = .now
      isIdle = false
    case .drain:
      guard !isDraining else { break }
      isDraining = true
      log.notice("taking nothing more", metadata: ["running": "\(heldCount)"])
      group.addTask { [agent] in
        try await agent.unlessCancelled {
          try await Task.sleep(for: agent.options.grace)
          agent.mailbox.post(.graceIsOver)
        }
      }
    case .graceIsOver: graceIsOver = true
    }
  }

  private mutating func ended(
    _ run: String, _ number: Int64, _ fence: Int64, _ outcome: Outcome, _ group: inout Group
  ) {
    guard let held = desks[run]?.held[number], held.claim.fence == fence else { return }
    desks[run]?.held[number] = nil
    agent.capacity.give(1)
    let key = TaskKey(held.claim, in: run)
    var parting = held.parting
    if parting == nil, outcome.wasWithheld {
      parting = .givenBack("not started: its lock could not be relied on any more")
    } else if parting == nil, outcome.wasCutOff {
      parting = .givenBack("cut off from the store, and stopped in time")
    }
    switch parting {
    case nil: note(held.claim, run, outcome)
    case .takenOver:
      log.warning("stopped: another agent has it", metadata: metadata(held.claim, run))
      agent.executor.recorded([key])
      tidy(run)
    case .givenBack(let reason):
      log.warning("given back", metadata: metadata(held.claim, run).merging(["reason": "\(reason)"]) { $1 })
      let task = HeldTask(run: run, number: number, fence: fence)
      let (isLoss, isUnstarted) = (outcome.wasCutOff && !outcome.wasWithheld, outcome.wasWithheld)
      desks[run]?.departing.insert(number)
      group.addTask { [agent] in
        try await agent.unlessCancelled {
          try await agent.touch.reach { _ in
            if isLoss {
              try await agent.store.lose([task], of: run, because: reason)
            } else {
              try await agent.store.yield([task], because: reason, unstarted: isUnstarted)
            }
          }
          agent.mailbox.post(.parted(key))
        }
      }
    }
  }

  /// - Parameter leavesFiles: Whether the executor knows of it, and is to be told once its end is recorded.
  private mutating func note(_ claim: Claim, _ run: String, _ outcome: Outcome, leavesFiles: Bool = true) {
    log.log(
      level: outcome.status == .success ? .debug : .warning, "step ended",
      metadata: described(claim, run, outcome))
    desks[run, default: RunDesk()].ends.append(TaskEnd(of: claim, outcome))
    if leavesFiles { desks[run]?.endedKeys.append(TaskKey(claim, in: run)) }
    isIdle = false
  }

  private func described(_ claim: Claim, _ run: String, _ outcome: Outcome) -> Logger.Metadata {
    var described = metadata(claim, run)
    described["status"] = "\(outcome.status.rawValue)"
    if let code = outcome.exitCode { described["exit"] = "\(code)" }
    if let message = outcome.message { described["message"] = "\(message)" }
    return described
  }

  private mutating func advanced(_ reply: AdvanceReply, _ group: inout Group) {
    let (run, advance) = (reply.run, reply.advance)
    let claims = advance.claims
    agent.capacity.give(max(0, reply.granted - claims.count))
    agent.executor.recorded(reply.endedKeys)
    for number in advance.superseded where !reply.wasRepeated {
      log.warning(
        "end not recorded: the task was taken over", metadata: ["run": "\(run)", "task": "\(number)"])
    }
    desks[run, default: RunDesk()].isInFlight = false
    desks[run]?.context = advance.context
    desks[run]?.answered = .now
    // What is left of it is asked for at once: others have had their turn between.
    if advance.isUnfinished { desks[run]?.isDue = true }
    if log.logLevel <= .debug {
      for claim in advance.passed {
        log.debug("step ended", metadata: metadata(claim, run).merging(["status": "success"]) { $1 })
      }
    }
    let now = ContinuousClock.now
    if now - reply.asked > .microseconds(options.lockFor.microseconds / 2), !claims.isEmpty {
      // The answer was so long in coming that the locks may be gone: they are taken anew before anything starts.
      let tasks = claims.map { HeldTask(run: run, number: $0.task.number, fence: $0.fence) }
      retake(tasks, run, places: tasks.count, &group)
    } else {
      for claim in claims { start(claim, run, reply.askedSinceBoot) }
    }
    if let due = advance.nextDue, !advance.status.isOver {
      nextLook = min(nextLook, now + .microseconds(max(1000, due)))
    }
    if reply.granted > 0 { isPassing = claims.isEmpty && advance.passedCount > 0 }
    // It got less than was seen: others were quicker, what was seen can't be taken here now, or it is done already.
    if reply.granted > claims.count { readyList.forget(run) }
    if !claims.isEmpty || advance.passedCount > 0 { fruitless = 0 } else if reply.isShare { fruitless += 1 }
    // Where it got all it asked for there may be more.
    if reply.granted > 0, claims.count == reply.granted || advance.passedCount > 0, agent.capacity.free > 0,
      readyList.isEmpty
    {
      nextLook = now
    }
    // What it has made ready a look beside it may not have seen.
    if reply.granted == 0, !advance.status.isOver, agent.capacity.free > 0 {
      if chores.contains(.look) {
        lookMayMiss = true
      } else {
        readyList.noteMore()
        isIdle = false
      }
    }
    if let reason = advance.stopsRunning, desks[run]?.isStopping == false {
      desks[run]?.isStopping = true
      agent.executor.stop(
        (desks[run]?.held.values).map { $0.map { TaskKey($0.claim, in: run) } } ?? [], because: reason)
    } else if advance.stopsRunning == nil {
      // A recovery has begun the run again.
      desks[run]?.isStopping = false
    }
    tidy(run)
  }

  /// Takes tasks anew that this agent holds and has not begun.
  mutating func retake(_ tasks: [HeldTask], _ run: String, places: Int, _ group: inout Group) {
    // Nothing else is asked of the run meanwhile: an answer could be about the same tasks.
    desks[run, default: RunDesk()].isInFlight = true
    desks[run]?.asked = 0
    group.addTask { [agent] in
      try await agent.unlessCancelled {
        let (context, claims, sinceBoot) = try await agent.touch.reach { _ in
          let sinceBoot = LocalClock.sinceBoot
          let claims = try await agent.store.adopt(
            tasks, of: run, by: agent.agent, lockFor: agent.options.lockFor)
          return (try await agent.store.context(of: run), claims, sinceBoot)
        }
        agent.mailbox.post(.retaken(context, claims: claims, sinceBoot: sinceBoot, places: places))
      }
    }
  }

  private mutating func start(_ claim: Claim, _ run: String, _ sinceBoot: Int64) {
    guard let context = desks[run]?.context else { return }
    let number = claim.task.number
    log.debug("step started", metadata: metadata(claim, run))
    guard context.plan.steps[claim.task.step]?.isEmpty != true else {
      agent.capacity.give(1)
      return note(claim, run, Outcome(.success), leavesFiles: false)
    }
    desks[run]?.held[number] = RunDesk.Held(claim: claim, taken: .now)
    let fence = claim.fence
    agent.executor.begin(
      claim, in: context, trustedUntil: sinceBoot + options.lockFor.microseconds
    ) { [mailbox = agent.mailbox] outcome in
      mailbox.post(.ended(run: run, number: number, fence: fence, outcome: outcome))
    }
  }

  private mutating func adopt(_ tasks: [Adopted], _ context: RunContext) {
    let run = context.run
    agent.capacity.occupy(tasks.count)
    desks[run, default: RunDesk()].context = context
    // Whether the run goes on at all is asked at once.
    desks[run]?.isDue = true
    for task in tasks {
      let (number, fence) = (task.claim.task.number, task.claim.fence)
      log.notice("going on with a step of an earlier agent", metadata: metadata(task.claim, run))
      desks[run]?.held[number] = RunDesk.Held(claim: task.claim, taken: .now)
      task.whenEnded { [mailbox = agent.mailbox] outcome in
        mailbox.post(.ended(run: run, number: number, fence: fence, outcome: outcome))
      }
    }
  }

  private mutating func looked(_ look: Look, at queues: AgentQueues) {
    chores.remove(.look)
    let now = ContinuousClock.now
    // What it saw of the queues that were known when it began says nothing of others.
    if queues == self.queues { horizon = look.horizon }
    // Somebody has asked for a look while this one was under way.
    let isWanted = nextLook != lookEnd
    // Before what it shows is taken or not: one that drains no more need not look again.
    if look.isDraining != (hostDrain != nil), look.isDraining {
      hostDrain = Drain(
        host: options.host, reason: "", by: "", at: Timestamp(microseconds: 0), deadline: nil)
    } else if !look.isDraining {
      hostDrain = nil
    }
    if isTaking {
      readyList.replace(with: look.candidates, limit: look.limit, at: now)
      // A transaction that passes goes on with what else the run has.
      readyList.leaveOut(isPassing ? askedBesideLook.mapValues { _ in .max } : askedBesideLook)
      if lookMayMiss { readyList.noteMore() }
    } else {
      readyList.clear()
    }
    for run in look.due { desks[run, default: RunDesk()].isDue = true }
    for run in look.stopped where desks[run]?.isStopping != true {
      desks[run, default: RunDesk()].isDue = true
    }
    followed = Set(look.followed)
    if look.hasExpired { wantedChores.insert(.reap) }
    if look.hasNewQueues { wantedChores.insert(.queues) }
    if let next = look.nextSensor, next <= 0 { wantedChores.insert(.sensors) }
    if let next = look.nextFiring, next <= 0 { wantedChores.insert(.schedules) }
    isIdle =
      !isWanted && !lookMayMiss && look.candidates.isEmpty && look.due.isEmpty && !look.hasNewQueues
      && !look.hasExpired
    idleLooks = isIdle ? min(idleLooks + 1, Self.mostIdleLooks) : 0
    // An idle one leaves no old entries in its way, and may be woken for what took long.
    if idleLooks > Self.fewIdleLooks { horizon.widenedAt = nil }
    // A busy agent is told by its own ends what else there is; an idle one asks less and less often.
    let factor = isIdle ? 1.2 + 0.8 * Double(idleLooks) / Double(Self.mostIdleLooks) : 0.5
    let poll = options.poll * factor * Double.random(in: 0.9...1.1)
    nextLook = isWanted ? now : now + poll
    for moment in [look.nextDue, look.nextFiring, look.nextSensor] {
      if let moment, moment > 0 { nextLook = min(nextLook, now + .microseconds(max(1000, moment))) }
    }
  }

  var wantedChores: Set<HostAgent.Chore> = [.queues, .orphans]

  private mutating func tidy(_ run: String) {
    if desks[run]?.isEmpty == true { desks[run] = nil }
  }

  // MARK: What follows

  var isTaking: Bool { !isDraining && hostDrain == nil && queues.count >= 0 }

  private mutating func startAdvances(_ group: inout Group) {
    let now = ContinuousClock.now
    readyList.age(to: now)
    var underWay = desks.values.count { $0.isInFlight }
    let shares =
      isTaking
      ? readyList.shares(agent.capacity.free, most: isPassing ? max(1, agent.capacity.total / 2) : .max) {
        desks[$0].map { $0.isBusy(at: now) || $0.isStopping } ?? false
      } : []
    // What is to be reported goes first: others wait for what it triggers.
    let pressing = desks.filter { $0.value.isPressing && !$0.value.isBusy(at: now) }
      .sorted { ($0.value.ends.isEmpty ? 1 : 0, $0.key) < ($1.value.ends.isEmpty ? 1 : 0, $1.key) }.map(\.key)
    let others = shares.map(\.run).filter { desks[$0]?.isPressing != true }
    for run in pressing + others where underWay < Self.mostUnderWay {
      let desk = desks[run] ?? RunDesk()
      let share = shares.first { $0.run == run }
      let granted = agent.capacity.take(upTo: share?.tasks ?? places(for: desk, at: now))
      if granted == 0, !desk.isPressing { continue }
      if share != nil { readyList.send(granted, of: run) }
      underWay += 1
      desks[run, default: RunDesk()].isInFlight = true
      desks[run]?.asked = granted
      if granted > 0, chores.contains(.look) { askedBesideLook[run, default: 0] += granted }
      desks[run]?.isDue = false
      desks[run]?.ends = []
      desks[run]?.endedKeys = []
      let waits = desk.isPressing || share?.waits != false
      advance(run, desk, granted, isShare: share != nil, waits: waits, &group)
    }
    if readyList.isEmpty, readyList.mayBeMore, isTaking, agent.capacity.free > 0, !chores.contains(.look) {
      nextLook = min(nextLook, now + patience)
    }
    // Elsewhere it would cost the server what the transactions under way need, and what is taken waits for places anyway.
    if isPassing, agent.store.hasOneWriter, readyList.isLow(at: now), isTaking, !chores.contains(.look) {
      nextLook = now
    }
  }

  /// How long it is before a look is worth while, after so many in a row whose tasks could not be had.
  private var patience: Duration {
    fruitless == 0 ? .zero : min(options.poll * 0.5, .milliseconds(1 << min(fruitless, 10)))
  }

  /// How many tasks are asked for where no look has seen any: of the places for which nobody is in line, what a run's ends
  /// set free is its own.
  private mutating func places(for desk: RunDesk, at now: ContinuousClock.Instant) -> Int {
    guard isTaking, !desk.isStopping else { return 0 }
    let free = agent.capacity.free
    // A run that has failed is left alone for a while, and so keeps no place.
    let rest = free - readyList.tasks { desks[$0]?.notBefore.map { $0 > now } != true }
    let wanted = max(desk.ends.count + (desk.isDue ? 1 : 0), min(free, Self.fewest))
    let granted = readyList.mayBeMore ? 0 : max(0, min(wanted, rest))
    // What this run would have taken is seen by a look, in its turn.
    if granted < wanted { readyList.noteMore() }
    return granted
  }

  /// Transactions under way at once: as many as the store has connections for.
  private static let mostUnderWay = 4
  /// A run that goes on by itself is asked for a few tasks even where only one was seen.
  private static let fewest = 2

  private func advance(
    _ run: String, _ desk: RunDesk, _ granted: Int, isShare: Bool, waits: Bool, _ group: inout Group
  ) {
    let (ends, keys, names) = (desk.ends, desk.endedKeys, queues.names)
    group.addTask { [agent] in
      try await agent.unlessCancelled {
        do {
          agent.mailbox.post(
            .advanced(
              try await agent.advance(run, ends, keys, granted, names, isShare: isShare, waits: waits)))
        } catch is RunIsBusy {
          agent.mailbox.post(.busy(run: run, granted: granted))
        } catch let error where !(error is CancellationError) {
          agent.mailbox.post(
            .advanceFailed(
              run: run, granted: granted, ends: error is StoreError ? [] : ends,
              keys: error is StoreError ? [] : keys, error: "\(error)".firstLine))
        }
      }
    }
  }

  func metadata(_ claim: Claim, _ run: String) -> Logger.Metadata {
    [
      "run": "\(run)", "step": "\(claim.task.step)", "sequence": "\(claim.task.sequence)",
      "host": "\(options.host)", "attempt": "\(claim.task.attempt)",
    ]
  }
}
