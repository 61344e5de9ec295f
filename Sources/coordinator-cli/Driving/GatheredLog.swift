import Foundation
import Glibc
import Synchronization

/// A log that comes piece by piece: all of it, or its last lines, and then hardly more than those is held at a time.
final class GatheredLog: Sendable {
  private struct State {
    var bytes: [UInt8] = []
    var lineEnds = 0
    var total = 0
  }

  private let state = Mutex(State())
  private let tail: Int?

  /// An empty one, of which the last `tail` lines are wanted; all if nil.
  init(tail: Int?) { self.tail = tail }

  /// What was added, from the line on that is wanted first.
  var text: String {
    state.withLock { state in
      if let tail { Self.keep(tail, &state) }
      return String(decoding: state.bytes, as: UTF8.self)
    }
  }

  /// How many bytes were added in all.
  var total: Int { state.withLock { $0.total } }

  func add(_ piece: ArraySlice<UInt8>) {
    state.withLock { state in
      state.bytes += piece
      state.total += piece.count
      guard let tail else { return }
      state.lineEnds += piece.count { $0 == UInt8(ascii: "\n") }
      // Not for each piece, or many short ones would have the rest moved again and again.
      if state.lineEnds > 2 * tail + 1000 { Self.keep(tail, &state) }
    }
  }

  /// Drops what is before the last `count` lines. What follows the last line end is a line, if it is anything.
  private static func keep(_ count: Int, _ state: inout State) {
    let isOpen = state.bytes.last.map { $0 != UInt8(ascii: "\n") } ?? false
    let superfluous = state.lineEnds + (isOpen ? 1 : 0) - count
    guard superfluous > 0 else { return }
    guard count > 0 else {
      state.bytes = []
      state.lineEnds = 0
      return
    }
    var (left, end) = (superfluous, 0)
    while left > 0, let next = state.bytes[end...].firstIndex(of: UInt8(ascii: "\n")) {
      end = next + 1
      left -= 1
    }
    state.bytes.removeFirst(end)
    state.lineEnds -= superfluous - left
  }

  /// Adds the file at `path`, a piece at a time; false if it can't be read.
  func read(_ path: String) -> Bool {
    guard let file = FileHandle(forReadingAtPath: path) else { return false }
    defer { try? file.close() }
    do {
      while let piece = try file.read(upToCount: 1 << 18), !piece.isEmpty { add(Array(piece)[...]) }
    } catch {
      return false
    }
    return true
  }
}
