import Database
import Engine

/// Reaches a fault point; without the package trait this does nothing.
func fault(_ point: FaultPoint, _ session: (any Session)?) throws {
  #if FAULT_POINTS
  switch point.reach() {
  case .none: break
  case .disconnect: session?.sever()
  case .fail: throw InjectedFault(point)
  }
  #endif
}
