import Glibc

/// This host's own clock, which nobody sets.
public enum LocalClock {
  /// Microseconds since boot, with the time the host slept (CLOCK_BOOTTIME).
  public static var sinceBoot: Int64 { read(CLOCK_BOOTTIME) }

  /// Microseconds of CLOCK_MONOTONIC, as systemd counts.
  public static var monotonic: Int64 { read(CLOCK_MONOTONIC) }

  private static func read(_ clock: clockid_t) -> Int64 {
    var time = timespec()
    clock_gettime(clock, &time)
    return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
  }
}
