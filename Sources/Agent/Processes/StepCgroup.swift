/// A cgroup (version 2) that is made for one step and goes with its last process.
public struct StepCgroup: Sendable, Hashable {
  /// A file of the cgroup and what is written to it.
  public struct Setting: Sendable, Hashable {
    /// Its name, such as `memory.max`.
    public var file: String
    /// What is written.
    public var value: String

    /// Writes `value` to `file`.
    public init(_ file: String, _ value: String) {
      self.file = file
      self.value = value
    }
  }

  /// The directory; the one above it exists, and its controllers are on.
  public var path: String
  /// Written before the step starts, in this order.
  public var settings: [Setting]

  /// A cgroup at `path`.
  public init(path: String, settings: [Setting]) {
    self.path = path
    self.settings = settings
  }
}
