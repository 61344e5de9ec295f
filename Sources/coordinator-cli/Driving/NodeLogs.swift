import CommandSupport
import Coordinator
import Engine
import Foundation
import Model
import Synchronization
import Transport

/// Logs of steps on the hosts where they are written, for those of which the store keeps only the end.
///
/// A host is reached by the name its agent has, as `ssh` would reach it; once for all of its logs. A host that can't be
/// reached is said once, and then what the store has must do.
final class NodeLogs {
  private let ssh: SSHOptions
  private var sessions: [String: SSHSession] = [:]
  private var unreachable: Set<String> = []

  init(_ ssh: SSHOptions) { self.ssh = ssh }

  /// Whether the store has less of this output than its log.
  static func isCut(_ output: OutputRecord) -> Bool {
    output.tail.map { $0.totalBytes > Int64($0.text.utf8.count) } ?? false
  }

  /// Hands the whole log to `body`, piece by piece; false if it can't be had, which is said on standard error.
  func read(_ output: OutputRecord, _ body: @escaping @Sendable (ArraySlice<UInt8>) -> Void) async -> Bool {
    guard let host = output.task.host, let path = output.task.logPath, let tail = output.tail,
      !unreachable.contains(host)
    else { return false }
    do {
      let session = try await session(with: host)
      try await session.read(path) { body($0) }
      return true
    } catch {
      let kind = (error as? TransportError)?.kind
      let what = kind == .noSuchFile ? "" : "\(error); "
      // A file that can't be read says nothing of the host's others.
      if kind != .noSuchFile, kind != .transfer { unreachable.insert(host) }
      Say.warning(
        "\(what)of \(path) on \(host) only the last \(tail.text.utf8.count) of \(tail.totalBytes) bytes are here"
      )
      return false
    }
  }

  private func session(with host: String) async throws -> SSHSession {
    if let known = sessions[host] { return known }
    let session = try await ssh.client().connect(Destination(host))
    sessions[host] = session
    return session
  }

  /// Says goodbye to the hosts.
  func close() async {
    for session in sessions.values { await session.close() }
  }
}

/// Bytes as text that come in pieces: a character that is cut in two waits for its other half.
struct TextPieces {
  private var rest: [UInt8] = []

  /// The text that `piece` completes.
  mutating func text(_ piece: ArraySlice<UInt8>) -> String {
    rest += piece
    // A character has at most 4 bytes, of which only the first is none of 10xxxxxx (RFC 3629).
    var end = rest.count
    for back in 1...4 where back <= rest.count {
      let byte = rest[rest.count - back]
      guard byte & 0xc0 != 0x80 else { continue }
      let length = byte & 0x80 == 0 ? 1 : byte & 0xe0 == 0xc0 ? 2 : byte & 0xf0 == 0xe0 ? 3 : 4
      if length > back { end = rest.count - back }
      break
    }
    defer { rest.removeFirst(end) }
    return String(decoding: rest[..<end], as: UTF8.self)
  }

  /// What is left at the end.
  mutating func last() -> String {
    defer { rest = [] }
    return String(decoding: rest, as: UTF8.self)
  }
}

/// Prints one log, whose pieces come one after the other, and ends its last line.
final class LogPrinter: Sendable {
  private struct State {
    var head: String
    var pieces = TextPieces()
    var endsInLine = true
  }

  private let state: Mutex<State>
  private let isTerminal = Say.outProfile.isTerminal

  /// A printer that prints `head` before the first piece.
  init(head: String) { state = Mutex(State(head: head)) }

  func take(_ piece: ArraySlice<UInt8>) { state.withLock { print($0.pieces.text(piece), &$0) } }

  func end() {
    state.withLock { state in
      print(state.pieces.last(), &state)
      if !state.endsInLine { Say.out("\n") }
    }
  }

  private func print(_ text: String, _ state: inout State) {
    if !state.head.isEmpty { Say.out(state.head) }
    state.head = ""
    guard !text.isEmpty else { return }
    Say.out(isTerminal ? neutralised(text) : text)
    state.endsInLine = text.hasSuffix("\n")
  }
}
