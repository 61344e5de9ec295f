import Model

/// The keys of a step.
enum StepKeys {
  /// A step while its keys are read, in whatever order they come.
  struct Draft: Sendable {
    var step = Program.Step(name: "")
    var run: [String]?
    var shell: String?
    var items: Program.Items?
    var atOnce: Int?
    var wait: Program.ForEach.Wait?
  }

  static let section = Section<Draft>(
    "step",
    [
      Key(
        "on", \.step.on, .oneOrMany(.name), example: "on: run_s1",
        "The event, or list of events, any of which starts it."),
      Key(
        "after", \.step.after, .oneOrMany(.name), example: "after: [s1]",
        "Steps and loops; it starts when every one of them has succeeded."),
      Key(
        "host", optional: \.step.host, .text, default: "the group, default_host, or where its cause ran",
        example: "host: s1", "Where it runs; may hold ${param.x}."),
      Key(
        "group", optional: \.step.group, .name, example: "group: builders",
        "The group it is a member of: any of its hosts may take it."),
      Key(
        "run", \.run, command.map { .some($0) }, example: "run: [/bin/echo, hello]",
        "A program and its arguments, without a shell; a step with neither run nor shell succeeds at once."),
      Key(
        "shell", optional: \.shell, .text, example: "shell: echo hello | tr a-z A-Z", "A line for /bin/sh -c."
      ),
      Key(
        "env", \.step.environment, .map(of: .text), example: "env: {A: \"1\"}", "Added to its environment."),
      Key("cwd", optional: \.step.workingDirectory, .text, example: "cwd: /tmp", "Its working directory."),
      Key(
        "user", optional: \.step.user, .text, example: "user: build",
        "The user it runs as; the agent must be root."),
      Key(
        "timeout", optional: \.step.timeout, .duration, default: "none", example: "timeout: 90s",
        "After this long its process group gets SIGTERM, and it has failed."),
      Key(
        "kill_after", optional: \.step.killAfter, .duration, default: "10s", example: "kill_after: 30s",
        "How long after SIGTERM comes SIGKILL."),
      Key(
        "retry", optional: \.step.retry, retryForm, default: "one attempt",
        example: "retry: {attempts: 3, delay: 2s}", "Whether and how a failed attempt is tried again."),
      Key(
        "acquires", \.step.acquires, .map(of: .integer), example: "acquires: {license: 1}",
        "What it holds from start to end; it does not start until it has all at once."),
      Key(
        "releases", optional: \.step.releases, .map(of: .integer), default: "all it acquired",
        example: "releases: {}",
        "What its end gives back; {} keeps all for a later step that releases it."),
      Key(
        "triggers", \.step.triggers, TriggerKeys.section.form(.init()),
        example: "triggers: {success: [s1_done]}",
        "The events its end raises."),
      Key(
        "recovery", \.step.recovery, recovery.form(.init()),
        example: "recovery: {failure: rerun, success: skip}",
        "What a recovery does when it had ended before."),
      Key(
        "on_lost", \.step.onLost, .choice, default: "rerun", example: "on_lost: fail",
        "What happens when the agent that holds it is gone for good."),
      Key(
        "max_lost", \.step.maxLost, .integer, default: "3", example: "max_lost: 1",
        "How many times it may be lost before that is a failure."),
      Key(
        "precondition", \.step.precondition, commandOrLine, example: "precondition: [test, -e, /mnt/data]",
        "A command, or a line of shell; when it fails, the step ends as a success that was skipped."),
      Key(
        "foreach", optional: \.items, LoopKeys.items, example: "foreach: [a, b, c]",
        "Runs it once per item: a list, a range {from, to}, ${param.l} or ${steps.s0.result}."),
      Key(
        "at_once", optional: \.atOnce, .integer, default: "1", example: "at_once: 20",
        "Items of foreach at once; 0 is all."),
      Key(
        "wait", optional: \.wait, .choice, default: "all", example: "wait: any",
        "When the foreach is over: after all items, the first success, or the first failure."),
      Key(
        "limits", optional: \.step.limits, limits.form(.init()),
        example: "limits: {memory: 2G, cpu: 2}", "Bounds on what its process may use."),
      Key(
        "priority", \.step.priority, .integer, default: "0", example: "priority: 10",
        "Higher is taken first, from -1000000 to 1000000."),
      Key(
        "on_cut_off", optional: \.step.onCutOff, .choice, default: "keep; stop in a group",
        example: "on_cut_off: keep",
        "What happens to it when its agent can't reach the store: it goes on, or is ended before another may start it."
      ),
      Key(
        notYet: "results", needs: "the test results tool", example: "results: pandokia.log",
        "Test results it writes."),
    ])

