/// Numbers in their ranges, durations, hosts and commands.
extension Validation {
  /// The highest priority of a step, and, negated, the lowest.
  private static let highestPriority = 1_000_000
  /// The kernel takes no quota under 1 ms of 100 ms.
  private static let leastCores = 0.01
  private static let mostCores = 100_000.0

  mutating func checkConfig() {
    let config = program.config
    notNegative(config.maxConcurrent, "config.max_concurrent")
    positive(config.timeout, "config.timeout")
    positive(config.queueTimeout, "config.queue_timeout")
    if let host = config.defaultHost { checkHost(host, at: "config.default_host") }
    if !isVariable(config.environmentPrefix) && !config.environmentPrefix.isEmpty {
      error(
        "config.env_prefix", "'\(config.environmentPrefix)' can't begin the name of an environment variable")
    }
  }

  mutating func checkGroups() {
    for group in program.groups {
      let path = "groups.\(group.name)"
      if group.hosts.isEmpty, group.match?.isEmpty ?? true {
        error(path + ".hosts", "group '\(group.name)' has no hosts; name some, or labels under 'match'")
      }
      for label in (group.match ?? [:]).keys.sorted() where !Name.isValid(label) {
        error("\(path).match.\(label)", "'\(label)' can't be a label; use 1 to 128 of A-Z a-z 0-9 _ . -")
      }
      for (position, host) in group.hosts.enumerated() { checkHost(host, at: path + ".hosts[\(position)]") }
      notNegative(group.maxConcurrent, path + ".max_concurrent")
      positive(group.timeout, path + ".timeout")
      checkEnvironment(group.environment, at: path + ".env")
      checkText(group.workingDirectory, at: path + ".cwd")
      checkText(group.user, at: path + ".user")
    }
  }

  mutating func checkResources() {
    for resource in program.resources {
      let path = "resources.\(resource.name)"
      if resource.capacity < 1 {
        error(path + ".capacity", "'capacity' must be at least 1, not \(resource.capacity)")
      }
      if let sensor = resource.sensor { checkWords(sensor, at: path + ".sensor") }
      positive(resource.every, path + ".every")
      if resource.every != nil, resource.sensor == nil {
        error(path + ".every", "'every' has a meaning only beside 'sensor'")
      }
    }
  }

  mutating func check(_ step: Program.Step) {
    let path = "steps.\(step.name)"
    if let host = step.host { checkHost(host, at: path + ".host") }
    checkCommand(step.action, at: path)
    if let precondition = step.precondition { checkWords(precondition, at: path + ".precondition") }
    checkEnvironment(step.environment, at: path + ".env")
    checkText(step.workingDirectory, at: path + ".cwd")
    checkText(step.user, at: path + ".user")
    positive(step.timeout, path + ".timeout")
    notNegative(step.killAfter, path + ".kill_after")
    if let retry = step.retry { check(retry, at: path + ".retry") }
    if step.retry?.elsewhere == true, step.group == nil || step.host != nil {
      warn(path + ".retry.elsewhere", "step '\(step.name)' is in no group: there is nowhere else to go")
    }
    notNegative(step.maxLost, path + ".max_lost")
    if let forEach = step.forEach { notNegative(forEach.atOnce, path + ".at_once") }
    if let memory = step.limits?.memory, memory < 1 {
      error(path + ".limits.memory", "'memory' must be more than nothing")
    }
    if let cpu = step.limits?.cpu, !(cpu >= Self.leastCores && cpu <= Self.mostCores) {
      error(path + ".limits.cpu", "'cpu' must be from 0.01 to 100000 cores")
    }
    if !(-Self.highestPriority...Self.highestPriority).contains(step.priority) {
      error(path + ".priority", "'priority' must be from -\(Self.highestPriority) to \(Self.highestPriority)")
    }
    if !step.triggers.skipped.isEmpty, step.precondition == nil {
      warn(path + ".triggers.skipped", "step '\(step.name)' has no precondition: it is never skipped")
    }
  }

