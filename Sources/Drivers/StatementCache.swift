/// The prepared statements of one session by their text; the one unused for longest goes first.
struct StatementCache<Statement> {
  private var entries: [String: (statement: Statement, used: UInt64)] = [:]
  private var clock: UInt64 = 0
  let capacity: Int

  init(capacity: Int = 256) {
    self.capacity = max(1, capacity)
  }

  var count: Int { entries.count }

  /// The statement of this text, which counts as a use.
  mutating func find(_ text: String) -> Statement? {
    clock += 1
    guard let index = entries.index(forKey: text) else { return nil }
    entries.values[index].used = clock
    return entries.values[index].statement
  }

  /// Keeps a statement; returns the one that had to go.
  ///
  /// The search for the oldest is linear: a full cache is rare, as the program has fewer texts.
  mutating func keep(_ statement: Statement, for text: String) -> Statement? {
    clock += 1
    var evicted: Statement?
    if entries.count >= capacity, entries[text] == nil,
      let oldest = entries.min(by: { $0.value.used < $1.value.used })
    {
      evicted = entries.removeValue(forKey: oldest.key)?.statement
    }
    entries[text] = (statement, clock)
    return evicted
  }

  /// Forgets a statement that turned out unusable.
  mutating func remove(_ text: String) -> Statement? {
    entries.removeValue(forKey: text)?.statement
  }

  /// Forgets all.
  mutating func removeAll() {
    entries = [:]
  }
}
