import CProcess

/// What a process is known by: a number is used again, the three together never are.
public struct ProcessIdentity: Sendable, Hashable, Codable {
  /// Its process id.
  public var pid: Int32
  /// When it started, in clock ticks since boot (field 22 of `/proc/PID/stat`).
  public var startTime: UInt64
  /// The boot of the host in which that number means something.
  public var bootID: String

  /// The process `pid` that started at `startTime` in the boot `bootID`.
  public init(pid: Int32, startTime: UInt64, bootID: String) {
    self.pid = pid
    self.startTime = startTime
    self.bootID = bootID
  }
}

/// How the process of a step ended, and what it used; an error where it never ran.
public struct ProcessEnd: Error, Sendable, Hashable {
  /// The end itself.
  public enum Cause: Sendable, Hashable {
    /// It left with this exit code.
    case exited(Int32)
    /// This signal ended it.
    case signalled(Int32)
    /// It never ran; a sentence says what failed, why, and how to mend it.
    case notStarted(String)
    /// Nobody can tell how it ended, or whether it has: its keeper is gone. A sentence says so.
    case lost(String)
  }
  /// How it ended.
  public var cause: Cause
  /// The most memory it had resident, in KiB; its waited-for children count too.
  public var maxResidentKiB: Int64
  /// Processor time in user mode, with its waited-for children.
  public var userMicroseconds: Int64
  /// Processor time in the kernel, with its waited-for children.
  public var systemMicroseconds: Int64
  /// From just before its start to its being waited for, by the monotonic clock.
  public var wallMicroseconds: Int64
  /// Whether it left a core image.
  public var dumpedCore: Bool
  /// Whether its guard ended it, or kept it from being started, because nobody had put its deadlines off.
  public var wasCutOff = false
  /// Whether the kernel killed one of its processes because together they used more memory than they may.
  public var ranOutOfMemory = false
  /// After a stop: how many of its processes run on because they belong to another user.
  public var outOfReach = 0

  /// An end that used nothing unless said otherwise.
  public init(
    _ cause: Cause, maxResidentKiB: Int64 = 0, userMicroseconds: Int64 = 0, systemMicroseconds: Int64 = 0,
    wallMicroseconds: Int64 = 0, dumpedCore: Bool = false
  ) {
    self.cause = cause
    self.maxResidentKiB = maxResidentKiB
    self.userMicroseconds = userMicroseconds
    self.systemMicroseconds = systemMicroseconds
    self.wallMicroseconds = wallMicroseconds
    self.dumpedCore = dumpedCore
  }
}

extension ProcessEnd {
  init(_ answer: evk_answer) {
    self.init(
      answer.cause == Int32(EVK_SIGNALLED.rawValue) ? .signalled(answer.value) : .exited(answer.value),
      maxResidentKiB: answer.max_resident_kib, userMicroseconds: answer.user_us,
      systemMicroseconds: answer.system_us, wallMicroseconds: answer.wall_us,
      dumpedCore: answer.core_dumped != 0)
    wasCutOff = answer.cut_off != 0
    ranOutOfMemory = answer.out_of_memory != 0
    outOfReach = Int(answer.out_of_reach)
  }
}