  static let form: Form<Program.Step> = {
    Form("a mapping (step)", schema: section.table.schema, table: section.table) { node, path, reader in
      var draft = Draft()
      _ = section.read(node, path, into: &draft, &reader)
      return finish(draft, node, path, &reader)
    }
  }()

  private static func finish(
    _ draft: Draft, _ node: YAMLNode, _ path: String, _ reader: inout Reader
  ) -> Program.Step {
    var step = draft.step
    switch (draft.run, draft.shell) {
    case (let run?, nil): step.action = .run(run)
    case (nil, let shell?): step.action = .shell(shell)
    case (let run?, .some):
      step.action = .run(run)
      reader.add([.error(path.key("shell"), "a step has either 'run' or 'shell', not both")])
    case (nil, nil): break
    }
    if let items = draft.items {
      var forEach = Program.ForEach(over: items)
      forEach.atOnce = draft.atOnce ?? forEach.atOnce
      forEach.wait = draft.wait ?? forEach.wait
      step.forEach = forEach
    } else if case .mapping(let entries) = node.content, !entries.contains(where: { $0.key == "foreach" }) {
      for entry in entries where entry.key == "at_once" || entry.key == "wait" {
        reader.fail(
          entry.position, path.key(entry.key), "'\(entry.key)' has a meaning only beside 'foreach'")
      }
    }
    return step
  }

  /// A list of words; a bare line is a frequent slip.
  private static let command: Form<[String]> = {
    let words: Form<[String]> = .list(of: .text)
    return Form(words.name, schema: words.schema) { node, path, reader in
      if case .scalar = node.content, !node.isNull {
        reader.fail(
          node.position, path,
          "'run' is a list of words, such as [echo, hello]; for a line of shell write 'shell'")
        return nil
      }
      return words.read(node, path, &reader)
    }
  }()

  /// A list of words, or a line for the shell.
  static let commandOrLine: Form<[String]?> = {
    let words: Form<[String]> = .list(of: .text)
    return Form("a list of words, or a line of shell", schema: .anyOf(.type("string"), words.schema)) {
      node, path, reader in
      guard case .scalar = node.content, !node.isNull else { return words.read(node, path, &reader) }
      return Form<String>.text.read(node, path, &reader).map { ["/bin/sh", "-c", $0] }
    }
  }()

  private static let recovery = Section<Program.RecoveryPolicy>(
    "recovery",
    [
      Key(
        "failure", \.failure, .choice, default: "rerun", example: "failure: rerun",
        "After a failure: run it again, or repeat its recorded end without running it."),
      Key(
        "success", \.success, .choice, default: "skip", example: "success: skip",
        "After a success: run it again, or repeat its recorded end without running it."),
    ])

  private static let retry = Section<Program.Retry>(
    "retry",
    [
      Key("attempts", \.attempts, .integer, required: true, example: "attempts: 3", "Attempts in all."),
      Key(
        "delay", \.delay, .duration, default: "0", example: "delay: 2s", "Waited before the second attempt."),
      Key(
        "backoff", \.backoff, .number, default: "1", example: "backoff: 2.0",
        "What each further delay is multiplied by."),
      Key(
        "max_delay", optional: \.maxDelay, .duration, default: "none", example: "max_delay: 1m",
        "The longest delay."),
      Key(
        "jitter", \.jitter, .number, default: "0", example: "jitter: 0.1",
        "Share of the delay added or taken off at random, 0 to 1."),
      Key(
        "on_exit", \.onExit, .oneOrMany(condition), default: "every failure",
        example: "on_exit: [75, signal]",
        "Only these ends are tried again: exit codes, signal, timeout."),
      Key(
        "not_on_exit", \.notOnExit, .oneOrMany(condition), default: "none", example: "not_on_exit: [2]",
        "These ends are not tried again."),
      Key(
        "elsewhere", optional: \.elsewhere, .boolean, default: "false", example: "elsewhere: true",
        "Whether the next attempt goes to another host of the group, where one could take it."),
    ])

  private static let retryForm = retry.form(.init(attempts: 1))

  private static let condition = Form<Program.Retry.Condition>(
    scalar: "an exit code, signal or timeout",
    schema: .anyOf(.type("integer"), .object(["enum": .array([.string("signal"), .string("timeout")])]))
  ) { text in
    switch text {
    case "signal": .signal
    case "timeout": .timeout
    default: Int(text).map { .exit($0) }
    }
  }

  private static let limits = Section<Program.Limits>(
    "limits",
    [
      Key(
        "memory", optional: \.memory, .memory, default: "none", example: "memory: 2G",
        "Memory its processes may use: together in a cgroup, each by its address space elsewhere."),
      Key(
        "cpu", optional: \.cpu, .number, default: "none", example: "cpu: 2",
        "Cores its processes may use together; 0.5 is half of one."),
    ])
}
