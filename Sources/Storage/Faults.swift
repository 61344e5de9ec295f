import Database
import Engine

/// Reaches a fault point; without the package trait this does nothing. A connection that is cut where there is none
/// in use any more is one whose answer to COMMIT was lost.
func fault(_ point: FaultPoint, _ session: (any Session)?) throws {
  #if FAULT_POINTS
  switch point.reach() {
  case .none: break
  case .disconnect:
    guard let session else {
      throw DatabaseError(
        .outcomeUnknown, code: "fault", message: "the connection was cut at \(point.rawValue)")
    }
    session.sever()
  case .fail: throw InjectedFault(point)
  }
  #endif
}
