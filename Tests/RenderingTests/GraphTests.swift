import Coordinator
import Foundation
import Model
import Testing

#if canImport(FoundationXML)
import FoundationXML
#endif

@Suite("Graphs")
struct GraphTests {
  static let programs = [
    SamplePrograms.chain(), SamplePrograms.delay, SamplePrograms.handled, SamplePrograms.join,
    SamplePrograms.nested,
    SamplePrograms.fanOut(), SamplePrograms.nightly, SamplePrograms.circle, Program(name: "empty"),
  ]

  private func draw(_ program: Program, _ format: ProgramGraph.Format, report: RunReport? = nil) -> String {
    ProgramGraph(plan: Plan(program), report: report).rendered(as: format)
  }

  @Test("no format shows an event of the plan's own, or a control character", arguments: programs)
  func clean(program: Program) {
    for format in ProgramGraph.Format.allCases {
      let text = draw(program, format)
      #expect(!text.contains("@ok:") && !text.contains("@after:"))
      #expect(!text.unicodeScalars.contains { $0.value < 0x20 && $0 != "\n" })
      for step in program.steps {
        #expect(text.contains(step.name), "\(step.name) is missing from \(format)")
      }
      #expect(text.hasSuffix("\n"))
    }
  }

  @Test("the outline says what starts each step and what it raises")
  func text() {
    let expected = """
      join  3 steps, 5 events
      ▶ run_step1  in sequence 3
      ■ s1  echo one
          ← run_step1
          → complete: done_step1, run_step2
        ■ s2  cat one
            ← run_step2
            → complete: done_step2
          ■ s3  echo end
              ← run_step3 (done_step1 and done_step2)

      """
    #expect(draw(SamplePrograms.join, .text) == expected)
    #expect(draw(SamplePrograms.delay, .text).contains("← run_step2 after 1s\n"))
    #expect(draw(SamplePrograms.fanOut(3), .text).contains("← success of work0, work1 and work2\n"))
    let nested = draw(SamplePrograms.nested, .text)
    #expect(nested.contains("\n    ⟳ inner  each of 1, 2\n"))
    #expect(nested.contains("\n        ■ work  echo"))
  }

