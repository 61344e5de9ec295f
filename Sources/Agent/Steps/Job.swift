import Engine
import Foundation
import Glibc
import Model

/// One attempt of a task made ready for the keeper, and what its end means.
struct Job: Sendable {
  let key: TaskKey
  let files: StepFiles
  let logPath: String
  /// What is started; nil for a step that does nothing.
  let request: ProcessRequest?
  /// What is started before it, if the step has a precondition.
  let precondition: ProcessRequest?
  /// The function it is, if it is one.
  let function: Program.FunctionCall?
  private let plan: Plan
  private let secrets: [String]
  /// Why nothing it wrote may be passed on; nil: it may, with its secrets masked.
  private let withholds: String?

  /// Why a task can't even be tried, in a sentence.
  struct Failure: Error {
    let message: String
  }

  /// Fills in the templates, and makes the step's files and the directory of its log unless an earlier agent has.
  init(
    _ claim: Claim, _ context: RunContext, _ step: Program.Step, _ key: TaskKey,
    places: ProcessExecutor.Places, cgroups: CgroupTree?,
    inherited: [String: String], secrets: [String: String], isNew: Bool = true, withholds: String? = nil
  ) throws(Failure) {
    self.key = key
    plan = context.plan
    self.secrets = secrets.values.filter { !$0.isEmpty }
    self.withholds = withholds
    let files = StepFiles(of: key, in: places.files)
    self.files = files
    if case .function(let call) = step.action { function = call } else { function = nil }
    let environment = StepEnvironment(claim: claim, context: context, step: step, secrets: secrets)
    do {
      let log = try StepLog.path(
        in: places.logs, run: context.run, step: claim.task.step, sequence: claim.task.sequence.text,
        recovery: claim.recovery, attempt: claim.task.attempt)
      let user = try step.user.map { try environment.fill($0) }
      if isNew {
        try StepLog.prepare(log)
        var told = function.map { FunctionContext(claim, $0, in: context) }
        told?.files = files.functionFiles
        let isNamed = plan.steps[step.name]?.namesFiles == true
        try files.make(for: user, isShared: plan.hasUsers, isNamed: isNamed, function: told)
      }
      let variables = try environment.variables(inherited: inherited, files: files, user: user)
      let directory = try step.workingDirectory.map { try environment.fill($0) }
      func request(_ arguments: [String], _ name: String) -> ProcessRequest {
        var request = ProcessRequest(
          key: name, arguments: arguments, environment: variables, workingDirectory: directory, user: user,
          logPath: log)
        if let limits = step.limits { request.limit(to: limits, in: cgroups) }
        return request
      }
      let arguments: [String]? =
        switch step.action {
        case .empty: nil
        case .run(let words): try words.map { try environment.fill($0) }
        case .shell(let line): ["/bin/sh", "-c", try environment.fill(line)]
        case .function(let call):
          // A step that runs already needs no program any more.
          isNew
            ? [try ProgramFile.path(for: call, own: places.program), FunctionContext.option, files.context]
            : nil
        }
      let before = try step.precondition.map { try $0.map { try environment.fill($0) } }
      logPath = log
      self.request = arguments.map { request($0, key.text) }
      precondition = before.map { request($0, key.text + "/precondition") }
    } catch let failure as Failure {
      throw failure
    } catch let missing as Template.MissingValue {
      throw Failure(message: "can't be started: \(missing)")
    } catch let failure as StepFiles.Failure {
      throw Failure(message: failure.message)
    } catch {
      throw Failure(message: "\(error)")
    }
  }

  /// What may be shown of a text that it wrote; nil: nothing.
  @Sendable func shown(_ text: String) -> String? { withholds == nil ? Masking.mask(text, secrets) : nil }

