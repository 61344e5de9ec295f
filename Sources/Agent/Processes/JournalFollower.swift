import Glibc
import Synchronization

/// Tells the ends of a journal as they are written.
final class JournalFollower: Sendable {
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
