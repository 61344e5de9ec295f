import Coordinator
import Model
import Workload

/// How workloads are shown: as text, line by line as `dyno` shows them, and as JSON.
enum WorkloadView {
  /// The state as ` . key : value`, those of the original first; with `open` also the run that is not over.
  static func lines(_ state: WorkloadState, open showsOpen: Bool = true) -> String {
    let last = state.last
    let lastTime = last?.startedAt ?? 0
    var pairs: [(String, String)] = [
      ("created", moment(state.created)),
      ("history", "(\(state.historyCount) items)"),
      ("last_dt", "\((last?.spent ?? 0) / 1_000_000)"),
      ("last_errors", "\(last?.errors ?? 0)"),
      ("last_ts", "\(lastTime / 1_000_000) (\(moment(lastTime)))"),
      ("last_updates", "\(last?.updates ?? 0)"),
      ("size", "\(state.parameters.size)"),
      ("start", "\(state.start)"),
      ("total", "\(state.parameters.total)"),
      ("updates", "\(state.parameters.updatesPerRun)"),
      ("version", "\(state.version)"),
      ("docs", "\(state.documents)"),
      ("runs", "\(state.runs)"),
      ("seed", "\(state.seed)"),
    ]
    if state.parameters.compressible > 0 {
      pairs.append(("compressible", "\(state.parameters.compressible) %"))
    }
    if showsOpen, let open = state.open {
      let holder = state.holder.map { ", last by \($0.name)" } ?? ""
      pairs.append(("open run", "\(open.number) (\(open.done) of \(open.updates) docs updated\(holder))"))
    }
    return pairs.map { " . \($0.0) : \($0.1)\n" }.joined()
  }

  /// What a run did: the revisions found, the documents updated, and both rates.
  static func rates(_ run: WorkloadRun) -> String {
    let revisionRate = rate(run.revisions, run.revisionSeconds)
    return """
      \(run.revisions) revs in \(seconds(run.revisionSeconds)) sec, @ \(revisionRate) revs/sec
      updated \(run.updated) docs: dt: \(seconds(run.seconds)) sec, @ \(rate(run.updated, run.seconds)) docs/sec

      """
  }

  /// The runs that are over.
  static func table(_ history: [WorkloadState.Ended], of state: WorkloadState) -> Table {
    var table = Table([
      .init("run", alignment: .right), .init("started_at"), .init("docs"),
      .init("updates", alignment: .right), .init("revs", alignment: .right),
      .init("dt", alignment: .right), .init("errors", alignment: .right),
    ])
    for run in history {
      let range = DocumentRange(start: run.start, count: run.updates, total: state.parameters.total)
      table.append([
        .init(run.number), .init(moment(run.startedAt)), .init("\(range)"), .init(run.updates),
        .init(run.revisions), .init(seconds(Double(run.spent) / 1_000_000)), .init(run.errors),
      ])
    }
    return table
  }

  static func json(_ state: WorkloadState) -> JSONObject {
    let open = state.open.map { open in
      JSONObject([
        ("run", open.number), ("started_at", Timestamp(microseconds: open.startedAt)),
        ("updates", open.updates), ("done", open.done), ("by", state.holder?.name),
      ])
    }
    return JSONObject([
      ("created", Timestamp(microseconds: state.created)), ("total", state.parameters.total),
      ("size", state.parameters.size), ("updates", state.parameters.updatesPerRun),
      ("compressible", state.parameters.compressible), ("seed", state.seed), ("version", state.version),
      ("start", state.start), ("runs", state.runs), ("documents", state.documents),
      ("filled", state.filled), ("last_ts", state.last.map { Timestamp(microseconds: $0.startedAt) }),
      ("last_dt", state.last.map { Double($0.spent) / 1_000_000 }),
      ("last_updates", state.last?.updates ?? 0), ("last_errors", state.last?.errors ?? 0),
      ("open_run", open), ("history_count", state.historyCount),
    ])
  }

  static func json(_ run: WorkloadRun) -> JSONObject {
    JSONObject([
      ("run", run.number), ("start", run.documents.start), ("updates", run.documents.count),
      ("done_before", run.doneBefore), ("updated", run.updated), ("revisions", run.revisions),
      ("revision_seconds", run.revisionSeconds), ("seconds", run.seconds),
      ("documents_per_second", rate(run.updated, run.seconds)),
    ])
  }

  static func json(_ run: WorkloadState.Ended) -> JSONObject {
    JSONObject([
      ("run", run.number), ("started_at", Timestamp(microseconds: run.startedAt)),
      ("seconds", Double(run.spent) / 1_000_000), ("start", run.start), ("updates", run.updates),
      ("revisions", run.revisions), ("errors", run.errors),
    ])
  }

  /// `2015-11-13T18:48:02`, in UTC.
  static func moment(_ microseconds: Int64) -> String {
    String(Timestamp(microseconds: microseconds).description.prefix(19))
  }

  private static func rate(_ count: Int, _ seconds: Double) -> Int {
    seconds > 0 ? Int(Double(count) / seconds) : 0
  }

  private static func seconds(_ seconds: Double) -> String {
    let milliseconds = Int((max(0, seconds) * 1000).rounded())
    let rest = String(milliseconds % 1000)
    return "\(milliseconds / 1000)." + String(repeating: "0", count: 3 - rest.count) + rest
  }
}
