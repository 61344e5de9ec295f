import Model

/// The keys of a program file.
enum ProgramKeys {
  static let section = Section<Program>(
    "program",
    [
      Key(
        "program", \.name, .name, required: true, example: "program: nightly",
        "The program's name: 1 to 128 of A-Z a-z 0-9 _ . -"),
      Key(
        "description", optional: \.description, .text, example: "description: nightly build of all sites",
        "Free text for people."),
      Key(
        "parameters", \.parameters, ParameterKeys.form, example: "parameters: {x: 9}",
        "Values that may be set when a run starts (--param x=-9), used as ${param.x}."),
      Key(
        "config", \.config, config.form(Program.Config()), example: "config: {max_concurrent: 4}",
        "Settings of the whole program."),
      Key(
        "groups", \.groups, .named(group.form(.init(name: "")), rename: \.name),
        example: "groups: {builders: {hosts: [s1, s2]}}",
        "Named sets of hosts; their properties apply to member steps that do not say otherwise."),
      Key(
        "resources", \.resources, .named(resourceForm, rename: \.name),
        example: "resources: {license: {capacity: 2, scope: cluster}}",
        "What steps acquire before they start: a capacity, or a mapping."),
      Key(
        "events", \.events, eventsForm, example: "events: {run_s1: {}, done: {when: s1_done and s2_done}}",
        "The events by name, or a list of names."),
      Key(
        "steps", \.steps, .named(StepKeys.form, rename: \.name),
        example: "steps: {s1: {on: run_s1, run: [/bin/echo, hello]}}", "The steps by name."),
      Key(
        "loops", \.loops, .named(LoopKeys.form, rename: \.name),
        example: "loops: {sites: {on: go, over: [lab1, lab2], start: [run_site]}}",
        "The loops by name: nodes that run a part of the graph once per item."),
      Key(
        "associations", \.associations, .list(of: associationForm),
        example: "associations: [{event: run_s1, to: [s1, audit], delay: 10s}]",
        "The long form of 'on', and the only form for event-to-event and for delays."),
      Key(
        "start", \.start, startForm.map(Optional.some),
        default: "every event that nothing raises, in sequence 1",
        example: "start: [{event: run_s1, sequence: 1}]",
        "What a new run triggers: events, or events with a sequence."),
      Key(
        "schedule", \.schedule, ScheduleKeys.form, default: "never",
        example: "schedule: [{name: weekdays, cron: \"0 2 * * 1-5\", event: run_s1}]",
        "When runs start by themselves, once the program is registered."),
    ])

  private static let config = Section<Program.Config>(
    "config",
    [
      Key(
        "max_concurrent", \.maxConcurrent, .integer, default: "0 (no limit)", example: "max_concurrent: 4",
        "Tasks of one run at once, over all hosts."),
      Key(
        "stop_on_failure", \.stopOnFailure, .boolean, default: "true", example: "stop_on_failure: false",
        "Whether no new task starts after a failure that raised no event."),
      Key(
        "env_prefix", \.environmentPrefix, .text, default: "EVENTOR_", example: "env_prefix: NIGHTLY_",
        "What the names of the environment variables of steps begin with."),
      Key(
        "default_host", optional: \.defaultHost, .text, default: "the host of the step that caused it",
        example: "default_host: s1", "Where steps run that name neither a host nor a group."),
      Key(
        "timeout", optional: \.timeout, .duration, default: "none", example: "timeout: 8h",
        "The longest a whole run may take."),
      Key(
        "queue_timeout", optional: \.queueTimeout, .duration, default: "none", example: "queue_timeout: 30m",
        "The longest a run may wait for its first task to start."),
    ])

  private static let group = Section<Program.Group>(
    "group",
    [
      Key(
        "hosts", \.hosts, .oneOrMany(.text), example: "hosts: [s1, s2]",
        "Any of these may take a task of a member."),
      Key(
        "env", \.environment, .map(of: .text), example: "env: {LANG: C}",
        "Added to the environment of members; a member's own value wins."),
      Key("cwd", optional: \.workingDirectory, .text, example: "cwd: /srv", "Working directory of members."),
      Key("user", optional: \.user, .text, example: "user: build", "The user members run as."),
      Key(
        "timeout", optional: \.timeout, .duration, default: "none", example: "timeout: 30m",
        "Timeout of members."),
      Key(
        "max_concurrent", \.maxConcurrent, .integer, default: "0 (no limit)", example: "max_concurrent: 2",
        "Tasks of members at once, over all runs and hosts."),
      Key(
        "match", optional: \.match, .map(of: .text), example: "match: {os: linux}",
        "Members by the labels of agents: those that have all of these; '*' is any value."),
    ])

