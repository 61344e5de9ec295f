/// Does the same for many hosts, some of them at a time.
public enum FanOut {
  /// Calls `body` for each of `items`, at most `width` at a time, and hands each result to `each` as soon as all before
  /// it have been handed over: one line per host, in the order they were named.
  ///
  /// Cancelling the task cancels all that run; their results are handed over all the same.
  public static func run<Item: Sendable, Value: Sendable>(
    _ items: [Item], width: Int = 16, _ body: @escaping @Sendable (Item) async -> Value,
    each: (Item, Value) -> Void
  ) async {
    await withTaskGroup(of: (Int, Value).self) { group in
      var started = 0
      var (done, next) = ([Int: Value](), 0)
      func start() {
        guard started < items.count else { return }
        let (index, item) = (started, items[started])
        started += 1
        group.addTask { (index, await body(item)) }
      }
      for _ in 0..<max(1, width) { start() }
      while let (index, value) = await group.next() {
        done[index] = value
        start()
        while let value = done.removeValue(forKey: next) {
          each(items[next], value)
          next += 1
        }
      }
    }
  }
}
