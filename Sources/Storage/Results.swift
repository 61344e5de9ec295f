import Database
import Engine
import Model

/// Results of steps as later steps read them, in one transaction.
final class Results {
  /// A step in a sequence.
  private struct Place: Hashable {
    let step: String
    let sequence: String
  }

  /// What a task left.
  private struct Left {
    /// The result, if it is short.
    let text: String?
    /// Where it is, if there is one.
    let number: Int64?
    let endedAt: Int64?
  }

  private struct Loop {
    let number: Int64
    let total: Int
  }

  private let session: any Session
  private let run: Int64
  private let recovery: Int
  /// Keeps what is not short; nil: nobody asks twice.
  private let cache: BoundedCache<RunRow, JSONValue>?
  /// The time of the transaction: what has ended in it may come to nothing, and is not kept.
  private let now: Int64

  /// What was read; nil is known not to be there.
  private var left: [Place: Left?] = [:]
  private var loops: [Place: Loop?] = [:]
  private var lists: [Int64: JSONValue] = [:]
  /// Results that are not short, by their number.
  private var values: [Int64: JSONValue] = [:]

  /// A result of so many characters is decoded sooner than it is found.
  private static let short = 64

  init(
    session: any Session, run: Int64, recovery: Int, cache: BoundedCache<RunRow, JSONValue>? = nil,
    now: Int64 = 0
  ) {
    self.session = session
    self.run = run
    self.recovery = recovery
    self.cache = cache
    self.now = now
  }

  /// The result of `step` in `sequence` or in the nearest sequence around it that has one. The result of a
  /// `foreach` is the list of its iterations' results, in their order.
  func result(of step: String, in sequence: Sequence) throws -> JSONValue? {
    try foresee([step], in: [sequence])
    for sequence in sequence.enclosing {
      let place = Place(step: step, sequence: sequence.text)
      if let left = left[place] ?? nil { return try value(of: left) }
      if let loop = loops[place] ?? nil { return try list(of: step, in: loop) }
    }
    return nil
  }

  /// The results of `steps` for a task in `sequence`, without those that have none.
  func results(of steps: [String], in sequence: Sequence) throws -> [String: JSONValue] {
    var found: [String: JSONValue] = [:]
    for step in steps { found[step] = try result(of: step, in: sequence) }
    return found
  }

  /// Reads what is there of `steps` in `sequences` and those around them, for many at once: one by one each would take
  /// statements of its own.
  func foresee(_ steps: [String], in sequences: [Sequence]) throws {
    let around = Set(sequences.flatMap { $0.enclosing.map(\.text) }).sorted()
    for names in steps.chunks(of: 64) {
      for sequences in around.chunks(of: max(1, 256 / names.count)) {
        let places = names.flatMap { step in sequences.map { Place(step: step, sequence: $0) } }
        if places.contains(where: { left[$0] == nil }) { try read(names, in: sequences, places) }
      }
    }
  }

  private func read(_ steps: [String], in sequences: [String], _ places: [Place]) throws {
    let answers = try session.queryAll([
      """
      SELECT t.step, t.sequence, CASE WHEN LENGTH(r.result) <= \(Self.short) THEN r.result END, r.no, t.ended_at
      FROM ev_task t LEFT JOIN ev_result r ON r.run_key = t.run_key AND r.no = t.result_no
      WHERE t.run_key = \(run) AND t.step IN \(list: steps) AND t.sequence IN \(list: sequences)
        AND t.recovery <= \(recovery) AND t.status IN ('success', 'failure')
      ORDER BY t.recovery
      """,
      """
      SELECT name, sequence, no, total FROM ev_loop
      WHERE run_key = \(run) AND name IN \(list: steps) AND sequence IN \(list: sequences)
        AND recovery <= \(recovery) ORDER BY recovery
      """,
    ])
    for place in places {
      left[place] = .some(nil)
      loops[place] = .some(nil)
    }
    // The newest recovery comes last, and is what counts.
    for row in answers[0] {
      left[Place(step: try row.text(0), sequence: try row.text(1))] = Left(
        text: try row.optionalText(2), number: try row.optionalInteger(3), endedAt: try row.optionalInteger(4)
      )
    }
    for row in answers[1] {
      loops[Place(step: try row.text(0), sequence: try row.text(1))] = Loop(
        number: try row.integer(2), total: try row.int(3))
    }
  }

  private func value(of left: Left) throws -> JSONValue? {
    if let text = left.text { return JSONText.value(text) }
    guard let number = left.number else { return nil }
    let row = RunRow(run: run, number: number)
    if let known = values[number] ?? cache?[row] { return known }
    let rows = try session.query("SELECT result FROM ev_result WHERE run_key = \(run) AND no = \(number)")
    guard let text = try rows.first?.text(0) else { return nil }
    let value = JSONText.value(text)
    values[number] = value
    if left.endedAt.map({ $0 < now }) ?? false { cache?.note(value, for: row, weighing: text.utf8.count) }
    return value
  }

  private func list(of step: String, in loop: Loop) throws -> JSONValue {
    if let known = lists[loop.number] { return known }
    var list = [JSONValue](repeating: .null, count: min(loop.total, 1_000_000))
    try session.each(
      """
      SELECT i.position, r.result FROM ev_iteration i
      JOIN ev_task t ON t.run_key = i.run_key AND t.step = \(step) AND t.sequence = i.sequence
        AND t.recovery = i.recovery
      JOIN ev_result r ON r.run_key = t.run_key AND r.no = t.result_no
      WHERE i.run_key = \(run) AND i.loop_no = \(loop.number)
      """
    ) { row in
      let position = try row.int(0)
      if list.indices.contains(position - 1) { list[position - 1] = JSONText.value(try row.text(1)) }
    }
    lists[loop.number] = .array(list)
    return .array(list)
  }
}
