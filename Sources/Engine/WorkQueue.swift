import Model

/// What a transition still has to do, first in, first out, so that causes come before their effects in every list.
struct WorkQueue {
  enum Work {
    /// An event is raised.
    case raise(String, Transition.Place, Transition.Cause)
    /// An association's target is started, now or when it is due.
    case launch(Plan.Target, Transition.Place, Transition.Cause, due: Timestamp?)
  }

  private var items: [Work] = []
  private var head = 0

  mutating func add(_ work: Work) { items.append(work) }

  mutating func next() -> Work? {
    guard head < items.count else {
      items.removeAll(keepingCapacity: true)
      head = 0
      return nil
    }
    defer { head += 1 }
    return items[head]
  }
}
