import CProcess
import Glibc
import Synchronization

/// Reads the journal of an earlier, dead agent on this host.
///
/// Every line is appended by one write of the keeper: `A` a step is about to be started, `S` it runs, `N` it
/// could not be started, `E` it ended, `R` its end is safe in the store. A torn last line is left out.
public struct KeeperJournal: Sendable {
  /// A step in the journal whose end the agent had not yet called recorded.
  public struct Entry: Sendable, Hashable {
    /// The key of its request.
    public var key: String
    /// Its ticket.
    public var ticket: UInt64
    /// Its main process, once that was started.
    public var identity: ProcessIdentity?
    /// How far it came.
    public var state: State
    /// The value of `EVENTOR_TASK_MARK` in its environment.
    public var mark: String { TaskMark.value(of: ticket) }
  }

  /// How far a step came.
  public enum State: Sendable, Hashable {
    /// It was about to start. If the keeper is dead, only `LocalProcess.tree(of:mark:)` can tell whether it did.
    case announced
    /// It was started. If the keeper is dead, `LocalProcess.isAlive` tells whether it still runs.
    case running
    /// It ended.
    case ended(ProcessEnd)
    /// It could not be started: a sentence.
    case notStarted(String)

    /// Whether nothing more can come.
    public var isFinal: Bool {
      switch self {
      case .announced, .running: false
      case .ended, .notStarted: true
      }
    }
  }

  /// What the journal at `path` holds, in the order of the starts.
  public static func read(_ path: String) throws -> [Entry] {
    var parser = JournalParser()
    parser.take(try JournalFile(path).readAll())
    return parser.entries
  }

  /// Whether the keeper that writes to `path` lives: it holds a lock on the file for its life.
  public static func isKeeperAlive(_ path: String) -> Bool { evk_journal_held(path) == 1 }

  /// The steps of the journal as they end, first those that have, until the keeper is dead.
  ///
  /// An entry that is not final in the stream was unfinished when the keeper died; after those the stream ends.
  /// The file is looked at every 50 ms by a thread of its own, which ends with the stream.
  public static func follow(_ path: String) -> AsyncThrowingStream<Entry, any Error> {
    let (stream, continuation) = AsyncThrowingStream<Entry, any Error>.makeStream()
    let isOver = JournalFollower(path, continuation)
    continuation.onTermination = { _ in isOver.stop() }
    if !BackgroundThread.start({ isOver.run() }) {
      continuation.finish(throwing: KeeperError(.fork, "cannot make the thread that follows \(path)"))
    }
    return stream
  }

  /// Removes the journal if its keeper is dead. To be called when all it holds is recorded.
  ///
  /// - Returns: Whether it is gone; false if a keeper holds it.
  @discardableResult
  public static func remove(_ path: String) throws -> Bool {
    switch evk_journal_held(path) {
    case 1: return false
    case -ENOENT: return true
    case 0:
      guard unlink(path) == 0 || errno == ENOENT else {
        throw KeeperError(.journal, "cannot remove the journal \(path): \(Errno.text(errno))")
      }
      return true
    case let error:
      throw KeeperError(.journal, "cannot look at the journal \(path): \(Errno.text(-error))")
    }
  }
}

/// Gathers the lines of a journal, which may come in pieces, into its entries.
struct JournalParser {
  private var order: [UInt64] = []
  private var byTicket: [UInt64: KeeperJournal.Entry] = [:]
  private var rest: [UInt8] = []

  var entries: [KeeperJournal.Entry] { order.compactMap { byTicket[$0] } }

  /// Takes more of the file. What follows the last newline waits for the rest of its line.
  mutating func take(_ bytes: [UInt8]) {
    rest.append(contentsOf: bytes)
    guard let end = rest.lastIndex(of: UInt8(ascii: "\n")) else { return }
    for line in rest[..<end].split(separator: UInt8(ascii: "\n")) { take(line: line) }
    rest.removeSubrange(...end)
    if order.count > 2 * byTicket.count + 64 { order.removeAll { byTicket[$0] == nil } }
  }