  private static let resource = Section<Program.Resource>(
    "resource",
    [
      Key("capacity", \.capacity, .integer, required: true, example: "capacity: 2", "How much there is."),
      Key(
        "scope", \.scope, .choice, default: "program", example: "scope: cluster",
        "Over what the capacity is counted: one run, all runs on one host, or all runs in the database."),
      Key(
        "sensor", \.sensor, StepKeys.commandOrLine, default: "none", example: "sensor: lmfree vcs",
        "A command, or a line of shell, that prints how many are free outside; that and capacity must allow."),
      Key(
        "every", optional: \.every, .duration, default: "30s", example: "every: 1m",
        "How often the sensor is asked, while somebody holds or waits for the resource."),
    ])

  /// A mapping, or a bare capacity.
  private static let resourceForm: Form<Program.Resource> = {
    let long = resource.form(.init(name: "", capacity: 1, scope: .program))
    return Form("a capacity or a mapping", schema: .anyOf(.type("integer"), long.schema), table: long.table) {
      node, path, reader in
      guard case .scalar(_, isPlain: true) = node.content, !node.isNull else {
        return long.read(node, path, &reader)
      }
      reader.place(path.key("capacity"), at: node.position)
      let capacity = Form<Int>.integer.read(node, path, &reader)
      return .init(name: "", capacity: capacity ?? 1, scope: .program)
    }
  }()

  private static let event = Section<Program.Event>(
    "event",
    [
      Key(
        "when", optional: \.when, .expression, example: "when: s1_done and (s2_done or s2_skipped)",
        "Triggers it as soon as this holds: events, 'and', 'or' and parentheses."),
      Key(
        "external", \.external, .boolean, default: "false", example: "external: true",
        "Raised from outside: a run does not start with it, and nothing here need raise it."),
    ])

  /// A mapping from names to events, or a list of names.
  private static let eventsForm: Form<[Program.Event]> = {
    let long: Form<[Program.Event]> = .named(event.form(.init(name: "")), rename: \.name)
    let short: Form<[String]> = .list(of: .name)
    return Form(
      "a mapping from names, or a list of them", schema: .anyOf(long.schema, short.schema), table: long.table
    ) { node, path, reader in
      guard case .list(let items) = node.content else { return long.read(node, path, &reader) }
      for item in items {
        if case .scalar(let name, _) = item.content { reader.place(path.key(name), at: item.position) }
      }
      return short.read(node, path, &reader)?.map { Program.Event(name: $0) }
    }
  }()

  private static let association = Section<Program.Association>(
    "association",
    [
      Key("event", \.event, .name, required: true, example: "event: run_s1", "The event."),
      Key(
        "to", \.targets, .oneOrMany(.name), required: true, example: "to: [s1, audit]",
        "The events, steps and loops it starts."),
      Key(
        "delay", \.delay, .duration, default: "0", example: "delay: 10s",
        "How long after the event; kept in the database, so that it survives any restart."),
    ])

  private static let associationForm = association.form(.init(event: "", targets: []), keepsIncomplete: false)

  private static let start = Section<Program.Start>(
    "start",
    [
      Key("event", \.event, .name, required: true, example: "event: run_s1", "The event."),
      Key(
        "sequence", \.sequence, .sequence, default: "1", example: "sequence: night",
        "In which sequence: 1 to 64 of A-Z a-z 0-9 _ . : -"),
    ])

  /// A list of events with sequences or bare names; or one.
  private static let startForm: Form<[Program.Start]> = {
    let long = start.form(.init(event: ""), keepsIncomplete: false)
    let either = Form<Program.Start>(
      "an event or a mapping", schema: .anyOf(.scalar, long.schema), table: long.table
    ) { node, path, reader in
      guard case .scalar = node.content else { return long.read(node, path, &reader) }
      return Form<String>.name.read(node, path, &reader).map { Program.Start(event: $0) }
    }
    return .oneOrMany(either)
  }()
}
