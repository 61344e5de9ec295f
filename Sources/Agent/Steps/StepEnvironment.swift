import Engine
import Glibc
import Model

/// The environment of a step (rule 14), and the templates of its command filled in.
struct StepEnvironment {
  let claim: Claim
  let context: RunContext
  let step: Program.Step
  /// Values of secret parameters, known to this process alone.
  let secrets: [String: String]

  private var prefix: String { context.plan.program.config.environmentPrefix }

  /// `text` with its references replaced.
  func fill(_ text: String) throws(Template.MissingValue) -> String {
    try Template(text).filled { reference in
      switch reference {
      case .parameter(let name): secrets[name].map { .string($0) } ?? context.parameters[name]
      case .result(let step, let path):
        claim.results[step]?.value(at: path.map { $0[...] })
      case .loopItem: claim.loop?.item
      case .loopIndex: claim.loop.map { .integer(Int64($0.index)) }
      }
    }
  }

  /// Everything the step's process sees: what this process has, without credentials, then the step's own variables,
  /// then those that tell it who it is.
  func variables(inherited: [String: String], files: StepFiles, user: String?) throws(Template.MissingValue)
    -> [String: String]
  {
    var variables = inherited
    if let user, let entry = getpwnam(user) {
      variables["USER"] = user
      variables["LOGNAME"] = user
      variables["HOME"] = String(cString: entry.pointee.pw_dir)
      variables["SHELL"] = String(cString: entry.pointee.pw_shell)
    }
    for (name, value) in step.environment { variables[name] = try fill(value) }
    let task = claim.task
    variables[prefix + "STEP_NAME"] = task.step
    variables[prefix + "STEP_SEQUENCE"] = task.sequence.text
    variables[prefix + "STEP_RECOVERY"] = String(claim.recovery)
    variables[prefix + "STEP_ATTEMPT"] = String(task.attempt)
    variables[prefix + "STEP_HOST"] = task.host ?? ""
    variables[prefix + "RUN_ID"] = context.run
    variables[prefix + "PROGRAM_NAME"] = context.plan.program.name
    variables[prefix + "LOGGER_NAME"] = "\(context.plan.program.name).\(task.step)"
    variables[prefix + "RESULT_FILE"] = files.result
    variables[prefix + "TRIGGER_FILE"] = files.triggers
    if let loop = claim.loop {
      variables[prefix + "LOOP_ITEM"] = loop.item.plainText
      variables[prefix + "LOOP_INDEX"] = String(loop.index)
    }
    return variables
  }

  /// The variables of this process that steps may inherit: none that says how to reach a database, none that holds
  /// one of `secrets`, and none of this program's own settings.
  static func inheritable(_ variables: [String: String], without secrets: some Swift.Sequence<String>)
    -> [String: String]
  {
    let hidden = Set(["PGPASSWORD", "PGPASSFILE", "MYSQL_PWD", "NOTIFY_SOCKET"])
    let secrets = secrets.filter { !$0.isEmpty }
    return variables.filter { name, value in
      !hidden.contains(name) && !name.hasPrefix("EVENTOR_")
        && !secrets.contains { value.contains($0) }
    }
  }
}
