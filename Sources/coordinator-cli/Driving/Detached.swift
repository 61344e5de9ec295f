import Agent
import CommandSupport
import Coordinator
import Foundation

/// `run --detach`: a process of its own goes on with the run.
enum Detached {
  /// Starts `coordinator run FILE --continue --run-id ID` in a session of its own and prints the id.
  static func start(
    _ run: String, _ file: String, _ parameters: ParameterOptions, _ running: StepRunningOptions,
    _ storeOptions: StoreOptions, _ open: OpenStore, json: Bool
  ) async throws {
    let configuration = try storeOptions.configuration()
    let directory = running.logDirectory(configuration) + "/" + run
    try Places.make(directory)
    let log = directory + "/coordinator.log"
    var arguments = ["run", file, "--continue", "--run-id", run, "--quiet"]
    for text in parameters.texts where text.contains("=@") { arguments += ["--param", text] }
    arguments += ["--max-concurrent", String(running.slots(configuration))]
    arguments += [
      "--log-dir", running.logDirectory(configuration), "--work-dir", running.workDirectory(configuration),
    ]
    if running.pin { arguments.append("--pin") }
    if let config = storeOptions.config { arguments += ["--config", config] }
    // The store may hold a password: it goes through the environment, which only this user can read.
    var environment = ProcessInfo.processInfo.environment
    if let store = storeOptions.store ?? open.shown { environment["EVENTOR_STORE"] = store }
    environment["NO_COLOR"] = "1"
    // The keeper starts it in a session of its own, and stays until it has ended.
    let keeper = try Keeper.launch(journal: directory + "/coordinator.journal")
    let started = await keeper.start(
      ProcessRequest(
        key: "detached/\(run)", arguments: [try executable()] + arguments, environment: environment,
        workingDirectory: FileManager.default.currentDirectoryPath, logPath: log)
    ) { _, _ in }
    if case .failure(let end) = started, case .notStarted(let why) = end.cause {
      throw CommandFailure(status: .failed, what: "can't start a process in the background", why: why)
    }
    keeper.detach()
    if json {
      Say.out(JSONObject([("run", run), ("log", log)]).document)
    } else {
      Say.line(run)
      Say.aside("its log: \(log)\n")
    }
  }

  private static func executable() throws -> String {
    try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
  }
}
