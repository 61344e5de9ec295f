import Engine
import Model

extension RunHandle {
  /// A handle on a run that is there already: of a cluster, or of another process.
  ///
  /// - Parameters:
  ///   - run: Its id, the beginning of it, or `latest`.
  ///   - location: Where it is kept.
  /// - Throws: Errors of the store, among others if there is no such run.
  public static func following(_ run: String, in location: StoreLocation) async throws -> RunHandle {
    let connection = try await StoreConnection(location)
    do {
      return following(try await connection.store.runID(matching: run), connection)
    } catch {
      await connection.close()
      throw error
    }
  }

  /// A handle on a run that others work on: its history is looked at twice a second until it is over.
  static func following(_ id: String, _ connection: StoreConnection) -> RunHandle {
    let (events, feed) = AsyncStream.makeStream(of: RunEvent.self, bufferingPolicy: .bufferingNewest(10_000))
    let worker = WorkerBox(isHere: false)
    let work = Task {
      defer {
        feed.finish()
        worker.end.open()
      }
      var last: Int64 = 0
      while true {
        let isOver = try await connection.store.glance(at: id).status.isOver
        let news = try await connection.store.history(of: id, after: last)
        last = news.last
        for record in news.records { for event in RunEvent.all(of: record) { feed.yield(event) } }
        if isOver { break }
        try await Task.sleep(for: .milliseconds(500))
      }
      let outcome = try await connection.outcome(of: id)
      feed.yield(.over(outcome.status))
      return outcome
    }
    return RunHandle(id: id, connection: connection, events: events, worker: worker, work: work)
  }
}

extension RunEvent {
  /// What the history says of starts and ends of steps.
  fileprivate static func all(of record: HistoryRecord) -> [RunEvent] {
    let entry = record.entry
    guard entry.subject == .task, let status = TaskStatus(rawValue: entry.to) else { return [] }
    // One without an action is taken and ended in one; what was ended by hand has no token of its attempt.
    let isPassed =
      status == .success && entry.token == entry.attempt && entry.from != TaskStatus.running.rawValue
    let isStart = status == .running || isPassed
    let step = Step(
      name: entry.name, sequence: entry.sequence, attempt: entry.attempt, host: isStart ? entry.actor : nil)
    return (isStart ? [.started(step)] : [])
      + (status.isOver ? [.ended(step, status: status, message: nil)] : [])
  }
}
