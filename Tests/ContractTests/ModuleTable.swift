/// The table of docs/architecture.md: what each of our targets may import of our own modules, C modules and
/// packages, besides the system's.
enum ModuleTable {
  static let mayImport: [String: Set<String>] = [
    "Model": [],
    "Calendars": [],
    "Engine": ["Model"],
    "Runtime": [],
    "Digest": ["CSodium"],
    "Secrets": ["CSodium"],
    "Database": ["Runtime", "Digest"],
    "Transport": ["Runtime", "Digest", "CSSH2"],
    "Drivers": ["Database", "Runtime", "CSQLite", "CPostgres", "CMySQL"],
    "Storage": ["Model", "Calendars", "Engine", "Database", "Digest"],
    "Workload": ["Database", "Digest"],
    "UpdateLoops": ["Database", "Runtime"],
    "Documents": ["Model", "Calendars", "Digest", "Yams"],
    "Agent": ["Model", "Engine", "Runtime", "Digest", "CProcess", "Logging"],
    "Coordinator": ["Model", "Engine", "Documents", "Secrets", "Transport"],
    "Eventor": ["Model", "Engine", "Runtime", "Database", "Drivers", "Storage", "Agent", "Logging"],
    "EventorCommand": [
      "Model", "Engine", "Storage", "Documents", "Agent", "Coordinator", "CommandSupport", "Eventor",
      "Logging",
      "ArgumentParser",
    ],
    "CommandSupport": [
      "Model", "Engine", "Runtime", "Database", "Drivers", "Storage", "Documents", "Agent", "Coordinator",
      "Secrets", "Logging", "ArgumentParser",
    ],
  ]

  /// Executables put the parts together: every module of ours, but none of C.
  static let composition: Set<String> = Set(mayImport.keys).union(["ArgumentParser", "Logging"])
  static let executables: Set<String> = ["coordinator", "eventor-agent", "eventor-bench", "eventor-examples"]
  /// Our own code in C that an executable may call besides.
  static let inC: [String: Set<String>] = ["eventor-bench": ["CFloor"]]

  static let systemModules: Set<String> = [
    "Foundation", "FoundationEssentials", "Dispatch", "Glibc", "Synchronization",
  ]
  /// Values and decisions have no clock, file or process: not even Foundation.
  static let systemModulesOfPureTargets: [String: Set<String>] = ["Model": [], "Engine": ["Synchronization"]]

  /// What a target may import, or nothing for a target the table doesn't know.
  static func allowed(in target: String) -> Set<String>? {
    let system = systemModulesOfPureTargets[target] ?? systemModules
    if executables.contains(target) { return composition.union(system).union(inC[target] ?? []) }
    return mayImport[target].map { $0.union(system) }
  }
}