  @Test("dot: every brace, quote and node is in order", arguments: programs)
  func dot(program: Program) {
    var (depth, isQuoted, isEscaped) = (0, false, false)
    var bare = ""
    for character in draw(program, .dot) {
      if isEscaped {
        isEscaped = false
      } else if isQuoted && character == "\\" {
        isEscaped = true
      } else if character == "\"" {
        isQuoted.toggle()
      } else if !isQuoted {
        bare.append(character)
        if character == "{" || character == "[" { depth += 1 }
        if character == "}" || character == "]" { depth -= 1 }
        #expect(depth >= 0)
      }
    }
    #expect(depth == 0 && !isQuoted)
    let lines = bare.split(separator: "\n").map { $0.drop { $0 == " " } }
    let nodes = Set(lines.compactMap { $0.firstMatch(of: /^(n\d+) \[/)?.1 })
    for line in lines {
      guard let edge = line.firstMatch(of: /^(n\d+) -> (n\d+)/) else { continue }
      #expect(nodes.contains(edge.1) && nodes.contains(edge.2))
    }
  }

  @Test("dot: an `after` leads from step to step, a label from step to event")
  func dotEdges() {
    let dot = draw(SamplePrograms.fanOut(2), .dot)
    #expect(dot.contains("n0 -> n1;") && dot.contains("n1 -> n3;") && dot.contains("n2 -> n3;"))
    #expect(draw(SamplePrograms.handled, .dot).contains("[label=\"failure\""))
    #expect(draw(SamplePrograms.nested, .dot).contains("subgraph cluster_"))
  }

  @Test("mermaid: frames are closed, edges lead between nodes, labels are escaped", arguments: programs)
  func mermaid(program: Program) {
    let lines = draw(program, .mermaid).split(separator: "\n").map { String($0.drop { $0 == " " }) }
    #expect(lines.first == "flowchart TD")
    #expect(lines.filter { $0.hasPrefix("subgraph ") }.count == lines.filter { $0 == "end" }.count)
    #expect(lines.filter { $0.hasPrefix("subgraph ") }.count == program.loops.count)
    let nodes = Set(
      lines.compactMap { $0.firstMatch(of: /^(?:subgraph )?(n\d+)[\[(>]/).map { String($0.1) } })
    for line in lines {
      #expect(line.count { $0 == "\"" }.isMultiple(of: 2))
      guard let edge = line.firstMatch(of: /^(n\d+) -.*> ?(?:\|".*"\| )?(n\d+)$/) else { continue }
      #expect(nodes.contains(String(edge.1)) && nodes.contains(String(edge.2)))
    }
  }

  @Test(
    "svg is well-formed, everything lies inside, and boxes of one frame don't overlap", arguments: programs)
  func svg(program: Program) throws {
    let reader = SVGReader()
    let parser = XMLParser(data: Data(draw(program, .svg).utf8))
    parser.delegate = reader
    #expect(parser.parse(), "\(String(describing: parser.parserError))")
    #expect(reader.width > 0 && reader.height > 0)
    for box in reader.boxes {
      #expect(box.x >= 0 && box.y >= 0)
      #expect(box.x + box.width <= reader.width && box.y + box.height <= reader.height)
    }
    for (index, box) in reader.boxes.enumerated() {
      for other in reader.boxes[(index + 1)...] {
        let isApart =
          box.x + box.width <= other.x || other.x + other.width <= box.x || box.y + box.height <= other.y
          || other.y + other.height <= box.y
        #expect(isApart)
      }
    }
  }

  @Test("a run's graph shows the worst state, counts and a legend")
  func states() {
    var report = SampleReport.report
    report.tasks = [
      SampleReport.task("work", "0/1/1"), SampleReport.task("work", "0/1/2", .failure),
      SampleReport.task("last", "0"),
    ]
    report.loops = [
      LoopRecord(
        loop: "outer", sequence: Sequence("0"), recovery: 0, status: .running, iterations: 2, ended: 1)
    ]
    let svg = draw(SamplePrograms.nested, .svg, report: report)
    #expect(svg.contains("<g class=\"step failure\">") && svg.contains("1 failure, 1 success"))
    #expect(svg.contains("<g class=\"step success\">") && svg.contains("success 1.2s"))
    #expect(svg.contains("<g class=\"loop running\">") && svg.contains("running, 1 of 2"))
    #expect(svg.contains("<g class=\"key\">"))
    #expect(!draw(SamplePrograms.nested, .svg).contains("<g class=\"key\">"))
    #expect(draw(SamplePrograms.nested, .mermaid, report: report).contains("classDef failure"))
    #expect(draw(SamplePrograms.nested, .text, report: report).contains("1 failure, 1 success"))
  }

  @Test("a program of thousands of steps is drawn in time")
  func vast() {
    var program = SamplePrograms.fanOut(1500)
    program.steps += SamplePrograms.chain(500).steps
    program.events += SamplePrograms.chain(500).events
    for format in ProgramGraph.Format.allCases { #expect(!draw(program, format).isEmpty) }
  }
}

/// Collects the boxes of a picture: of its nodes, without frames and their shadows.
private final class SVGReader: NSObject, XMLParserDelegate {
  struct Box {
    let x, y, width, height: Double
  }
  var width = 0.0
  var height = 0.0
  var boxes: [Box] = []
  private var isNewNode = false

  func parser(
    _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
    attributes: [String: String]
  ) {
    func number(_ key: String) -> Double { attributes[key].flatMap { Double($0) } ?? 0 }
    switch name {
    case "svg": (width, height) = (number("width"), number("height"))
    case "g":
      isNewNode = ["event", "step", "joint", "turn"].contains { attributes["class"]?.hasPrefix($0) == true }
    case "rect" where isNewNode:
      isNewNode = false
      boxes.append(Box(x: number("x"), y: number("y"), width: number("width"), height: number("height")))
    default: break
    }
  }
}
