import Glibc

/// A thread of its own for calls that block for long, so that none of Swift's cooperative threads has to.
///
/// For work that comes in pieces there is ``SerialWorker``.
public enum BackgroundThread {
  private final class Work: Sendable {
    let name: String
    let body: @Sendable () -> Void

    init(_ name: String, _ body: @escaping @Sendable () -> Void) {
      self.name = name
      self.body = body
    }

    func run() {
      takeName()
      body()
    }

    /// `pthread_setname_np` is a GNU extension, which Swift doesn't import; without a name the thread works as well.
    private func takeName() {
      let file = open("/proc/thread-self/comm", O_WRONLY | O_CLOEXEC)
      guard file >= 0 else { return }
      _ = write(file, name, name.utf8.count)
      close(file)
    }
  }

  /// Runs `body` on a new, detached thread that takes no signals; false if there is none to be had.
  ///
  /// `name` is for debuggers and `ps -L`; the kernel keeps its first 15 bytes.
  public static func start(named name: String, _ body: @escaping @Sendable () -> Void) -> Bool {
    let work = Unmanaged.passRetained(Work(name, body))
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    // Signals are for the program's main thread: a handler there must not be delayed by a callback here.
    var all = sigset_t()
    var before = sigset_t()
    sigfillset(&all)
    pthread_sigmask(SIG_SETMASK, &all, &before)
    defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
    var thread = pthread_t()
    let error = pthread_create(
      &thread, &attributes,
      { argument in
        guard let argument else { return nil }
        Unmanaged<Work>.fromOpaque(argument).takeRetainedValue().run()
        return nil
      }, work.toOpaque())
    if error != 0 { work.release() }
    return error == 0
  }
}
