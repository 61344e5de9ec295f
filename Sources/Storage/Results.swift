import Database
import Engine
import Model
import Synchronization

/// Results of steps as later steps read them.
struct Results {
  let session: any Session
  let run: Int64
  let recovery: Int
  /// Keeps what is long; nil: nobody asks twice.
  var cache: ResultCache?
  /// The time of the transaction: what has ended in it may come to nothing, and is not kept.
  var now: Int64 = 0

  /// A result of more characters is long: it is read by itself, and kept.
  private static let short = 4096

  /// The result of `step` in `sequence` or in the nearest sequence around it that has one. The result of a
  /// `foreach` is the list of its iterations' results, in their order.
  func result(of step: String, in sequence: Sequence) throws -> JSONValue? {
    for place in sequence.enclosing {
      if let own = try ownResult(of: step, in: place) { return own.value }
      if let list = try listResult(of: step, in: place) { return list }
    }
    return nil
  }

  private struct Found {
    let value: JSONValue?
  }

  /// The result of the task in its newest recovery, which may be none; nil if there was no such task.
  private func ownResult(of step: String, in sequence: Sequence) throws -> Found? {
    let rows = try session.query(
      """
      SELECT CASE WHEN LENGTH(r.result) <= \(Self.short) THEN r.result END, r.no, t.ended_at
      FROM ev_task t LEFT JOIN ev_result r ON r.run_key = t.run_key AND r.no = t.result_no
      WHERE t.run_key = \(run) AND t.step = \(step) AND t.sequence = \(sequence.text) AND t.recovery <= \(recovery)
        AND t.status IN ('success', 'failure')
      ORDER BY t.recovery DESC LIMIT 1
      """)
    guard let row = rows.first else { return nil }
    if let text = try row.optionalText(0) { return Found(value: JSONText.value(text)) }
    guard let number = try row.optionalInteger(1) else { return Found(value: nil) }
    return Found(value: try long(number, isLasting: try row.optionalInteger(2).map { $0 < now } ?? false))
  }

  private func long(_ number: Int64, isLasting: Bool) throws -> JSONValue? {
    let key = ResultCache.Key(run: run, number: number)
    if let known = cache?[key] { return known }
    let rows = try session.query("SELECT result FROM ev_result WHERE run_key = \(run) AND no = \(number)")
    guard let value = try rows.first.map({ JSONText.value(try $0.text(0)) }) else { return nil }
    if isLasting { cache?.keep(value, for: key) }
    return value
  }

  private func listResult(of step: String, in sequence: Sequence) throws -> JSONValue? {
    let loops = try session.query(
      """
      SELECT no, total FROM ev_loop WHERE run_key = \(run) AND name = \(step) AND sequence = \(sequence.text)
        AND recovery <= \(recovery) ORDER BY recovery DESC LIMIT 1
      """)
    guard let loop = loops.first else { return nil }
    var list = [JSONValue](repeating: .null, count: min(try loop.int(1), 1_000_000))
    let number = try loop.integer(0)
    try session.each(
      """
      SELECT i.position, r.result FROM ev_iteration i
      JOIN ev_task t ON t.run_key = i.run_key AND t.step = \(step) AND t.sequence = i.sequence
        AND t.recovery = i.recovery
      JOIN ev_result r ON r.run_key = t.run_key AND r.no = t.result_no
      WHERE i.run_key = \(run) AND i.loop_no = \(number)
      """
    ) { row in
      let position = try row.int(0)
      if list.indices.contains(position - 1) { list[position - 1] = JSONText.value(try row.text(1)) }
    }
    return .array(list)
  }
}

/// Long results, so that a list over which a loop goes is not read and decoded for each of its tasks. A result never changes.
final class ResultCache: Sendable {
  struct Key: Hashable {
    let run: Int64
    let number: Int64
  }
  private static let capacity = 16
  private let results = Mutex<[Key: JSONValue]>([:])

  subscript(key: Key) -> JSONValue? { results.withLock { $0[key] } }

  func keep(_ value: JSONValue, for key: Key) {
    results.withLock { results in
      if results.count >= Self.capacity { results.removeAll() }
      results[key] = value
    }
  }
}
