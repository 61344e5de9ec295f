/// The programs that are crashed: their steps run ``StepJournal/script``, and none is given up for being lost too often.
enum CrashProgram {
  /// A hundred tasks: chains, joins, a loop in a loop, a foreach that queues for a resource, failures that are
  /// handled, a retry, a delay, and a result that others read.
  static var hundred: String {
    let wide = (1...20).map { "w\($0)" }
    var text = """
      program: hundred
      resources: {license: {capacity: 2}}
      events:
        begin: {}
        left: {}
        right: {}
        joined: {when: left and right}
        went_wrong: {}
        site: {}
        site_made: {}
        part: {}
        part_over: {}
        parts_over: {}
        site_over: {}
        sites_over: {}
        chain_over: {}
        fan_over: {}
        wide_over: {when: \(wide.map { $0 + "_over" }.joined(separator: " and "))}
        all_over: {when: wide_over and sites_over and chain_over and fan_over}
      \(wide.map { "  \($0)_over: {}" }.joined(separator: "\n"))
      associations:
        - {event: begin, to: [a, b, bad, flaky]}
        - {event: left, to: [c1, \(wide.joined(separator: ", "))]}
        - {event: joined, to: [sites, fan]}
        - {event: went_wrong, to: [mend], delay: 30ms}
        - {event: all_over, to: [d1]}
      loops:
        sites:
          over: "${steps.a.result}"
          max_concurrent: 2
          start: [site]
          until: [site_over]
          triggers: {success: [sites_over]}
        parts:
          on: site_made
          over: {from: 1, to: 3}
          max_concurrent: 0
          start: [part]
          until: [part_over]
          triggers: {success: [parts_over]}
      steps:

      """
    // The second of each three parts fails, which `complete` handles.
    text += step("a", "triggers: {success: [left]}", then: "echo '[1, 2, 3, 4, 5]' > $EVENTOR_RESULT_FILE")
    text += step("b", "triggers: {success: [right]}", takes: "0.02")
    text += step("bad", "triggers: {failure: [went_wrong]}, recovery: {failure: skip}", exit: "3")
    text += step("mend")
    text += step("flaky", "retry: {attempts: 50, delay: 0.02}", exit: "$((EVENTOR_STEP_ATTEMPT < 2))")
    text += step("make", "on: site, triggers: {success: [site_made]}")
    text += step("cut", "on: part")
    text += step(
      "glue", "after: [cut], triggers: {complete: [part_over]}, recovery: {failure: skip}",
      exit: "$((EVENTOR_LOOP_INDEX == 2))")
    text += step("close", "on: parts_over, triggers: {success: [site_over]}")
    text += step(
      "fan", "foreach: {from: 1, to: 20}, at_once: 5, acquires: {license: 1}, triggers: {success: [fan_over]}"
    )
    for (index, name) in wide.enumerated() {
      text += step(name, "triggers: {success: [\(name)_over]}", takes: "0.0\(index % 5)")
    }
    text += chain("c", 10, "triggers: {success: [chain_over]}") + chain("d", 5)
    return text
  }

  /// A few tasks of every kind; `slow` runs for `seconds`. What could not be started is tried again.
  static func small(slow seconds: String = "0.02") -> String {
    let again = "retry: {attempts: 50, delay: 0.01, not_on_exit: [3]}"
    return """
      program: small
      resources: {license: {capacity: 1}}
      events:
        begin: {}
        left: {}
        right: {}
        joined: {when: left and right}
        went_wrong: {}
        turn: {}
        turn_over: {}
      associations:
        - {event: begin, to: [a, b, bad, flaky, slow]}
        - {event: joined, to: [turns, fan]}
      loops:
        turns: {over: {from: 1, to: 2}, start: [turn], until: [turn_over]}
      steps:

      """ + step("a", "triggers: {success: [left]}, \(again)")
        + step("b", "triggers: {success: [right]}, \(again)")
        + step("bad", "triggers: {failure: [went_wrong]}, recovery: {failure: skip}, \(again)", exit: "3")
        + step("mend", "on: went_wrong, \(again)")
        + step("flaky", again, exit: "$((EVENTOR_STEP_ATTEMPT < 2))")
        + step("slow", again, takes: seconds)
        + step("work", "on: turn, triggers: {success: [turn_over]}, \(again)")
        + step("fan", "foreach: [x, y, z], at_once: 2, acquires: {license: 1}, \(again)")
        + step("last", "after: [turns, fan], \(again)")
  }

  /// Steps without an action before, between and after two that have one.
  static var passing: String {
    let again = "retry: {attempts: 50, delay: 0.01}"
    return "program: passing\nsteps:\n  a: {}\n  b: {after: [a]}\n" + step("p", "after: [b], \(again)")
      + "  c: {after: [p]}\n  each: {after: [c], foreach: {from: 1, to: 4}, at_once: 2}\n"
      + "  d: {after: [each, b]}\n" + step("q", "after: [d], \(again)") + "  z: {after: [q]}\n"
  }

  /// One step that runs for `seconds`, and one after it.
  static func two(slow seconds: String) -> String {
    "program: two\nsteps:\n" + step("slow", takes: seconds) + step("next", "after: [slow]")
  }

  private static func step(
    _ name: String, _ more: String = "", takes seconds: String = "0.01", exit: String = "0",
    then: String = "true"
  ) -> String {
    "  \(name): {shell: \"sh $CRASH_SCRIPT \(seconds) \(exit) && \(then)\", max_lost: 100"
      + (more.isEmpty ? "" : ", \(more)") + "}\n"
  }

  private static func chain(_ name: String, _ length: Int, _ last: String = "") -> String {
    (1...length).map { number in
      let after = number == 1 ? "" : "after: [\(name)\(number - 1)]"
      return step(
        "\(name)\(number)",
        [after, number == length ? last : ""].filter { !$0.isEmpty }.joined(separator: ", "))
    }.joined()
  }
}
