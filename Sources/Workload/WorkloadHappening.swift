/// What those who watch are told while documents are worked on.
public enum WorkloadHappening: Sendable, Hashable {
  /// Another program works on the documents; it is waited for. Said once.
  case waiting(for: WorkloadState.Holder?)
  /// The set-up makes all documents at once, and has made so many.
  case filling(done: Int, total: Int)
  /// A run begins, or goes on where it was interrupted.
  case began(WorkloadState)
  /// The run has updated so many documents.
  case updating(done: Int, total: Int)
  /// So many documents were compared with what they should be.
  case verifying(done: Int, total: Int)
}

/// How long another program that works on the documents is waited for.
public enum WorkloadPatience: Sendable, Hashable {
  /// Not at all.
  case none
  /// So long.
  case upTo(Duration)
  /// Until it is through.
  case forever
}
