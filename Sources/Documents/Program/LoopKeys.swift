import Model

/// The keys of a loop, and what loops go over.
enum LoopKeys {
  private static let section = Section<Program.Loop>(
    "loop",
    [
      Key(
        "on", \.on, .oneOrMany(.name), example: "on: both_done",
        "The event, or list of events, any of which starts it."),
      Key(
        "after", \.after, .oneOrMany(.name), example: "after: [s1]",
        "Steps and loops; it starts when every one of them has succeeded."),
      Key(
        "over", \.over, items, required: true, example: "over: [lab1, lab2]",
        "The items: a list, a range {from, to}, ${param.sites} or ${steps.s1.result}."),
      Key(
        "max_concurrent", \.maxConcurrent, .integer, default: "1", example: "max_concurrent: 4",
        "Iterations at once; 0 is all."),
      Key(
        "start", \.start, .oneOrMany(.name), example: "start: [run_site]",
        "Events triggered once per iteration, in the iteration's own sequence S/i."),
      Key(
        "until", \.until, .oneOrMany(.name), default: "when nothing of it is left",
        example: "until: [site_over]",
        "An iteration is over when one of these events is triggered in its sequence."),
      Key(
        "wait", \.wait, .choice, default: "all", example: "wait: any",
        "When the loop is over: after all iterations, the first success, or the first failure."),
      Key(
        "triggers", \.triggers, TriggerKeys.section.form(.init()),
        example: "triggers: {success: [all_sites]}",
        "The events its end raises in the outer sequence."),
    ])

  static let form = section.form(.init(name: "", over: .list([])))

  /// A list, a range or a reference.
  static let items = Form<Program.Items>(
    "a list, a range {from, to}, or ${…}",
    schema: .anyOf(.type("array"), range.table.schema, .type("string"))
  ) { node, path, reader in
    switch node.content {
    case .list:
      guard case .array(let values) = Form<JSONValue>.value.read(node, path, &reader) else { return nil }
      return .list(values)
    case .mapping:
      var ends = Ends()
      guard range.read(node, path, into: &ends, &reader), let from = ends.from, let to = ends.to else {
        return nil
      }
      return .range(from: from, to: to)
    case .scalar(let text, _):
      guard text.isReference else {
        reader.fail(node, path, wanted: "a list, a range {from, to}, ${param.NAME} or ${steps.NAME.result}")
        return nil
      }
      return .reference(text)
    case .broken: return nil
    }
  }

  private struct Ends: Sendable {
    var from: Program.RangeEnd?
    var to: Program.RangeEnd?
  }

  private static let range = Section<Ends>(
    "range",
    [
      Key("from", \.from, end.map { .some($0) }, required: true, example: "from: 1", "The first number."),
      Key("to", \.to, end.map { .some($0) }, required: true, example: "to: 10", "The last number."),
    ])

  private static let end = Form<Program.RangeEnd>(
    scalar: "a whole number or ${…}", schema: .anyOf(.type("integer"), .type("string"))
  ) { text in
    if text.isReference { return .reference(text) }
    return Int(text).map { .value($0) }
  }
}

extension String {
  /// Whether it has the looks of one `${…}`.
  fileprivate var isReference: Bool {
    hasPrefix("${") && hasSuffix("}") && dropFirst(2).firstIndex(of: "}") == indices.last
  }
}