  /// What the end of its process means for the task.
  func outcome(of end: ProcessEnd, stop: (reason: String, isTimeout: Bool)?) -> Outcome {
    var outcome = Outcome(.failure)
    switch end.cause {
    case .exited(let code):
      outcome.exitCode = Int(code)
      outcome.status = code == 0 ? .success : .failure
    case .signalled(let number):
      outcome.signal = Signal.name(number)
      outcome.message =
        "ended by \(Signal.name(number))" + (end.dumpedCore ? ", core dumped" : "")
        + (end.ranOutOfMemory ? ": its processes used more than limits.memory" : "")
    case .notStarted(let why), .lost(let why): outcome.message = why
    }
    if let stop, stop.isTimeout {
      outcome.status = .failure
      outcome.timedOut = true
      outcome.message = stop.reason
    } else if let stop {
      // It was told to stop: whatever it made of that, it is not a success to go on from.
      outcome.status = .cancelled
      outcome.message = stop.reason
    } else if end.wasCutOff, case .notStarted(let why) = end.cause {
      outcome.status = .cancelled
      outcome.message = why
    } else if end.wasCutOff {
      outcome.status = .cancelled
      outcome.message = "ended because its agent could not reach the store (on_cut_off: stop)"
    }
    outcome.wasCutOff = end.wasCutOff
    if function != nil, outcome.status == .failure, outcome.message == nil, withholds == nil {
      outcome.message = files.readFailure()
    }
    if end.outOfReach > 0 {
      let left = "\(end.outOfReach) of its processes belong to another user and could not be ended"
      outcome.message = outcome.message.map { "\($0); \(left)" } ?? left
    }
    outcome.maxResidentKiB = end.maxResidentKiB > 0 ? Int(end.maxResidentKiB) : nil
    outcome.cpuMicroseconds = end.userMicroseconds + end.systemMicroseconds
    read(into: &outcome)
    return outcome
  }

  private func read(into outcome: inout Outcome) {
    if outcome.status != .cancelled {
      do {
        outcome.result = try files.readResult()
        outcome.fileTriggers = try files.readTriggers(of: plan)
      } catch {
        outcome.status = .failure
        outcome.message = error.message
        outcome.fileTriggers = []
      }
    }
    if !secrets.isEmpty { Masking.mask(file: logPath, secrets) }
    outcome.logPath = logPath
    if let withholds {
      if outcome.result != nil { outcome.result = .string("***") }
      outcome.message = [outcome.message, "what it wrote is not shown: \(withholds)"].compactMap { $0 }
        .joined(separator: "; ")
      return
    }
    if let tail = try? StepLog.tail(of: logPath), tail.totalBytes > 0 {
      outcome.tail = Outcome.Tail(text: tail.text, totalBytes: tail.totalBytes)
    }
    outcome.hide(secrets)
  }
}

extension ProcessRequest {
  /// Bounds what its processes may use: together in a cgroup if there is one for it, else each by itself.
  fileprivate mutating func limit(to limits: Program.Limits, in cgroups: CgroupTree?) {
    cgroup = cgroups?.cgroup(for: key, memory: limits.memory, cores: limits.cpu)
    if cgroups?.controllers.contains("memory") != true { memoryLimit = limits.memory }
    if let cores = limits.cpu, cgroups?.controllers.contains("cpu") != true {
      coreLimit = max(1, Int(cores.rounded(.up)))
    }
  }
}

/// Names of signals, as `kill -l` has them.
public enum Signal {
  private static let names: [Int32: String] = [
    SIGHUP: "SIGHUP", SIGINT: "SIGINT", SIGQUIT: "SIGQUIT", SIGILL: "SIGILL", SIGTRAP: "SIGTRAP",
    SIGABRT: "SIGABRT", SIGBUS: "SIGBUS", SIGFPE: "SIGFPE", SIGKILL: "SIGKILL", SIGUSR1: "SIGUSR1",
    SIGSEGV: "SIGSEGV", SIGUSR2: "SIGUSR2", SIGPIPE: "SIGPIPE", SIGALRM: "SIGALRM", SIGTERM: "SIGTERM",
    SIGXCPU: "SIGXCPU", SIGXFSZ: "SIGXFSZ", SIGSYS: "SIGSYS", SIGVTALRM: "SIGVTALRM", SIGPROF: "SIGPROF",
  ]

  /// The name of signal `number`, such as `SIGKILL`; `SIG` and the number for one without a common name.
  public static func name(_ number: Int32) -> String { names[number] ?? "SIG\(number)" }
}
