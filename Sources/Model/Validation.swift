extension Program {
  /// Everything wrong or doubtful in the program, all at once; a file's parser and the Swift library say the same.
  ///
  /// What no event can reach is only looked for in a program without errors: a misspelt name would leave half of it
  /// unreachable, and every warning would follow from the one error.
  public func problems() -> [Problem] {
    var validation = Validation(self)
    validation.checkNames()
    validation.checkParameters()
    validation.checkConfig()
    validation.checkGroups()
    validation.checkResources()
    for step in steps { validation.check(step) }
    for loop in loops { validation.check(loop) }
    validation.checkReferences()
    validation.checkSchedules()
    validation.checkTemplates()
    validation.checkCycles()
    validation.checkHosts()
    if validation.problems.allSatisfy({ $0.severity == .warning }) { validation.checkReach() }
    return validation.problems
  }
}

/// A program under inspection, and what was found so far. Each file beside this one holds one kind of rule.
struct Validation {
  let program: Program
  let plan: Plan
  let events: Set<String>
  let steps: Set<String>
  let loops: Set<String>
  let groups: Set<String>
  let resources: [String: Program.Resource]
  let parameters: [String: Program.Parameter]
  private(set) var problems: [Problem] = []
  /// How many more names may be compared in search of the nearest: a file of a million slips is not worth hours.
  private var comparisonsLeft = 2_000_000

  init(_ program: Program) {
    self.program = program
    plan = Plan(program)
    events = Set(program.events.map(\.name))
    steps = Set(program.steps.map(\.name))
    loops = Set(program.loops.map(\.name))
    groups = Set(program.groups.map(\.name))
    resources = Dictionary(program.resources.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    parameters = Dictionary(program.parameters.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
  }

  mutating func error(_ path: String, _ message: String) { problems.append(.error(path, message)) }

  mutating func warn(_ path: String, _ message: String) { problems.append(.warning(path, message)) }

  /// Complains unless `name` is one of `known`, naming the nearest.
  mutating func expect(_ name: String, _ noun: String, in known: Set<String>, at path: String) {
    guard !known.contains(name) else { return }
    error(path, "unknown \(noun) '\(name)'" + suggestion(for: name, among: known))
  }

  /// `; did you mean 'host'?`, or nothing.
  mutating func suggestion(for name: String, among known: some Collection<String>) -> String {
    guard known.count <= comparisonsLeft else { return "" }
    comparisonsLeft -= known.count
    return Name.nearest(to: name, among: known).map { "; did you mean '\($0)'?" } ?? ""
  }
}
