import CProcess

/// What to start. Everything is resolved: no expansion happens here.
public struct ProcessRequest: Sendable {
  /// Names the attempt in the journal, such as `RUN/17/3`: 1 to 512 bytes without spaces or control characters.
  public var key: String
  /// The program and its arguments; a program without a slash is looked for in the environment's `PATH`.
  public var arguments: [String]
  /// The whole environment. Only `EVENTOR_TASK_MARK`, by which descendants are found, is added.
  public var environment: [String: String]
  /// Where it runs; nil is the directory in which the keeper was launched.
  public var workingDirectory: String?
  /// The user it runs as; nil is the agent's.
  public var user: String?
  /// Takes its output, appended; its directory must exist (`StepLog.prepare`).
  public var logPath: String
  /// The most address space, in bytes.
  public var memoryLimit: Int64?
  /// The most processor time, in seconds.
  public var cpuSecondsLimit: Int64?
  /// The most cores it may run on; those it has if they are fewer.
  public var coreLimit: Int?
  /// A cgroup that is made for it, in which its processes are, and which goes with the last of them.
  public var cgroup: StepCgroup?
  /// When it must be dead, in microseconds since boot; nil: it is not guarded.
  public var deadlines: GuardDeadlines.Times?
  /// When it must not be started any more, in microseconds since boot; nil: whenever.
  public var startBefore: Int64?

  /// A process of `arguments`.
  public init(
    key: String, arguments: [String], environment: [String: String], workingDirectory: String? = nil,
    user: String? = nil, logPath: String, memoryLimit: Int64? = nil, cpuSecondsLimit: Int64? = nil
  ) {
    self.key = key
    self.arguments = arguments
    self.environment = environment
    self.workingDirectory = workingDirectory
    self.user = user
    self.logPath = logPath
    self.memoryLimit = memoryLimit
    self.cpuSecondsLimit = cpuSecondsLimit
  }
}

extension ProcessRequest {
  /// What keeps it from being written to the keeper, in a sentence.
  var flaw: String? {
    if key.isEmpty || key.utf8.count > 512 || key.utf8.contains(where: { $0 <= 0x20 || $0 == 0x7f }) {
      return
        "the key '\(key)' cannot stand in the journal: it must have 1 to 512 bytes, none a space or control"
    }
    guard let program = arguments.first, !program.isEmpty else {
      return "there is no program to start: the command is empty; give it at least one word"
    }
    if arguments.contains(where: { $0.utf8.contains(0) }) {
      return "an argument of '\(program)' contains a NUL byte, which no program can be given; remove it"
    }
    for (name, value) in environment {
      if name.isEmpty || name.utf8.contains(where: { $0 == 0 || $0 == UInt8(ascii: "=") }) {
        return "the environment has a variable named '\(name)'; a name needs a character and may hold no '='"
      }
      if value.utf8.contains(0) {
        return "the variable '\(name)' contains a NUL byte, which no environment can hold; remove it"
      }
    }
    if logPath.isEmpty || logPath.utf8.contains(0) { return "the path of the log is empty or contains NUL" }
    if let workingDirectory, workingDirectory.isEmpty || workingDirectory.utf8.contains(0) {
      return "the working directory is empty or contains a NUL byte; give a path or leave it out"
    }
    if let memoryLimit, memoryLimit <= 0 {
      return "the memory limit is \(memoryLimit) bytes; it must be above 0"
    }
    if let cpuSecondsLimit, cpuSecondsLimit <= 0 {
      return "the processor limit is \(cpuSecondsLimit) s; it must be above 0"
    }
    if let coreLimit, coreLimit <= 0 { return "the limit is \(coreLimit) cores; it must be above 0" }
    return nil
  }

  /// The request as the keeper reads it, or nil if it is longer than the keeper, and the kernel, would take.
  func encoded(ticket: UInt64, account: UserAccount?) -> [UInt8]? {
    var head = evk_start_request()
    head.ticket = ticket
    head.argument_count = UInt32(arguments.count)
    head.environment_count = UInt32(environment.count + 1 - (environment[TaskMark.name] == nil ? 0 : 1))
    if let memoryLimit {
      head.flags |= EVK_LIMIT_MEMORY.rawValue
      head.memory_limit = UInt64(memoryLimit)
    }
    if let cpuSecondsLimit {
      head.flags |= EVK_LIMIT_CPU.rawValue
      head.cpu_limit = UInt64(cpuSecondsLimit)
    }
    if let coreLimit {
      head.flags |= EVK_LIMIT_CORES.rawValue
      head.cores = UInt32(clamping: coreLimit)
    }
    if let deadlines {
      head.terminate_at = deadlines.terminateAt
      head.kill_at = deadlines.killAt
    }
    // 0 would mean no limit.
    if let startBefore { head.start_before = max(1, startBefore) }
    head.setting_count = UInt32(cgroup?.settings.count ?? 0)
    if let account {
      head.flags |= EVK_CHANGE_USER.rawValue
      head.uid = account.uid
      head.gid = account.gid
      head.group_count = UInt32(account.groups.count)
    }
    var frame = Frame(EVK_START)
    frame.append(head)
    for group in account?.groups ?? [] { frame.append(group) }
    frame.append(string: key)
    frame.append(string: workingDirectory ?? "")
    frame.append(string: logPath)
    frame.append(string: cgroup?.path ?? "")
    for argument in arguments { frame.append(string: argument) }
    // An agent that is itself a step passes its own mark on; this step has another.
    for (name, value) in environment where name != TaskMark.name {
      frame.append(text: name)
      frame.append(text: "=")
      frame.append(string: value)
    }
    frame.append(string: TaskMark.variable(of: ticket))
    for setting in cgroup?.settings ?? [] {
      frame.append(string: setting.file)
      frame.append(string: setting.value)
    }
    return frame.finished()
  }
}

/// The variable by which the processes of a step are found.
enum TaskMark {
  /// Its name.
  static let name = EVK_MARK_NAME

  /// Its value: the ticket as 16 hexadecimal digits.
  static func value(of ticket: UInt64) -> String {
    let digits = String(ticket, radix: 16)
    return String(repeating: "0", count: 16 - digits.utf8.count) + digits
  }

  /// The ticket a value stands for.
  static func ticket(in value: String) -> UInt64? {
    value.utf8.count == 16 ? UInt64(value, radix: 16) : nil
  }

  static func variable(of ticket: UInt64) -> String { "\(name)=\(value(of: ticket))" }
}
