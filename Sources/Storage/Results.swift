import Database
import Engine
import Model

/// Results of steps as later steps read them.
struct Results {
  let session: any Session
  let run: Int64
  let recovery: Int

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
    try session.query(
      """
      SELECT r.result FROM ev_task t LEFT JOIN ev_result r ON r.run_key = t.run_key AND r.no = t.result_no
      WHERE t.run_key = \(run) AND t.step = \(step) AND t.sequence = \(sequence.text) AND t.recovery <= \(recovery)
        AND t.status IN ('success', 'failure')
      ORDER BY t.recovery DESC LIMIT 1
      """
    ).first.map { Found(value: try $0.optionalText(0).map { JSONText.value($0) }) }
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
