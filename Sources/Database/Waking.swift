/// Hears when others wake this agent: they have put work into the store, and it need not wait for its next poll.
///
/// Delivery is best effort. A ring is lost when the listener is just then without a connection, when the ringer can't
/// reach the same server (or, with SQLite, is in another network namespace), or when it is rung at an old address;
/// the agent's poll finds what it was about. So an agent looks once more after it has put a new address into the store.
public protocol WakeListener: Sendable {
  /// Begins to listen, on a connection and a thread of its own. To be called once.
  ///
  /// `onAddress` is told where this listener is reached, each time it can be reached anew, and nil when it no longer
  /// can. `onWake` is called for rings, several at once where they come fast, and once after each reconnect, as
  /// something may have been missed. Work committed before a ring is seen by whoever looks after `onWake`.
  ///
  /// Both are called on the listener's thread, never at the same time, and must return at once. A store that is away
  /// is tried again with growing, jittered pauses of at most some seconds; nothing is logged and nothing thrown.
  func start(
    onWake: @escaping @Sendable () -> Void, onAddress: @escaping @Sendable (String?) -> Void)

  /// Ends listening within a second and closes the connection; neither closure is called after it has returned.
  ///
  /// Where the network doesn't answer, the thread follows when the connect timeout is over.
  func stop() async
}

/// Wakes listeners at the addresses they were given.
public protocol WakeCaller: Sendable {
  /// Wakes the listeners at `addresses`, once what they shall find is committed.
  ///
  /// Returns at once. What may block is done on a thread of its own, and rings that gather meanwhile are made
  /// together. Failures are dropped, as are addresses that are none; an address where nobody listens does no harm.
  func ring(_ addresses: [String])

  /// Makes the rings that are waiting, for up to a second, and closes the connection if it is the caller's own.
  ///
  /// Later rings are dropped. For programs that end: a ring would end with them.
  func close() async
}
