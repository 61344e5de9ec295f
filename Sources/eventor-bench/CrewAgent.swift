import Agent
import ArgumentParser
import CommandSupport
import Database
import Drivers
import Engine
import Foundation
import Glibc
import Logging
import Model
import Runtime
import Storage

/// `eventor-bench crew-agent`: an agent for measurements alone, which takes and ends steps that do nothing as `eventor-agent`
/// does those that have an action, in two transactions. Started by ``AgentCrew``.
struct CrewAgent: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "crew-agent", shouldDisplay: false)

  @Option var instance: String
  @Option var slots: Int
  @Option var directory: String

  func run() async throws {
    guard let text = ProcessInfo.processInfo.environment["EVENTOR_STORE"] else {
      throw ValidationError("EVENTOR_STORE has the store's URL")
    }
    let url = try StoreURL(text)
    let pool = Pool(url: url, driver: Drivers.driver(for: url), size: 5)
    let caller = Drivers.wakeCaller(for: url, pool: nil)
    let store = SQLStore(pool: pool, caller: caller)
    let incarnation = UUID().uuidString
    let identity = AgentIdentity(
      host: Programs.host, instance: instance, incarnation: incarnation, pid: getpid(),
      processStart: LocalProcess.startTime(of: getpid()) ?? 0, bootID: LocalProcess.bootID(), journal: "",
      version: CommandMain.version, isEmbedded: false)
    let number = try await store.enlist(
      identity, as: AgentProfile(capacity: slots, lockFor: TimeSpan(seconds: 30)), isGone: { _ in true })
    var options = HostAgent.Options(host: Programs.host, logs: directory)
    options.passesEmptySteps = false
    let agent = HostAgent(
      store: store, agent: number, executor: NoProcesses(), adopter: nil, probe: nil,
      capacity: Capacity(slots), options: options,
      log: Logger(label: "crew") { _ in SwiftLogNoOpLogHandler() })
    let signals = try Interrupts([SIGTERM, SIGINT]) { _, _ in agent.drain() }
    let listener = Drivers.wakeListener(for: url, name: incarnation)
    listener?.start(onWake: { agent.wake() }, onAddress: { agent.announce($0) })
    let result: Result<HostAgent.Ending, any Error>
    do { result = .success(try await agent.work()) } catch { result = .failure(error) }
    await listener?.stop()
    signals.stop()
    await caller.close()
    await pool.close()
    _ = try result.get()
  }
}
