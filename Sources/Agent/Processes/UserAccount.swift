import Dispatch
import Glibc
import Synchronization

/// What it takes to become a user.
struct UserAccount: Sendable, Hashable {
  var uid: UInt32
  var gid: UInt32
  var groups: [UInt32]

  struct Unknown: Error, Hashable {
    let sentence: String
  }

  /// Looks `name` up on a thread of its own, since directory services may take their time; the answer,
  /// nil if the agent is that user already, is good for a minute. The keeper never looks a name up: a
  /// directory that hangs must not keep it from waiting for other steps.
  static func find(_ name: String, then: @escaping @Sendable (Result<UserAccount?, Unknown>) -> Void) {
    queue.async { then(cached(name)) }
  }

  private static let queue = DispatchQueue(label: "eventor.user-accounts")
  private static let known = Mutex<[String: (result: UserAccount?, until: ContinuousClock.Instant)]>([:])

  private static func cached(_ name: String) -> Result<UserAccount?, Unknown> {
    let now = ContinuousClock.now
    if let entry = known.withLock({ $0[name] }), entry.until > now { return .success(entry.result) }
    let result = lookUp(name)
    if case .success(let account) = result {
      known.withLock { $0[name] = (account, now + .seconds(60)) }
    }
    return result
  }

  private static func lookUp(_ name: String) -> Result<UserAccount?, Unknown> {
    var entry = passwd()
    var buffer = [CChar](repeating: 0, count: 1024)
    while true {
      var found: UnsafeMutablePointer<passwd>?
      let error = getpwnam_r(name, &entry, &buffer, buffer.count, &found)
      if error == ERANGE, buffer.count < 1 << 20 {
        buffer = [CChar](repeating: 0, count: buffer.count * 4)
        continue
      }
      // The manual allows any of these for "not found".
      guard [0, ENOENT, ESRCH, EBADF, EPERM].contains(error) else {
        return .failure(Unknown(sentence: "cannot look up user '\(name)': \(Errno.text(error)); try again"))
      }
      guard found != nil else {
        let mend = "create it, or change the step's user"
        return .failure(Unknown(sentence: "there is no user '\(name)' on this host; \(mend)"))
      }
      break
    }
    if entry.pw_uid == geteuid() { return .success(nil) }
    var count: Int32 = 64
    var groups = [gid_t](repeating: 0, count: Int(count))
    while getgrouplist(name, entry.pw_gid, &groups, &count) < 0 {
      // It says how many there are; a service that forgets to would keep us here for ever.
      let wanted = max(Int(count), groups.count * 2)
      guard wanted <= 65_536 else {
        return .failure(Unknown(sentence: "user '\(name)' is in more groups than the kernel allows"))
      }
      count = Int32(wanted)
      groups = [gid_t](repeating: 0, count: wanted)
    }
    return .success(
      UserAccount(uid: entry.pw_uid, gid: entry.pw_gid, groups: Array(groups.prefix(Int(count)))))
  }
}
