import Yams

/// What libyaml says of a text that is no YAML, in one sentence with one place.
enum YAMLSyntax {
  /// The place and the sentence for `error`.
  static func describe(_ error: any Error, in text: YAMLText) -> (position: Position, message: String) {
    switch error {
    case YamlError.scanner(let context, let problem, let mark, _),
      YamlError.parser(let context, let problem, let mark, _),
      YamlError.composer(let context, let problem, let mark, _):
      let position = min(Position(line: max(1, mark.line), column: max(1, mark.column)), text.end)
      if problem == "but found another document" {
        return (position, "a second document begins here; a file holds one")
      }
      if problem.hasPrefix("Maximum nesting level") {
        return (position, "nested more than \(YAMLComposer.depthLimit) levels deep")
      }
      return (position, "not valid YAML: " + explain(problem) + (context.map(whereabouts) ?? ""))
    case YamlError.reader(let problem, _, _, _):
      return (.first, "not valid YAML: \(problem)")
    default:
      return (.first, "not valid YAML: \(error)")
    }
  }

  private static func explain(_ problem: String) -> String {
    switch problem {
    case "found character that cannot start any token":
      return "a value can't begin with this character; quote it (lines are indented with spaces, never tabs)"
    case "mapping values are not allowed in this context":
      return "a second ':' in one line; quote text that holds ': '"
    case "could not find expected ':'":
      return "a ':' is missing after the key"
    default:
      return problem
    }
  }

  private static func whereabouts(_ context: YamlError.Context) -> String {
    guard context.text.hasPrefix("while "), context.mark.line > 0 else { return "" }
    return " (\(context.text) that begins in line \(context.mark.line), column \(context.mark.column))"
  }
}
