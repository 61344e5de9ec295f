/// Lets a few be in at a time, such as worlds of tests that have processes of their own.
public actor Gate {
  private var free: Int
  private var waiting: [CheckedContinuation<Void, Never>] = []

  /// A gate with room for `places`.
  public init(places: Int) { free = places }

  /// Waits until there is room, and takes it.
  public func enter() async {
    if free > 0 {
      free -= 1
      return
    }
    await withCheckedContinuation { waiting.append($0) }
  }

  /// Gives the room back.
  public func leave() {
    if waiting.isEmpty { free += 1 } else { waiting.removeFirst().resume() }
  }
}
