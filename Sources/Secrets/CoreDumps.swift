import CSodium
import Glibc

/// What this process leaves behind if it crashes.
public enum CoreDumps {
  /// Forbids core dumps of this process, reports of crashes that show memory, and to others of the same user the
  /// reading of its memory.
  ///
  /// prctl(2), `PR_SET_DUMPABLE`: not `RLIMIT_CORE`, which the steps would inherit and which does not keep the kernel
  /// from piping a dump to a program. A process that becomes another program may dump core again, so steps do as
  /// before. The call fails for wrong arguments only.
  ///
  /// Swift's own report of a crash, where that is installed, shows what the registers point at, in the log. Its signal
  /// handlers are taken away again: the process then just ends.
  public static func forbid() {
    _ = eventor_set_dumpable(0)
    for number in [SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGQUIT] { signal(number, SIG_DFL) }
  }

  /// Whether this process may leave a core dump.
  public static var arePossible: Bool { eventor_get_dumpable() != 0 }
}
