import CProcess
import Glibc
import Runtime

/// Reads the journal of an earlier, dead agent on this host.
///
/// Every line is appended by one write of the keeper: `K` who it is and how it is reached, `A` a step is about to be
/// started, `S` it runs, `N` it could not be started, `G` its guard has run out, `E` it ended, `R` its end is safe in the
/// store. A torn last line is left out, and so are lines of other kinds.
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
    /// Whether its guard told it to end.
    public var wasCutOff = false
    /// Whether it was not even tried, because its agent had gone or could not vouch for its lock any more: it has not
    /// ended, it was lost.
    public var wasWithheld = false
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

  /// Who writes a journal, and how it is reached.
  struct Greeting: Sendable, Hashable {
    /// The name of the keeper's control socket.
    var name: String
    /// The keeper's process id.
    var keeper: Int32
    /// The agent that launched it.
    var agent: ProcessIdentity
  }

  /// What the journal at `path` holds, in the order of the starts.
  public static func read(_ path: String) throws -> [Entry] { try contents(of: path).entries }

  /// The same, and who writes it, if it says so.
  static func contents(of path: String) throws -> (entries: [Entry], greeting: Greeting?) {
    var parser = JournalParser()
    parser.take(try JournalFile(path).readAll())
    return (parser.entries, parser.greeting)
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
    if !BackgroundThread.start(named: "keeper-journal", { isOver.run() }) {
      continuation.finish(throwing: KeeperError(.fork, "cannot make the thread that follows \(path)"))
    }
    return stream
  }

  /// Removes the journal if its keeper is dead. To be called when all it holds is recorded.
  ///
  /// - Returns: Whether it is gone; false if a keeper holds it.
  @discardableResult
  public static func remove(_ path: String) throws -> Bool {
    switch evk_journal_remove(path) {
    case 0: return true
    case EWOULDBLOCK: return false
    case let error: throw KeeperError(.journal, "cannot remove the journal \(path): \(Errno.text(error))")
    }
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
