import Database
import Runtime

/// What one connection of a listener does; made and used on the listener's thread alone.
protocol Ear {
  /// Listens until `stop` is set; throws when the connection is lost.
  ///
  /// `onReady` is called once others can ring. `onRing` is called when they did, at a moment from which on the next
  /// ring is heard again: whoever looks for work in `onRing` misses none.
  func listen(until stop: StopSignal, onReady: () -> Void, onRing: () -> Void) throws(DatabaseError)
}
