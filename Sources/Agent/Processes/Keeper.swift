import CProcess
import Glibc

/// The agent's side of the keeper: the small process that starts its steps, waits for them and outlives it.
///
/// A step's output goes straight to its log and its end to the journal, whether the agent lives or not.
/// Callbacks run on the one thread that reads from the keeper, in the order in which things happened: they
/// must be short and must not block. A step therefore costs no task, no thread and no hop of its own.
public final class Keeper: Sendable {
  /// A step that was started.
  public struct Handle: Sendable, Hashable {
    /// Names it to the keeper, and in the journal; never used twice.
    public let ticket: UInt64
    /// Its main process, which leads a session and a process group of its own.
    public let identity: ProcessIdentity
    /// The value of `EVENTOR_TASK_MARK` in its environment, for `LocalProcess`.
    public var mark: String { TaskMark.value(of: ticket) }
  }

  /// The keeper's process.
  public let identity: ProcessIdentity
  private let link: KeeperLink

  private init(link: KeeperLink, identity: ProcessIdentity) {
    self.link = link
    self.identity = identity
  }

  /// Letting go of the last reference is `detach()`.
  deinit { link.detach() }

  /// Forks the keeper, with `journal` (made with mode 0600) locked by it for its life.
  ///
  /// To be called at the very start of the program, before there is a thread, a secret in memory or a
  /// descriptor to inherit. It works later as well: the child closes what it inherited and relies on nothing
  /// of the Swift runtime, only on glibc's promise that memory can be allocated after fork. Steps inherit
  /// the umask and limits of this moment, and run where this process is unless they say otherwise.
  public static func launch(journal: String) throws(KeeperError) -> Keeper {
    var handle = evk_handle()
    let error = evk_start(journal, &handle)
    guard error == 0 else {
      let reason = Errno.text(error)
      switch (UInt32(bitPattern: handle.phase), error) {
      case (EVK_PHASE_JOURNAL.rawValue, EWOULDBLOCK):
        throw KeeperError(.journalInUse, "the journal \(journal) belongs to a keeper that still lives")
      case (EVK_PHASE_JOURNAL.rawValue, _):
        throw KeeperError(.journal, "cannot open the journal \(journal): \(reason)")
      default:
        throw KeeperError(.fork, "cannot make the process that keeps the steps: \(reason)")
      }
    }
    let boot = LocalProcess.bootID()
    let identity = ProcessIdentity(
      pid: handle.pid, startTime: LocalProcess.startTime(of: handle.pid) ?? 0, bootID: boot)
    guard let link = KeeperLink(socket: handle.socket, keeper: handle.pid, bootID: boot) else {
      close(handle.socket)
      throw KeeperError(.fork, "cannot make the thread that listens to the keeper")
    }
    return Keeper(link: link, identity: identity)
  }

  /// Starts a step: the cheapest form, for thousands of short ones a second.
  ///
  /// - Parameters:
  ///   - onStart: Called once, with the handle or with why nothing runs (`notStarted`; `lost` if the keeper
  ///     died before it answered).
  ///   - onEnd: Called once after a successful `onStart`, unless `detach()` comes first.
  public func begin(
    _ request: ProcessRequest, onStart: @escaping @Sendable (Result<Handle, ProcessEnd>) -> Void,
    onEnd: @escaping @Sendable (Handle, ProcessEnd) -> Void
  ) {
    guard let user = request.user else { return link.start(request, account: nil, onStart, onEnd) }
    UserAccount.find(user) { [link] found in
      switch found {
      case .success(let account): link.start(request, account: account, onStart, onEnd)
      case .failure(let failure):
        let sentence = "cannot start '\(request.arguments.first ?? "")': \(failure.sentence)"
        onStart(.failure(ProcessEnd(.notStarted(sentence))))
      }
    }
  }

  /// Starts a step and returns when it runs; its end comes to `onEnd`.
  ///
  /// A very short step may have ended before the caller goes on: `onEnd` can come first.
  public func start(
    _ request: ProcessRequest, onEnd: @escaping @Sendable (Handle, ProcessEnd) -> Void
  ) async -> Result<Handle, ProcessEnd> {
    await withCheckedContinuation { continuation in
      begin(request, onStart: { continuation.resume(returning: $0) }, onEnd: onEnd)
    }
  }

  /// Starts a process and waits for its end; for preconditions, sensors and the like.
  ///
  /// - Parameter onStart: Learns the handle, so that the process can be signalled meanwhile.
  public func run(
    _ request: ProcessRequest, onStart: @escaping @Sendable (Handle) -> Void = { _ in }
  ) async -> ProcessEnd {
    await withCheckedContinuation { continuation in
      begin(request) { result in
        switch result {
        case .success(let handle): onStart(handle)
        case .failure(let end): continuation.resume(returning: end)
        }
      } onEnd: { _, end in
        continuation.resume(returning: end)
      }
    }
  }

  // MARK: Ending steps

  /// Sets the deadlines of steps, in place of those they had. A step whose deadlines pass is ended by the keeper, also if
  /// this process is stuck, stopped or gone: what it has been told to stay for must be said again and again.
  ///
  /// Until its end is `recorded`, a guard also ends what a step has left behind.
  public func `guard`(_ deadlines: [GuardDeadlines]) { link.send(KeeperRequests.guard(deadlines)) }

  /// Signals every process of a step with SIGTERM, and at `killAt` with SIGKILL until there is none. Such a step ends
  /// when nothing of it is left. What it had left behind before is ended too, as long as the keeper lives.
  ///
  /// - Parameter killAt: In microseconds as `LocalClock.sinceBoot` has them.
  public func stop(_ tickets: [UInt64], killAt: Int64) {
    link.send(KeeperRequests.stop(tickets, killAt: killAt))
  }

  /// The same for every step whose key begins with `prefix`, also for what is left of those whose ends are recorded.
  /// Returns when nothing is.
  public func stopAll(prefix: String, killAt: Int64) async {
    await link.stopAll(prefix: prefix, killAt: killAt)
  }

  /// Signals every process of a step, those that left its group and session too, also after its end. SIGKILL is
  /// repeated until there is none.
  public func killTree(_ ticket: UInt64, _ signal: Int32) { killTrees([ticket], signal) }

  /// The same for many steps.
  public func killTrees(_ tickets: [UInt64], _ signal: Int32) {
    link.send(KeeperRequests.list(EVK_KILL_TREE, tickets, signal: signal))
  }

  // MARK: The end

  /// Says that the ends of these steps are safe in the store, so that the journal and the keeper may forget
  /// them. Without it both grow; what is said in one call costs one write.
  public func recorded(_ tickets: [UInt64]) { link.send(KeeperRequests.list(EVK_RECORDED, tickets)) }

  /// Asks the keeper to end once its last step has, and waits for that. New steps are refused.
  public func quit() async {
    link.send(KeeperRequests.list(EVK_QUIT, []), isQuitting: true)
    _ = await link.gone()
  }

  /// Lets go of the keeper, as the death of this process would: steps go on, their ends go to the journal.
  /// No `onEnd` is called from now on; a `run` that waits ends as `lost`.
  public func detach() { link.detach() }

  /// Waits until the keeper is gone: nil after `quit()` or `detach()`, an error if it died.
  public func failure() async -> KeeperError? { await link.gone() }
}
