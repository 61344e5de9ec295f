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
  private struct Left: OfRecovery {
    let recovery: Int
    /// The result, if it is short.
    let text: String?
    /// Where it is, if there is one.
    let number: Int64?
    let endedAt: Int64?
  }

  private struct Loop: OfRecovery {
    let recovery: Int
    let number: Int64
    let total: Int
    /// When it ended, if nothing of it goes on.
    let overAt: Int64?
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
  private static let short = 256
  /// About how many bytes a character of a result takes once it is decoded: that of `[1,1]` several, that of a text one.
  private static let bytesForCharacter = 16

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
    let dialect = session.dialect
    // Where a text's length is found without reading it.
    let length = dialect.kind == .postgresql ? "OCTET_LENGTH" : "LENGTH"
    let text =
      "(SELECT CASE WHEN \(length)(r.result) <= \(Self.short) THEN r.result END FROM ev_result r WHERE r.run_key = t.run_key AND r.no = t.result_no)"
    let answers = try session.queryAll([
      Placed.select(
        "t.step, t.sequence, t.recovery, \(text), t.result_no, t.ended_at", from: "ev_task", "step", steps,
        in: sequences, of: run, "t.recovery <= \(recovery) AND t.status IN ('success', 'failure')", dialect),
      Placed.select(
        "t.name, t.sequence, t.recovery, t.no, t.total, CASE WHEN t.in_progress = 0 THEN t.ended_at END",
        from: "ev_loop", "name", steps, in: sequences, of: run, "t.recovery <= \(recovery)", dialect),
    ])
    for place in places {
      left[place] = .some(nil)
      loops[place] = .some(nil)
    }
    for row in answers[0] {
      let place = Place(step: try row.text(0), sequence: try row.text(1))
      let found = Left(
        recovery: try row.int(2), text: try row.optionalText(3), number: try row.optionalInteger(4),
        endedAt: try row.optionalInteger(5))
      Self.keepNewest(found, at: place, in: &left)
    }
    for row in answers[1] {
      let place = Place(step: try row.text(0), sequence: try row.text(1))
      let found = Loop(
        recovery: try row.int(2), number: try row.integer(3), total: try row.int(4),
        overAt: try row.optionalInteger(5))
      Self.keepNewest(found, at: place, in: &loops)
    }
  }

  /// What counts is the newest recovery.
  private static func keepNewest<Found: OfRecovery>(
    _ found: Found, at place: Place, in known: inout [Place: Found?]
  ) {
    if let other = known[place] ?? nil, other.recovery >= found.recovery { return }
    known[place] = found
  }

  private func value(of left: Left) throws -> JSONValue? {
    if let text = left.text { return JSONText.value(text) }
    guard let number = left.number else { return nil }
    let row = RunRow(run: run, number: number, at: left.endedAt ?? 0)
    if let known = values[number] ?? cache?[row] { return known }
    let rows = try session.query("SELECT result FROM ev_result WHERE run_key = \(run) AND no = \(number)")
    guard let text = try rows.first?.text(0) else { return nil }
    let value = JSONText.value(text)
    values[number] = value
    if left.endedAt.map({ $0 < now }) ?? false {
      cache?.note(value, for: row, weighing: text.utf8.count * Self.bytesForCharacter)
    }
    return value
  }

  private func list(of step: String, in loop: Loop) throws -> JSONValue {
    // What goes on may still have results to come.
    let row = loop.overAt.flatMap { $0 < now ? RunRow(run: run, number: loop.number, at: $0) : nil }
    if let known = lists[loop.number] ?? row.flatMap({ cache?[$0] }) { return known }
    var characters = 0
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
      let text = try row.text(1)
      characters += text.utf8.count
      if list.indices.contains(position - 1) { list[position - 1] = JSONText.value(text) }
    }
    lists[loop.number] = .array(list)
    if let row {
      cache?.note(.array(list), for: row, weighing: (characters + list.count * 2) * Self.bytesForCharacter)
    }
    return .array(list)
  }
}

/// Something of a run that each recovery may have anew.
private protocol OfRecovery {
  var recovery: Int { get }
}
