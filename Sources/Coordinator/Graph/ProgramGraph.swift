public import Model

/// A program as a picture: events, steps and loops with what leads from one to the other; coloured by how they
/// stand if it is a run's.
///
/// A plan's own events (`@…`) are not drawn: what comes `after` a step hangs on it directly.
public struct ProgramGraph: Sendable {
  /// The values of `--format`.
  public enum Format: String, Sendable, CaseIterable {
    /// An outline for a terminal.
    case text
    /// Graphviz.
    case dot
    /// A Mermaid flowchart.
    case mermaid
    /// A picture of its own.
    case svg
  }

  /// One thing drawn.
  struct Node: Sendable {
    enum Kind: Sendable, Hashable {
      case event, step, loop
      /// A step that is a loop over itself.
      case forEach
      /// A joint of a condition.
      case and, or
      /// Where an iteration of a loop begins, and where it is over.
      case begin, end
    }
    /// Its place in ``nodes``.
    let id: Int
    let kind: Kind
    let name: String
    /// What it goes over, what it does and where.
    var details: [String] = []
    /// The condition of an expression event.
    var condition: Expression?
    /// The sequences in which it starts with the run; empty if it does not.
    var starts: [Sequence] = []
    var isExternal = false
    /// The loop in whose frame it stands.
    var frame: Int?
    var state: GraphState?
  }

  /// What leads from one node to another.
  struct Edge: Sendable, Hashable {
    enum Kind: Sendable {
      /// An end raises an event.
      case raises
      /// An event starts something.
      case starts
      /// A success starts something directly.
      case after
      /// An operand of a condition.
      case operand
      /// A loop starts its body, and an event ends an iteration.
      case iterates, until
    }
    let from: Int
    let to: Int
    let kind: Kind
    /// `success`, `failure`, `after 10s`; empty for none.
    var label: String
  }

  let title: String
  let stepCount: Int
  let eventCount: Int
  let loopCount: Int
  var nodes: [Node]
  let edges: [Edge]
  /// Whether it shows a run.
  let isRun: Bool

  /// The graph of `plan`; with a report of a run of it, how each node stands there.
  public init(plan: Plan, report: RunReport? = nil) {
    var builder = GraphBuilder(plan)
    builder.build()
    nodes = builder.nodes
    edges = builder.mergedEdges
    stepCount = plan.program.steps.count
    eventCount = plan.program.events.count
    loopCount = plan.program.loops.count
    isRun = report != nil
    guard let report else {
      title = plan.program.name
      return
    }
    title = "\(plan.program.name) \(report.run.id): \(report.run.status.rawValue)"
    let states = GraphState.all(of: report)
    for index in nodes.indices { nodes[index].state = states.state(of: nodes[index]) }
  }

  /// The graph in `format`, ending with a newline. `profile` matters to `text` only.
  public func rendered(as format: Format, on profile: TerminalProfile = .plain) -> String {
    switch format {
    case .text: GraphText(self, profile: profile).text()
    case .dot: GraphDot(self).text()
    case .mermaid: GraphMermaid(self).text()
    case .svg: GraphSVG(self).text()
    }
  }

  /// The nodes directly in the frame of loop `frame`, or in none.
  func children(of frame: Int?) -> [Node] { nodes.filter { $0.frame == frame } }
}
