import CProcess

/// The clock by which this host knows how long it may go on by itself.
public enum LocalClock {
  /// Microseconds since the host was started (`CLOCK_BOOTTIME`): they go on while it sleeps, as a lock in a store runs
  /// out then, and nobody can set them.
  public static var sinceBoot: Int64 { evk_since_boot() }
}
