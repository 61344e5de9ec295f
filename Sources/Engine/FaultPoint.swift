import Synchronization

/// Named places where tests crash, pause or cut off the engine (docs/architecture.md, "Tests"). Without the package
/// trait `FaultPoints` nothing of this is compiled into the places themselves.
public enum FaultPoint: String, Sendable, CaseIterable {
  case submitBeforeCommit = "submit.before-commit"
  case claimBeforeUpdate = "claim.before-update"
  case claimAfterUpdate = "claim.after-update"
  case endBeforeTransition = "end.before-transition"
  case applyBefore = "apply.before"
  case applyAfterEnds = "apply.after-ends"
  case applyAfterTasks = "apply.after-tasks"
  case applyAfterRun = "apply.after-run"
  case endBeforeCommit = "end.before-commit"
  case endAfterCommit = "end.after-commit"
  case renewBefore = "renew.before"
  case spawnBefore = "spawn.before"
  case spawnAfter = "spawn.after"
  case adoptBeforeUpdate = "adopt.before-update"
  case replayBeforeCommit = "replay.before-commit"

  /// What a test has something do when it reaches a point.
  public enum Effect: Sendable {
    /// Go on.
    case none
    /// The connection in use is cut.
    case disconnect
    /// The operation fails with an error.
    case fail
  }

  /// What is called at every point; may block, or end the process.
  public typealias Handler = @Sendable (FaultPoint) -> Effect

  private static let handler = Mutex<Handler?>(nil)

  /// Sets what is called at every point; nil for nothing.
  public static func setHandler(_ new: Handler?) { handler.withLock { $0 = new } }

  /// Reaches this point.
  public func reach() -> Effect {
    guard let handler = Self.handler.withLock({ $0 }) else { return .none }
    return handler(self)
  }
}

/// The error of a fault point told to fail.
public struct InjectedFault: Error, Sendable, CustomStringConvertible {
  /// Where.
  public let point: FaultPoint

  /// A fault at `point`.
  public init(_ point: FaultPoint) { self.point = point }

  /// Names the point.
  public var description: String { "fault injected at \(point.rawValue)" }
}
