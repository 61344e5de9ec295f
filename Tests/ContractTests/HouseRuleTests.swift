import Testing

@Suite("House rules")
struct HouseRuleTests {
  @Test("Sources keep the rule", arguments: HouseRule.all)
  func sourcesKeep(rule: HouseRule) throws {
    for file in try Repository.swiftSources() {
      for line in rule.violations(in: file) {
        let lacks = rule.verdict == .banned ? "is not for Sources" : "wants its reason in a comment above"
        Issue.record("\(file.path):\(line): \(rule.name) \(lacks)")
      }
    }
  }

  @Test("no file in Sources is longer than 500 lines")
  func filesAreShort() throws {
    for file in try Repository.swiftSources() where file.lines.count > 501 {
      Issue.record("\(file.path) has \(file.lines.count - 1) lines: which noun is hiding in it?")
    }
  }

  @Test("the project speaks of itself alone: no path of a build machine, no private host")
  func noTraceOfAMachine() throws {
    let files = try Repository.textFiles()
    #expect(files.contains { $0.path == "Package.swift" })
    for file in files where file.holds("://") || file.holds(machineFolder) {
      for (index, line) in file.lines.enumerated() {
        for trace in machineTraces(in: line) {
          Issue.record("\(file.path):\(index + 1): \(trace)")
        }
      }
    }
  }

  @Test(
    "a rule finds what it is about and nothing else",
    arguments: [
      ("print(", "  print(1)", [1]),
      ("print(", "Swift.print(1)", [1]),
      ("print(", "footprint(1); table.print(2)", []),
      ("print(", "// print(1)", []),
      ("try!", "let a = try! b()", [1]),
      ("try!", "let a = try b() // never try! here", []),
      (" as!", "a as! B", [1]),
      ("fatalError(", "fatalError(\"x\")", [1]),
      ("fatalError(", "// Unreachable: a is positive.\nfatalError(\"x\")", []),
      ("fatalError(", "// Unreachable.\n\nfatalError(\"x\")", [3]),
      ("@unchecked Sendable", "/// Guarded by the lock.\nfinal class A: @unchecked Sendable {", []),
      ("@unchecked Sendable", "final class A: @unchecked Sendable {", [1]),
      ("nonisolated(unsafe)", "  nonisolated(unsafe) var a = 1", [1]),
    ])
  func rulesFind(name: String, text: String, lines: [Int]) throws {
    let rule = try #require(HouseRule.all.first { $0.name == name })
    #expect(rule.violations(in: Repository.File(path: "Sources/A/a.swift", text: text)) == lines)
  }

  @Test("a path of a machine is told from a folder's name")
  func tracesAreFound() {
    let path = machineFolder + "main"
    #expect(machineTraces(in: "see \(path)").count == 1)
    #expect(machineTraces(in: "`\(path)`").count == 1)
    #expect(machineTraces(in: "/var\(path), ~\(path), ${dir}\(path)").isEmpty)
    let host = "https:/" + "/pypi.example-mirror.internal/simple"
    #expect(machineTraces(in: "index-url = \(host)").count == 1)
    #expect(machineTraces(in: "https://github.com/apple/swift-log").isEmpty)
  }
}

/// Written in two parts, or this file would be its own first finding.
let machineFolder = "/wo" + "rk/"

/// Traces of the machine a line was written on: paths of a build machine, hosts of package registries and
/// mirrors. Told by their shape: naming one here would be such a trace itself.
func machineTraces(in line: String) -> [String] {
  guard line.contains("://") || line.contains(machineFolder) else { return [] }
  let path = /(?:^|[^\w.}~\/-])\/work\/[\w.\/-]*/
  let host = /https?:\/\/(?:[^\/@\s]*@)?([\w.-]+)/
  let telling = /(?i)artifactory|nexus|registry|mirror|proxy|pypi|\.(?:internal|corp|lan|intranet)(?:\.|$)/
  let paths = line.matches(of: path).map { String($0.output) }
  let hosts = line.matches(of: host).filter { $0.output.1.contains(telling) }.map { String($0.output.1) }
  return paths + hosts
}
