/// What is wrong with a cron line, and where.
public struct CronError: Error, Sendable, Hashable, CustomStringConvertible {
  /// How many Unicode scalars into the line.
  public let offset: Int
  /// What is wrong, with the field's name and how to mend it.
  public let description: String

  init(_ offset: Int, _ description: String) {
    self.offset = offset
    self.description = description
  }
}
