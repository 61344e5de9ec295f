import Eventor
import Foundation
import TestSupport

/// A store and directories of a test's own.
struct World: Sendable {
  let directory: String
  let options: RunOptions

  static func with(
    _ kind: TestStore.Kind = .sqlite, _ body: (World) async throws -> Void
  ) async throws {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent(
      "library-\(UUID().uuidString)"
    ).path
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    try await withStore(kind) { url in
      try await body(
        World(
          directory: directory,
          options: RunOptions {
            $0.store = StoreLocation(url.textWithPassword)
            $0.logDirectory = directory + "/logs"
            $0.workDirectory = directory + "/work"
          }))
    }
  }

  /// The options, but for what `change` sets.
  func options(_ change: (inout RunOptions) -> Void) -> RunOptions {
    var options = options
    change(&options)
    return options
  }
}

/// Counts, from anywhere.
actor Counter {
  private(set) var count = 0
  private(set) var most = 0
  private var level = 0

  func add() { count += 1 }

  func enter() {
    count += 1
    level += 1
    most = max(most, level)
  }

  func leave() { level -= 1 }
}

/// Opens once.
actor Door {
  private var isOpen = false
  private var waiting: [CheckedContinuation<Void, Never>] = []

  func open() {
    isOpen = true
    for waiter in waiting { waiter.resume() }
    waiting = []
  }

  func wait() async {
    if isOpen { return }
    await withCheckedContinuation { waiting.append($0) }
  }
}
