#if FAULT_POINTS
import Engine
import Foundation
import Glibc
import Synchronization

/// What tests have this process do at fault points: `EVENTOR_FAULTS=POINT:ACTION@N,…`, where the action is taken the
/// N-th time the point is reached (the first if N is not said): `kill`, `fail`, `disconnect`, `sleep=SECONDS`, or
/// `stop`, which stops the process until somebody continues it.
public enum FaultPlan {
  private struct Fault {
    let point: FaultPoint
    let action: String
    var left: Int
  }

  /// Reads the variable and sets the points; ends the process where it names none there is.
  public static func install() {
    guard let text = ProcessInfo.processInfo.environment["EVENTOR_FAULTS"], !text.isEmpty else { return }
    let faults = text.split(separator: ",").compactMap { entry -> Fault? in
      let parts = entry.split(separator: ":", maxSplits: 1)
      let action = parts.count == 2 ? parts[1].split(separator: "@", maxSplits: 1) : []
      guard let name = parts.first, let point = FaultPoint(rawValue: String(name)), let verb = action.first
      else {
        Say.aside("error: EVENTOR_FAULTS has no such point or action: \(entry)\n")
        exit(ExitStatus.usage.rawValue)
      }
      return Fault(point: point, action: String(verb), left: action.count == 2 ? Int(action[1]) ?? 1 : 1)
    }
    let plan = Mutex(faults)
    FaultPoint.setHandler { point in
      let action = plan.withLock { faults -> String? in
        for position in faults.indices where faults[position].point == point {
          faults[position].left -= 1
          if faults[position].left == 0 {
            Say.aside("fault: \(point.rawValue):\(faults[position].action)\n")
            return faults[position].action
          }
        }
        return nil
      }
      return action.map(perform) ?? .none
    }
  }

  private static func perform(_ action: String) -> FaultPoint.Effect {
    switch action {
    case "kill": kill(getpid(), SIGKILL)
    case "stop": kill(getpid(), SIGSTOP)
    case "fail": return .fail
    case "disconnect": return .disconnect
    default:
      if action.hasPrefix("sleep="), let seconds = Double(action.dropFirst(6)) {
        usleep(UInt32(seconds * 1_000_000))
      }
    }
    return .none
  }
}
#endif
