import Engine
import Model

/// The values of secret parameters, as steps need them: those this process was given, and those that a reference names, which
/// the vault of this host has.
struct StepSecrets: Sendable {
  /// By the parameter's name.
  let values: [String: String]
  /// Opens a secret by its name; nil: there is nobody who can. Blocks.
  let open: (@Sendable (String) throws -> String)?

  /// Whether `step` is given a secret.
  static func isGiven(to step: Program.Step, in context: RunContext) -> Bool {
    !parameters(of: step, in: context).isEmpty
  }

  /// The values that `step` needs. Those of the vault are opened anew for each: what was changed there counts.
  ///
  /// - Throws: ``Job/Failure`` if one can't be had.
  func needed(by step: Program.Step, in context: RunContext) throws(Job.Failure) -> [String: String] {
    let (found, complaint) = stillNeeded(by: step, in: context)
    if let complaint { throw Job.Failure(message: "can't be started: \(complaint)") }
    return found
  }

  /// The same, and why one of them can't be had.
  func stillNeeded(by step: Program.Step, in context: RunContext) -> ([String: String], complaint: String?) {
    var found = values
    for name in Self.parameters(of: step, in: context) where values[name] == nil {
      guard let reference = SecretReference(context.parameters[name]) else { continue }
      guard let open else { return (found, "secret parameter '\(name)': there is no vault here") }
      do {
        found[name] = try open(reference.name)
      } catch {
        return (found, "secret parameter '\(name)': \(error)")
      }
    }
    return (found, nil)
  }

  /// The secret parameters that its environment refers to: they may stand nowhere else.
  private static func parameters(of step: Program.Step, in context: RunContext) -> Set<String> {
    let secret = Set(context.plan.program.parameters.filter(\.secret).map(\.name))
    guard !secret.isEmpty else { return [] }
    return step.environment.values.reduce(into: []) { names, text in
      for case .parameter(let name) in Template(text).references where secret.contains(name) {
        names.insert(name)
      }
    }
  }
}
