extension Program {
  /// A function of a Swift program, as a step names it: what the store keeps of it, and what an agent needs to have the
  /// program itself carry it out.
  public struct FunctionCall: Sendable, Hashable, Codable {
    /// The name under which the program knows it.
    public var name: String
    /// The value it is called with.
    public var argument: JSONValue?
    /// Steps whose results it may read, besides those of its argument.
    public var reads: [String] = []
    /// Where the program is installed on every node; nil in a run that the program drives itself.
    public var executable: String?
    /// The digest of that file, `sha256:…`; another file is not started. Nil: it is not looked at.
    public var digest: String?
    /// The longest silence: a call that reports nothing for so long has failed; nil is for ever.
    public var heartbeat: TimeSpan?

    /// A call of the function called `name`.
    public init(name: String) { self.name = name }
  }
}

extension Program {
  /// The program with all its functions to be found in the file `executable`, whose digest is `digest`.
  public func installed(at executable: String, digest: String) -> Program {
    var program = self
    for position in program.steps.indices {
      guard case .function(var call) = program.steps[position].action else { continue }
      call.executable = executable
      call.digest = digest
      program.steps[position].action = .function(call)
    }
    return program
  }
}