  mutating func check(_ loop: Program.Loop) {
    let path = "loops.\(loop.name)"
    notNegative(loop.maxConcurrent, path + ".max_concurrent")
    if loop.start.isEmpty {
      error(path + ".start", "loop '\(loop.name)' starts nothing; name events under 'start'")
    }
    if !loop.triggers.skipped.isEmpty { warn(path + ".triggers.skipped", "a loop is never skipped") }
  }

  private mutating func check(_ retry: Program.Retry, at path: String) {
    if retry.attempts < 1 {
      error(path + ".attempts", "'attempts' must be at least 1, not \(retry.attempts)")
    }
    notNegative(retry.delay, path + ".delay")
    notNegative(retry.maxDelay, path + ".max_delay")
    if !(retry.backoff > 0 && retry.backoff.isFinite) {
      error(path + ".backoff", "'backoff' must be more than 0")
    }
    if !(0...1).contains(retry.jitter) { error(path + ".jitter", "'jitter' must be from 0 to 1") }
    for (key, conditions) in [("on_exit", retry.onExit), ("not_on_exit", retry.notOnExit)] {
      for (position, condition) in conditions.enumerated() {
        guard case .exit(let code) = condition, !(1...255).contains(code) else { continue }
        error("\(path).\(key)[\(position)]", "the exit code of a failure is from 1 to 255, not \(code)")
      }
    }
  }

  private mutating func checkCommand(_ action: Program.Action, at path: String) {
    switch action {
    case .empty: break
    case .run(let words): checkWords(words, at: path + ".run")
    case .shell(let line):
      if line.allSatisfy(\.isWhitespace) { error(path + ".shell", "the command is empty") }
      checkText(line, at: path + ".shell")
    case .function(let call):
      if call.name.isEmpty { error(path + ".function", "the name of the function is empty") }
      if let silence = call.heartbeat, silence <= .zero {
        error(path + ".function.heartbeat", "'heartbeat' must be above 0")
      }
      for (position, name) in call.reads.enumerated() {
        expect(name, "step", in: steps, at: path + ".function.reads[\(position)]")
      }
    }
  }

  private mutating func checkWords(_ words: [String], at path: String) {
    if words.first?.isEmpty ?? true { error(path, "the command is empty") }
    for (position, word) in words.enumerated() where word.utf8.contains(0) {
      error("\(path)[\(position)]", "a command can't hold a NUL character")
    }
  }

  private mutating func checkEnvironment(_ environment: [String: String], at path: String) {
    for (name, value) in environment.sorted(by: { $0.key < $1.key }) {
      if !isVariable(name) {
        error("\(path).\(name)", "'\(name)' can't be the name of an environment variable")
      }
      if value.utf8.contains(0) {
        error("\(path).\(name)", "an environment variable can't hold a NUL character")
      }
    }
  }

  private mutating func checkText(_ text: String?, at path: String) {
    guard let text else { return }
    if text.isEmpty { error(path, "'\(path.lastKey)' is empty") }
    if text.utf8.contains(0) { error(path, "'\(path.lastKey)' can't hold a NUL character") }
  }

  private mutating func checkHost(_ host: String, at path: String) {
    if host.isEmpty {
      error(path, "the name of the host is empty")
    } else if !host.contains("${"), host.contains(where: { $0.isWhitespace || $0 == "\0" || $0 == "/" }) {
      error(path, "'\(host)' is no name of a host")
    }
  }

  private mutating func notNegative(_ number: Int, _ path: String) {
    if number < 0 { error(path, "'\(path.lastKey)' can't be negative") }
  }

  private mutating func notNegative(_ span: TimeSpan?, _ path: String) {
    if let span, span < .zero { error(path, "'\(path.lastKey)' can't be negative") }
  }

  private mutating func positive(_ span: TimeSpan?, _ path: String) {
    if let span, span <= .zero { error(path, "'\(path.lastKey)' must be longer than nothing") }
  }

  private func isVariable(_ name: String) -> Bool {
    guard let first = name.utf8.first, !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) else {
      return false
    }
    return name.utf8.allSatisfy { Name.isLegal($0) && $0 != UInt8(ascii: ".") && $0 != UInt8(ascii: "-") }
  }
}

extension String {
  /// `timeout` of `steps.s1.timeout`.
  fileprivate var lastKey: Substring { split(separator: ".").last ?? "" }
}