  /// A line that makes no sense is a write the disk had no room for; the next one is good again.
  private mutating func take(line: ArraySlice<UInt8>) {
    let words = line.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
      .map { String(decoding: $0, as: UTF8.self) }
    guard words.count >= 3, let ticket = UInt64(words[2]) else { return }
    switch (words[0], words.count) {
    case ("A", 3):
      if byTicket[ticket] == nil { order.append(ticket) }
      byTicket[ticket] = KeeperJournal.Entry(key: words[1], ticket: ticket, identity: nil, state: .announced)
    case ("S", 6):
      guard let pid = Int32(words[3]), let start = UInt64(words[4]) else { return }
      byTicket[ticket]?.identity = ProcessIdentity(pid: pid, startTime: start, bootID: words[5])
      byTicket[ticket]?.state = .running
    case ("N", 5):
      guard let error = Int32(words[3]) else { return }
      let sentence = "it could not be started (\(words[4])): \(Errno.text(error))"
      byTicket[ticket]?.state = .notStarted(sentence)
    case ("E", 11):
      if let end = Self.end(words) { byTicket[ticket]?.state = .ended(end) }
    case ("R", 3):
      byTicket[ticket] = nil
    default:
      break
    }
  }

  private static func end(_ words: [String]) -> ProcessEnd? {
    guard let value = Int32(words[5]), let resident = Int64(words[6]), let user = Int64(words[7]),
      let system = Int64(words[8]), let wall = Int64(words[10]), ["exit", "signal"].contains(words[4])
    else { return nil }
    return ProcessEnd(
      words[4] == "exit" ? .exited(value) : .signalled(value), maxResidentKiB: resident,
      userMicroseconds: user, systemMicroseconds: system, wallMicroseconds: wall)
  }
}

/// The journal as a file, open for reading.
struct JournalFile: ~Copyable {
  private let descriptor: Int32
  private let path: String

  init(_ path: String) throws {
    self.path = path
    descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw KeeperError(.journal, "cannot read the journal \(path): \(Errno.text(errno))")
    }
  }

  deinit { close(descriptor) }

  /// All from where the last call ended.
  borrowing func readAll() throws -> [UInt8] {
    var all: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = Glibc.read(descriptor, &buffer, buffer.count)
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else {
        throw KeeperError(.journal, "cannot read the journal \(path): \(Errno.text(errno))")
      }
      if count == 0 { return all }
      all.append(contentsOf: buffer[..<count])
    }
  }
}

/// Tells the ends of a journal as they are written.
private final class JournalFollower: Sendable {
  private let path: String
  private let continuation: AsyncThrowingStream<KeeperJournal.Entry, any Error>.Continuation
  private let stopped = Atomic(false)

  init(
    _ path: String, _ continuation: AsyncThrowingStream<KeeperJournal.Entry, any Error>.Continuation
  ) {
    self.path = path
    self.continuation = continuation
  }

  func stop() { stopped.store(true, ordering: .relaxed) }

  func run() {
    do {
      let file = try JournalFile(path)
      var parser = JournalParser()
      var told: Set<UInt64> = []
      while !stopped.load(ordering: .relaxed) {
        // First whether it lives, then what it wrote: after its death nothing more can come.
        let isAlive = KeeperJournal.isKeeperAlive(path)
        let news = try file.readAll()
        parser.take(news)
        if !news.isEmpty || !isAlive {
          for entry in parser.entries where entry.state.isFinal || !isAlive {
            if told.insert(entry.ticket).inserted { continuation.yield(entry) }
          }
        }
        if !isAlive { break }
        usleep(50_000)
      }
      continuation.finish()
    } catch {
      continuation.finish(throwing: error)
    }
  }
}
