/// Hears wake-ups of one agent.
public protocol WakeListener: Sendable {
  func start(onWake: @escaping @Sendable () -> Void, onAddress: @escaping @Sendable (String?) -> Void)
  func stop() async
}

/// Wakes listeners.
public protocol WakeCaller: Sendable {
  func ring(_ addresses: [String])
}
