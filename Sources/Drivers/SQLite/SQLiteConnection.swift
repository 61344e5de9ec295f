import CSQLite
import Database
import Glibc
import Synchronization

/// Owns the `sqlite3` handle, and is the only one to let another thread near it.
///
/// Unchecked because of the pointer: all calls but ``interrupt()`` come from the session's thread, and
/// `interrupt` and `close` exclude each other by `lock`, as SQLite asks ("it is not safe to call this
/// routine with a database connection that is closed").
final class SQLiteConnection: @unchecked Sendable {
  let pointer: OpaquePointer
  /// Set by the session's interrupter; the busy handler stops waiting when it sees it.
  let isInterrupted = Atomic(false)
  /// How long a lock is waited for, in milliseconds.
  let busyTimeout: Int
  private let lock = Mutex(true)

  init(_ pointer: OpaquePointer, busyTimeout: Int) {
    self.pointer = pointer
    self.busyTimeout = busyTimeout
  }

  deinit {
    close()
  }

  var isOpen: Bool { lock.withLock { $0 } }

  /// Stops the running statement; may be called from any thread, at any time.
  func interrupt() {
    isInterrupted.store(true, ordering: .releasing)
    lock.withLock { isOpen in
      if isOpen { sqlite3_interrupt(pointer) }
    }
  }

  /// Closes the handle; statements must be gone, or it lives on until they are.
  func close() {
    lock.withLock { isOpen in
      // close_v2 can only fail on a handle that is none.
      if isOpen { sqlite3_close_v2(pointer) }
      isOpen = false
    }
  }

  /// Waits for locks with pauses of 0.2 to 20 ms, and gives up at once when interrupted.
  ///
  /// SQLite's own `sqlite3_busy_timeout` waits up to 100 ms at a time, and through an interrupt.
  func installBusyHandler() -> Int32 {
    sqlite3_busy_handler(
      pointer,
      { context, tries in
        guard let context else { return 0 }
        let connection = Unmanaged<SQLiteConnection>.fromOpaque(context).takeUnretainedValue()
        return connection.waitForLock(tries: Int(tries)) ? 1 : 0
      },
      // Unretained: the handler is called only from within calls on the handle this object owns.
      Unmanaged.passUnretained(self).toOpaque())
  }

  private var waitedMicroseconds = 0

  private func waitForLock(tries: Int) -> Bool {
    if tries == 0 { waitedMicroseconds = 0 }
    let isStopped = isInterrupted.load(ordering: .acquiring)
    guard !isStopped, waitedMicroseconds < busyTimeout * 1000 else { return false }
    let longest = min(400 << min(tries, 6), 20_000)
    let pause = Int.random(in: longest / 2...longest)
    waitedMicroseconds += pause
    usleep(UInt32(pause))
    return true
  }

  /// Makes `eventor_now()`: microseconds since 1970, anew for each call.
  func installClock() -> Int32 {
    sqlite3_create_function_v2(
      pointer, "eventor_now", 0, SQLITE_UTF8, nil,
      { context, _, _ in
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        sqlite3_result_int64(context, Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000)
      }, nil, nil, nil)
  }
}
