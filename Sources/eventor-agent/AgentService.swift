import Agent
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
import Synchronization

/// One agent process: an agent for each store, the signals that end or reload it, and what it tells systemd.
struct AgentService {
  private let settings: AgentSettings
  private var log: Logger { settings.log }

  init(_ settings: AgentSettings) { self.settings = settings }

  /// What a signal has asked for.
  private enum Wish: Sendable {
    case none, stop, reload
  }

  func run() async throws {
    let capacity = Capacity(settings.capacity)
    let serving = Mutex<[HostAgent]>([])
    let wish = Mutex(Wish.none)
    let signals = try Interrupts([SIGTERM, SIGINT, SIGHUP]) { [settings] signal, _ in
      let agents = serving.withLock { $0 }
      if signal == SIGHUP {
        guard Reload.isPossible(settings.log) else { return }
        SystemNotifier.tell("RELOADING=1\nMONOTONIC_USEC=\(LocalClock.monotonic)")
        wish.withLock { $0 = .reload }
        for agent in agents { agent.handOver() }
        return
      }
      let isFirst = wish.withLock { wish in
        defer { wish = .stop }
        return wish != .stop
      }
      SystemNotifier.tell("STOPPING=1")
      for agent in agents { isFirst ? agent.drain() : agent.handOver() }
      // Nothing to drain yet: it still waits for its stores.
      if agents.isEmpty { exit(ExitStatus.success.rawValue) }
    }
    var agents: [HostAgent] = []
    for store in AgentSettings.stores {
      let agent = try await open(store, capacity)
      if AgentSettings.stores.count > 1 { capacity.whenFree { agent.wake() } }
      agents.append(agent)
      serving.withLock { $0.append(agent) }
    }
    SystemNotifier.tell("READY=1\nSTATUS=serving \(agents.count) store\(agents.count == 1 ? "" : "s")")
    log.notice(
      "serving",
      metadata: [
        "host": "\(settings.host)", "instance": "\(settings.instance)", "pid": "\(getpid())",
        "capacity": "\(settings.capacity)", "stores": "\(AgentSettings.stores.map(\.url.description))",
      ])
    try await work(agents)
    signals.stop()
    if wish.withLock({ $0 }) == .reload { try Reload.becomeAnew(log) }
  }

  private func work(_ agents: [HostAgent]) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for (agent, store) in zip(agents, AgentSettings.stores) {
        group.addTask {
          let listener = Drivers.wakeListener(for: store.url, name: settings.incarnation)
          listener?.start(onWake: { agent.wake() }, onAddress: { agent.announce($0) })
          let result: Result<HostAgent.Ending, any Error>
          do { result = .success(try await agent.work()) } catch { result = .failure(error) }
          await listener?.stop()
          let ending = try result.get()
          switch ending {
          case .done:
            await store.keeper.quit()
            _ = try KeeperJournal.remove(store.journal)
          case .handedOver(let steps):
            // They go on, and their ends go to the journal.
            log.notice("handed over", metadata: ["running": "\(steps)", "store": "\(store.url)"])
            store.keeper.detach()
          }
        }
      }
      try await group.waitForAll()
    }
  }

  /// Waits for a store that is away, as a node that starts before its database must.
  private func open(_ place: AgentSettings.Store, _ capacity: Capacity) async throws -> HostAgent {
    let pool = Pool(url: place.url, driver: Drivers.driver(for: place.url), size: 5)
    let store = SQLStore(
      pool: pool, caller: Drivers.wakeCaller(for: place.url, pool: nil),
      isGone: { [host = settings.host] in Takeover.isGone($0, on: host) })
    let profile = AgentProfile(
      labels: settings.labels, capacity: settings.capacity, lockFor: settings.lockFor)
    let number: Int64
    if settings.once {
      try await store.migrate()
      number = try await enlist(store, place, profile)
    } else {
      number = try await HostAgent.patiently(log) {
        try await store.migrate()
        return try await enlist(store, place, profile)
      }
    }
    let environment = place.url.withoutPassword(ProcessInfo.processInfo.environment)
    let executor = ProcessExecutor(
      keeper: place.keeper, places: .init(logs: place.logs, files: place.directory + "/files"),
      cgroups: AgentSettings.cgroups, environment: environment, secrets: [:], credentials: [],
      notes: StepNotes(store: store, log: log), openSecret: settings.openSecret)
    var options = HostAgent.Options(host: settings.host, logs: place.logs)
    options.lockFor = settings.lockFor
    options.poll = settings.poll
    options.once = settings.once
    options.grace = settings.grace
    options.retention = settings.retention
    options.journal = place.journal
    return HostAgent(
      store: store, agent: number, executor: executor, adopter: executor,
      probe: SensorProbe(
        keeper: place.keeper, directory: place.directory,
        environment: environment),
      capacity: capacity, options: options, log: log)
  }

  private func enlist(
    _ store: SQLStore, _ place: AgentSettings.Store, _ profile: AgentProfile
  ) async throws -> Int64 {
    let pid = getpid()
    let identity = AgentIdentity(
      host: settings.host, instance: settings.instance, incarnation: settings.incarnation, pid: pid,
      processStart: LocalProcess.startTime(of: pid) ?? 0, bootID: LocalProcess.bootID(),
      journal: place.journal, version: CommandMain.version, isEmbedded: false)
    return try await store.enlist(
      identity, as: profile, isGone: { [host = settings.host] in Takeover.isGone($0, on: host) })
  }
}
