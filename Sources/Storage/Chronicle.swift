import Engine
import Model

/// What one transaction has to tell the history, in order, so that it is written at once.
final class Chronicle {
  private(set) var entries: [Changes.HistoryEntry] = []

  func add(_ new: [Changes.HistoryEntry]) { entries += new }
}
