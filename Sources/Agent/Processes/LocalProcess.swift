import CProcess
import Glibc

/// Processes of this host, known by boot, number and start time: for steps whose keeper is gone.
public enum LocalProcess {
  /// The boot id of this host.
  public static func bootID() -> String { boot }

  private static let boot: String = {
    var text = [CChar](repeating: 0, count: 40)
    evk_boot_id(&text)
    return String(decoding: text.prefix(while: { $0 != 0 }).map(UInt8.init(bitPattern:)), as: UTF8.self)
  }()

  /// When `pid` started, in clock ticks since boot; nil if there is no such process.
  public static func startTime(of pid: Int32) -> UInt64? {
    let time = evk_process_start_time(pid)
    return time == 0 ? nil : time
  }

  /// Whether that very process is there and runs; one that only waits to be waited for does not.
  public static func isAlive(_ identity: ProcessIdentity) -> Bool {
    guard identity.bootID == boot else { return false }
    var state: CChar = 0
    let time = evk_process_state(identity.pid, &state)
    return time != 0 && time == identity.startTime
      && ![UInt8(ascii: "Z"), UInt8(ascii: "X")].contains(UInt8(bitPattern: state))
  }

  /// Signals that very process, and no other that was given its number since.
  ///
  /// - Returns: Whether it was there.
  @discardableResult
  public static func signal(_ identity: ProcessIdentity, _ signal: Int32) -> Bool {
    identity.bootID == boot && evk_kill_checked(identity.pid, identity.startTime, signal) == 0
  }

  /// Signals all processes of a step whose keeper is gone: its main process, all in its session, all that
  /// carry `mark`, and what descends from them. Walks `/proc`: not for a cooperative thread on a busy host.
  ///
  /// - Parameters:
  ///   - identity: Its main process, or nil if it is not known or has ended.
  ///   - mark: The value of its `EVENTOR_TASK_MARK`.
  ///   - signal: The signal.
  /// - Returns: How many processes were signalled.
  @discardableResult
  public static func killTree(of identity: ProcessIdentity?, mark: String, _ signal: Int32) -> Int {
    guard var root = root(identity, mark) else { return 0 }
    return max(0, Int(evk_kill_tree(&root, 1, signal)))
  }

  /// The processes `killTree` would signal.
  public static func tree(of identity: ProcessIdentity?, mark: String) -> [ProcessIdentity] {
    guard var root = root(identity, mark) else { return [] }
    var found = [evk_found](repeating: evk_found(), count: 1024)
    while true {
      let count = Int(evk_find_tree(&root, 1, &found, found.count))
      guard count > found.count else {
        return found.prefix(max(0, count)).map {
          ProcessIdentity(pid: $0.pid, startTime: $0.start_time, bootID: boot)
        }
      }
      found = [evk_found](repeating: evk_found(), count: count + 64)
    }
  }

  private static func root(_ identity: ProcessIdentity?, _ mark: String) -> evk_root? {
    guard let ticket = TaskMark.ticket(in: mark) else { return nil }
    var root = evk_root(ticket: ticket, pid: 0, start_time: 0)
    if let identity, isAlive(identity) {
      root.pid = identity.pid
      root.start_time = identity.startTime
    }
    return root
  }
}

/// The text of an error number.
enum Errno {
  static func text(_ code: Int32) -> String {
    guard let text = strerror(code) else { return "error \(code)" }
    let sentence = String(cString: text)
    return sentence.prefix(1).lowercased() + sentence.dropFirst()
  }
}
