import Database
import Runtime
import Synchronization

/// A listener on a thread of its own, which opens one ear after another for as long as it is wanted.
final class ThreadListener: WakeListener {
  private struct Callbacks {
    let onWake: @Sendable () -> Void
    let onAddress: @Sendable (String?) -> Void
  }

  /// Connects; blocks, at most for the connect timeout.
  typealias Opening = @Sendable (WakeAddress) throws(DatabaseError) -> any Ear

  private let name: String
  private let open: Opening
  // The same over all reconnects: an address in the store is right again as soon as the store is back.
  private let address = WakeAddress()
  private let stopSignal = StopSignal()
  private let isOver = Latch()
  /// Held while they are called, so that none is after `stop` has taken them away.
  private let callbacks = Mutex<Callbacks?>(nil)

  init(name: String, open: @escaping Opening) {
    self.name = name
    self.open = open
  }

  func start(
    onWake: @escaping @Sendable () -> Void, onAddress: @escaping @Sendable (String?) -> Void
  ) {
    let isFirst = callbacks.withLock { callbacks in
      defer { callbacks = callbacks ?? Callbacks(onWake: onWake, onAddress: onAddress) }
      return callbacks == nil
    }
    guard isFirst else { return }
    // Without a descriptor or thread to be had, the agent polls.
    guard let stopSignal, BackgroundThread.start(named: name, { [self] in run(stopSignal) }) else {
      return isOver.open()
    }
  }

  func stop() async {
    let wasStarted = callbacks.withLock { callbacks in
      defer { callbacks = nil }
      return callbacks != nil
    }
    guard wasStarted else { return }
    stopSignal?.set()
    await isOver.wait(upTo: .milliseconds(900))
  }

  private func run(_ stop: StopSignal) {
    var isFirst = true
    var isReached = false
    var failures = 0
    while !stop.isSet {
      let opened = ContinuousClock.now
      var wasRefused = false
      do throws(DatabaseError) {
        try open(address).listen(until: stop) {
          tellAddress(address.name)
          if !isFirst { wake() }
          (isFirst, isReached) = (false, true)
        } onRing: {
          wake()
        }
      } catch {
        wasRefused = error.kind == .refused || error.kind == .badURL
        if isReached { tellAddress(nil) }
        isReached = false
      }
      // One that held for a while was a good one. One that is cut off again and again must not spin.
      failures = ContinuousClock.now - opened > .seconds(10) ? 1 : failures + 1
      let policy = wasRefused ? RetryPolicy.refusal : .loss
      stop.wait(upTo: policy.pause(after: failures))
    }
    isOver.open()
  }

  private func tellAddress(_ address: String?) {
    callbacks.withLock { $0?.onAddress(address) }
  }

  private func wake() {
    callbacks.withLock { $0?.onWake() }
  }
}

extension RetryPolicy {
  /// Pauses after a store was lost or not reached. Many agents do this at once, when it has just come back.
  static let loss = RetryPolicy(attempts: .max, first: .milliseconds(100), cap: .seconds(3))
  /// Pauses after it said no, which people have to mend.
  static let refusal = RetryPolicy(attempts: .max, first: .seconds(1), cap: .seconds(60))
}
