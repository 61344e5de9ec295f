/// The rule for names, and that no two things share one where one space holds both.
extension Validation {
  mutating func checkNames() {
    checkName(program.name, at: "program")
    check(program.parameters.map(\.name), "parameter", under: "parameters")
    check(program.groups.map(\.name), "group", under: "groups")
    check(program.resources.map(\.name), "resource", under: "resources")
    check(program.events.map(\.name), "event", under: "events")
    check(program.steps.map(\.name), "step", under: "steps")
    check(program.loops.map(\.name), "loop", under: "loops")

    let rule = "events, steps and loops share one space of names"
    for step in program.steps where events.contains(step.name) {
      error("steps.\(step.name)", "'\(step.name)' is the name of an event too; \(rule)")
    }
    for loop in program.loops {
      if events.contains(loop.name) {
        error("loops.\(loop.name)", "'\(loop.name)' is the name of an event too; \(rule)")
      }
      if steps.contains(loop.name) {
        error("loops.\(loop.name)", "'\(loop.name)' is the name of a step too; \(rule)")
      }
    }
  }

  private mutating func check(_ names: [String], _ noun: String, under section: String) {
    var seen: Set<String> = []
    for name in names {
      checkName(name, at: "\(section).\(name)")
      if !seen.insert(name).inserted { error("\(section).\(name)", "two \(noun)s are called '\(name)'") }
    }
  }

  private mutating func checkName(_ name: String, at path: String) {
    guard !Name.isValid(name) else { return }
    error(path, "'\(name)' is not a valid name; use 1 to \(Name.maximumLength) of A-Z a-z 0-9 _ . -")
  }
}
