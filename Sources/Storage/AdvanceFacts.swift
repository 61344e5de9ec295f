import Database
import Engine
import Model

/// What an advance reads before it decides anything, in one round trip where the database can: the run's lock, and what
/// nearly every advance needs to know, each read after the lock is there.
struct AdvanceFacts {
  let run: LockedRun
  /// Microseconds until the run's next delay, retry or deadline; nil if there is none.
  let nextDue: Int64?
  /// The tasks that have ended, of those that the agent holds.
  let ended: [Int64: TaskFact]
  /// The first tasks in line, as many as are asked for; nil where that is not enough to go by.
  let ready: [Claimer.Ready]?
  /// What the ends will lead to, as far as it is there.
  let foreseen: Foreseen?
  /// The iterations that the ends belong to, and their loops.
  let iterations: [IterationState]
  let loops: [LoopState]

  /// Names that were looked for, and what was found of them.
  struct Foreseen {
    let names: Foresight
    let events: [Sequence: [String: EventFact]]
    let tasks: [Sequence: [String: TaskFact]]
  }
}

/// What never changes about a run, and what rarely does, by its id: enough to ask for everything else about it at once.
struct KnownRun: Sendable, Hashable {
  let key: Int64
  let programKey: Int64
  let recovery: Int
}

extension SQLStore {
  /// Locks the run and reads.
  ///
  /// - Throws: `RunIsBusy` if another's transaction in the run is not to be waited for; ``StoreError``.
  func advanceFacts(_ request: AdvanceRequest, _ session: any Session) throws -> AdvanceFacts {
    let lock = lockStatement(
      request.run, for: request.queues == nil ? nil : request.localHost, waits: request.waits, session.dialect
    )
    // A program that is there no more was that of another run of the name.
    if let known = runs[request.run], let plan = try? plan(known.programKey, session) {
      let reading = AdvanceReading(request, of: known, plan, session.dialect)
      let answers = try session.queryAll([lock] + reading.statements)
      let run = try lockedRun(answers[0], request.run, waits: request.waits, session)
      if run.known == known { return try reading.facts(answers.dropFirst(), of: run) }
      // Another recovery has begun, or another run has the name.
      return try facts(request, of: run, session)
    }
    return try facts(
      request, of: lockedRun(try session.query(lock), request.run, waits: request.waits, session), session)
  }

  private func facts(
    _ request: AdvanceRequest, of run: LockedRun, _ session: any Session
  ) throws -> AdvanceFacts {
    runs.note(run.known, for: request.run)
    let reading = AdvanceReading(request, of: run.known, run.plan, session.dialect)
    return try reading.facts(try session.queryAll(reading.statements)[...], of: run)
  }
}

/// The statements of one reading, and what their answers mean.
private struct AdvanceReading {
  let statements: [SQL]
  private let request: AdvanceRequest
  private let hasTimes: Bool
  private let isTaking: Bool
  private let foresight: Foresight?
  private let endParts: Int
  private let scopeParts: [[Int64]]

  init(_ request: AdvanceRequest, of run: KnownRun, _ plan: Plan, _ dialect: Dialect) {
    self.request = request
    isTaking = request.slots > 0 && !plan.hasDemands
    foresight = request.ends.isEmpty ? nil : Foresight(request.ends, in: plan)
    let parts = request.ends.map { $0.number }.sorted().chunks(of: 64)
    endParts = parts.count
    // Of several the rows are locked in their order, as a heartbeat does it: else the two could wait for each other.
    let forUpdate = request.ends.count > 1 ? dialect.forUpdate : ""
    hasTimes = plan.hasTimes
    var statements: [SQL] = hasTimes ? [SQLStore.nextDueStatement(run.key)] : []
    for part in parts {
      statements.append(
        """
        SELECT \(raw: TaskFact.columns), holder FROM ev_task
        WHERE run_key = \(run.key) AND no IN \(list: part) ORDER BY no\(raw: forUpdate)
        """)
    }
    if isTaking {
      statements.append(Claimer.readyStatement(run.key, plan, request, request.slots, dialect))
    }
    if let foresight {
      let places = foresight.sequences.map { $0.text }
      statements.append(
        SQLLedger.eventStatement(foresight.events, in: places, of: run.key, recovery: run.recovery, dialect))
      if !foresight.steps.isEmpty {
        statements.append(
          SQLLedger.taskStatement(foresight.steps, in: places, of: run.key, recovery: run.recovery, dialect))
      }
    }
    let scopes = Set(request.ends.compactMap { $0.task?.scope }).subtracting([0]).sorted()
    scopeParts = scopes.chunks(of: 64)
    for part in scopeParts {
      statements.append(SQLLedger.iterationStatement(part, of: run.key))
      statements.append(SQLLedger.loopStatement(ofIterations: part, of: run.key))
    }
    self.statements = statements
  }

  func facts(_ answers: ArraySlice<[Row]>, of run: LockedRun) throws -> AdvanceFacts {
    var answers = answers
    let due =
      hasTimes ? try SQLStore.nextDue(answers.removeFirst(), now: run.state.now.microseconds) : run.nextLimit
    var ended: [Int64: TaskFact] = [:]
    for _ in 0..<endParts {
      for row in answers.removeFirst() where try row.optionalInteger(10) == request.agent {
        let task = try TaskFact(row)
        ended[task.number] = task
      }
    }
    let ready = isTaking ? try answers.removeFirst().map { try Claimer.Ready($0) } : nil
    var foreseen: AdvanceFacts.Foreseen?
    if let foresight {
      let events = try SQLLedger.events(answers.removeFirst())
      let tasks = foresight.steps.isEmpty ? [:] : try SQLLedger.tasks(answers.removeFirst())
      foreseen = AdvanceFacts.Foreseen(names: foresight, events: events, tasks: tasks)
    }
    var (iterations, loops): ([IterationState], [LoopState]) = ([], [])
    for _ in scopeParts {
      iterations += try answers.removeFirst().map { try IterationState($0) }
      loops += try answers.removeFirst().map { try LoopState($0) }
    }
    return AdvanceFacts(
      run: run, nextDue: due, ended: ended, ready: ready, foreseen: foreseen, iterations: iterations,
      loops: loops)
  }
}

extension LockedRun {
  /// Microseconds until a limit on the whole run's time; nil if there is none.
  fileprivate var nextLimit: Int64? {
    guard state.verdict == nil else { return nil }
    return [deadlineAt, queueDeadlineAt].compactMap(\.self).min().map { max(0, $0 - state.now.microseconds) }
  }

  fileprivate var known: KnownRun {
    KnownRun(key: state.key, programKey: programKey, recovery: state.recovery)
  }
}
