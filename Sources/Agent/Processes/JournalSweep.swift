import CProcess
import Foundation
import Glibc
import Runtime

/// Clears up after agents of this host that are gone: journals, steps that nobody will go on with, and their files.
struct JournalSweep {
  /// The work directory of an agent: journals, and `files` of steps.
  let directory: String
  /// The journal of the agent that sweeps.
  let own: String
  /// Whether an attempt is still of use to somebody.
  let belongs: (String) -> Bool
  /// How old a file of a step must be to be nobody's, in seconds: a living agent makes it just before it starts the step.
  let age: Int

  private var swept = KeeperJournal.Swept()
  /// Attempts whose files stay: of living agents, and those that belong to somebody.
  private var kept: Set<String> = []

  init(directory: String, own: String, age: Int, belongs: @escaping (String) -> Bool) {
    self.directory = directory
    self.own = own
    self.age = age
    self.belongs = belongs
  }

  /// Does it; blocks while processes end.
  mutating func run() -> KeeperJournal.Swept {
    let names = Self.names(in: directory)
    for name in names where name.hasSuffix(".journal") { sweep("\(directory)/\(name)") }
    // A journal that was being written anew when its keeper died.
    for name in names where name.hasSuffix(".journal.new") {
      let path = "\(directory)/\(name)"
      if !KeeperJournal.isKeeperAlive(String(path.dropLast(4))), isOld(path) { unlink(path) }
    }
    sweepFiles()
    return swept
  }

  private mutating func sweep(_ path: String) {
    // First whether the keeper lives, then what it wrote: what a dead one has not written never comes.
    let isKept = KeeperJournal.isKeeperAlive(path)
    guard let (entries, greeting) = try? KeeperJournal.contents(of: path) else { return }
    guard path != own, !belongsToLivingAgent(greeting, isKept) else {
      kept.formUnion(entries.map { Self.attempt($0.key) })
      return
    }
    let useless = entries.filter { !belongs(Self.attempt($0.key)) }
    end(useless, of: path, isKept)
    if !isKept, useless.count == entries.count, (try? KeeperJournal.remove(path)) == true {
      swept.journals += 1
    } else {
      kept.formUnion(entries.map { Self.attempt($0.key) }.filter(belongs))
    }
  }

  private func belongsToLivingAgent(_ greeting: KeeperJournal.Greeting?, _ isKept: Bool) -> Bool {
    // A keeper of an earlier version does not say whose it is.
    guard let greeting else { return isKept }
    // An agent that has become another program has the same number, and has let its keeper go.
    guard greeting.agent.pid != getpid() else {
      // It is a child of this process all the same.
      waitpid(greeting.keeper, nil, WNOHANG)
      return false
    }
    return LocalProcess.isAlive(greeting.agent)
  }

  /// Ends what runs of these steps, and lets a living keeper forget the others.
  private mutating func end(_ entries: [KeeperJournal.Entry], of path: String, _ isKept: Bool) {
    let unfinished = entries.filter { !$0.state.isFinal }
    swept.steps += unfinished.count
    guard isKept else {
      for entry in unfinished { StrayProcesses(identity: entry.identity, mark: entry.mark).end() }
      return
    }
    let control = KeeperControl(journal: path)
    let finished = entries.filter(\.state.isFinal).map(\.ticket)
    if !finished.isEmpty { _ = control.send(KeeperRequests.list(EVK_RECORDED, finished)) }
    let killAt = LocalClock.sinceBoot + 2_000_000
    if !unfinished.isEmpty, !control.send(KeeperRequests.stop(unfinished.map(\.ticket), killAt: killAt)) {
      for entry in unfinished { StrayProcesses(identity: entry.identity, mark: entry.mark).end() }
    }
  }

  // MARK: Files of steps

  /// Removes those of attempts that are in no journal any more: their agent died between the record and the removal.
  private mutating func sweepFiles() {
    let files = directory + "/files"
    for run in Self.names(in: files) {
      for name in Self.names(in: "\(files)/\(run)") {
        let path = "\(files)/\(run)/\(name)"
        let words = name.split(separator: ".")
        guard words.count == 3, ["result", "triggers"].contains(words[2]) else { continue }
        let attempt = "\(run)/\(words[0])/\(words[1])"
        if !kept.contains(attempt), !belongs(attempt), isOld(path), unlink(path) == 0 { swept.files += 1 }
      }
      // Refused as long as something is in it; one that was just made is about to be filled.
      if isOld("\(files)/\(run)") { rmdir("\(files)/\(run)") }
    }
  }

  private func isOld(_ path: String) -> Bool {
    var status = stat()
    return lstat(path, &status) == 0 && time(nil) - status.st_mtim.tv_sec >= age
  }

  /// The attempt that a process was started for, as `TaskKey.text` names it.
  private static func attempt(_ key: String) -> String {
    key.split(separator: "/", maxSplits: 3).prefix(3).joined(separator: "/")
  }

  private static func names(in path: String) -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted()
  }
}

extension KeeperJournal {
  /// What a sweep found.
  public struct Swept: Sendable, Hashable {
    /// Journals that were removed.
    public var journals = 0
    /// Steps that still ran, or may have, and were ended.
    public var steps = 0
    /// Files of steps that were removed.
    public var files = 0
    /// Whether there was nothing to clear up.
    public var isNothing: Bool { self == Swept() }
  }

  /// Clears up what agents of this host that are gone have left in a work directory: ends steps that nobody will go on
  /// with, with all that carries their marks, and removes journals and files of steps that are of no more use. What living
  /// agents have is not touched.
  ///
  /// To be called when an agent starts, with what it knows of the store; it returns when the processes have ended, at
  /// most a few seconds for each.
  ///
  /// - Parameters:
  ///   - directory: The work directory, with journals and `files`.
  ///   - own: The journal of the agent that calls.
  ///   - belongs: Whether an attempt, as `TaskKey.text` names it, is still of use: somebody will go on with it, or has its
  ///     end to record. An agent that does not know says yes.
  public static func sweep(
    directory: String, except own: String, belongs: @escaping @Sendable (String) -> Bool
  ) async -> Swept {
    await sweep(directory: directory, except: own, filesOlderThan: 600, belongs: belongs)
  }

  static func sweep(
    directory: String, except own: String, filesOlderThan age: Int,
    belongs: @escaping @Sendable (String) -> Bool
  ) async -> Swept {
    await withCheckedContinuation { continuation in
      let isStarted = BackgroundThread.start(named: "journal-sweep") {
        var sweep = JournalSweep(directory: directory, own: own, age: age, belongs: belongs)
        continuation.resume(returning: sweep.run())
      }
      if !isStarted { continuation.resume(returning: Swept()) }
    }
  }
}
