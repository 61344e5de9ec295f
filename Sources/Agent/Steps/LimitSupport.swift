import CProcess
public import Model

/// How `limits` of steps are enforced on this host: in a cgroup where the agent may make one, else by what a process is
/// allowed for itself.
public struct LimitSupport: Sendable {
  /// How a limit is enforced.
  public enum Means: String, Sendable {
    /// By a cgroup: for all processes of the step together.
    case cgroup
    /// By `RLIMIT_AS`: for the address space of each process by itself.
    case addressSpace = "address space of each process"
    /// By leaving the step no more cores, which works for whole ones.
    case wholeCores = "whole cores"
  }

  /// How `limits.memory` is enforced.
  public let memory: Means
  /// How `limits.cpu` is enforced.
  public let cpu: Means
  /// Why there is no cgroup; nil if there is one for both.
  public let reason: String?
  /// The cores this process may use: a step can be left no more.
  public let cores: Int

  init(controllers: Set<String>, reason: String?, cores: Int) {
    memory = controllers.contains("memory") ? .cgroup : .addressSpace
    cpu = controllers.contains("cpu") ? .cgroup : .wholeCores
    let missing = ["memory", "cpu"].filter { !controllers.contains($0) }
    self.reason =
      missing.isEmpty ? nil : reason ?? "no \(missing.joined(separator: " and ")) controller is delegated"
    self.cores = cores
  }

  /// As an agent started like this process would enforce them. Nothing is changed by asking.
  public static var onThisHost: LimitSupport {
    do throws(CgroupTree.Unavailable) {
      return LimitSupport(controllers: try CgroupTree.find().controllers, reason: nil, cores: usableCores)
    } catch {
      return LimitSupport(controllers: [], reason: error.description, cores: usableCores)
    }
  }

  /// Warnings of limits that this host keeps less closely than `program` says.
  public func shortcomings(of program: Program) -> [Problem] {
    program.steps.compactMap { step in
      guard let cores = step.limits?.cpu, cpu == .wholeCores else { return nil }
      let whole = cores.rounded(.up)
      guard whole != cores, cores < Double(self.cores) else { return nil }
      return .warning(
        "steps.\(step.name).limits.cpu",
        "limits.cpu \(cores) is enforced as \(Int(whole)) on this host: a part of a core needs cgroup v2 "
          + "delegation (\(reason ?? "there is none"))")
    }
  }

  private static var usableCores: Int { max(1, Int(evk_usable_cores())) }
}
