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

  /// What is less on this host than the limits of `step` say, in sentences.
  public func shortcomings(of step: Program.Step) -> [(path: String, message: String)] {
    var found: [(path: String, message: String)] = []
    let path = "steps.\(step.name).limits"
    if let cores = step.limits?.cpu, cpu == .wholeCores, cores.rounded(.up) != cores,
      cores < Double(self.cores)
    {
      found.append(
        (
          path + ".cpu",
          "limits.cpu \(cores.formatted) can't be enforced on this host, where it leaves the step "
            + "\(Int(cores.rounded(.up))) whole cores: \(noCgroup)"
        ))
    }
    return found
  }

  private var noCgroup: String { "no cgroup v2 delegation (\(reason ?? "none")), and quotas need one" }

  private static var usableCores: Int { max(1, Int(evk_usable_cores())) }
}

extension Double {
  fileprivate var formatted: String { self == rounded() ? String(Int(self)) : String(self) }
}
