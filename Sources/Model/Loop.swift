extension Program {
  /// A node that runs a part of the graph once per item.
  public struct Loop: Sendable, Hashable, Codable {
    /// The name.
    public var name: String
    /// Events that start it.
    public var on: [String] = []
    /// Steps and loops all of which must have succeeded to start it.
    public var after: [String] = []
    /// The items.
    public var over: Items
    /// Iterations at once; 0 is all.
    public var maxConcurrent = 1
    /// Events triggered once per iteration, in its own sequence.
    public var start: [String] = []
    /// An iteration is over when one of these is triggered in its sequence.
    public var until: [String] = []
    /// When the loop is over.
    public var wait: ForEach.Wait = .all
    /// What its end raises in the outer sequence.
    public var triggers = Triggers()

    /// A loop called `name` over `over`.
    public init(name: String, over: Items) {
      self.name = name
      self.over = over
    }
  }

  /// What a loop goes over.
  public enum Items: Sendable, Hashable, Codable {
    /// Written in the program.
    case list([JSONValue])
    /// Whole numbers, both ends included; empty when `to` is less than `from`. Ends may be `${…}` templates.
    case range(from: RangeEnd, to: RangeEnd)
    /// `${param.l}` or `${steps.s.result}`: a list found when the loop starts.
    case reference(String)
  }

  /// One end of a range.
  public enum RangeEnd: Sendable, Hashable, Codable {
    /// A number.
    case value(Int)
    /// `${…}`, a number when the loop starts.
    case reference(String)
  }
}
