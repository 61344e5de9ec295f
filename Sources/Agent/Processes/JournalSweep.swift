import CProcess
import Foundation
import Glibc
import Runtime

/// Clears up after agents of this host that are gone: journals, steps that nobody will go on with, and their files.
struct JournalSweep {
  /// The work directory of an agent: journals, and `files` of steps.
  let directory: String
  /// Journals of agents that were gone before anybody asked what is still of use; the others are left alone.
  let abandoned: Set<String>
  /// Whether an attempt is still of use to somebody.
  let belongs: (String) -> Bool
  /// How old a file of a step must be to be nobody's, in seconds: a living agent makes it just before it starts the step.
  let age: Int

  private var swept = KeeperJournal.Swept()
  /// Attempts whose files stay: of living agents, and those that belong to somebody.
  private var kept: Set<String> = []

  init(directory: String, abandoned: Set<String>, age: Int, belongs: @escaping (String) -> Bool) {
    self.directory = directory
    self.abandoned = abandoned
    self.age = age
    self.belongs = belongs
  }

  /// Does it; blocks while processes end.
  mutating func run() -> KeeperJournal.Swept {
    for path in KeeperJournal.paths(in: directory) { sweep(path) }
    // A journal that was being written anew when its keeper died.
    for name in Self.names(in: directory) where name.hasSuffix(".journal.new") {
      let path = "\(directory)/\(name)"
      if !KeeperJournal.isKeeperAlive(String(path.dropLast(4))), isOld(path) { unlink(path) }
    }
    sweepFiles()
    return swept
  }

  private mutating func sweep(_ path: String) {
    // First whether the keeper lives, then what it wrote: what a dead one has not written never comes.
    let isKept = KeeperJournal.isKeeperAlive(path)
    guard let entries = try? KeeperJournal.read(path) else { return }
    guard abandoned.contains(path) else {
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

  /// The journals of agents that are gone.
  static func abandoned(in directory: String, except own: String) -> Set<String> {
    Set(
      KeeperJournal.paths(in: directory).filter { path in
        let isKept = KeeperJournal.isKeeperAlive(path)
        guard path != own, let contents = try? KeeperJournal.contents(of: path) else { return false }
        return !belongsToLivingAgent(contents.greeting, isKept)
      })
  }

  private static func belongsToLivingAgent(_ greeting: KeeperJournal.Greeting?, _ isKept: Bool) -> Bool {
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

  /// The attempt that a process was started for, as its files are named: `RUN/NUMBER/ATTEMPT`.
  private static func attempt(_ key: String) -> String {
    TaskKey(text: key).map { "\($0.run)/\($0.number)/\($0.attempt)" } ?? key
  }

  static func names(in path: String) -> [String] {
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

  /// The journals in `directory`, whoever writes them.
  static func paths(in directory: String) -> [String] {
    JournalSweep.names(in: directory).filter { $0.hasSuffix(".journal") }.map { "\(directory)/\($0)" }
  }

  /// The journals in `directory` of agents that are gone, other than `own`.
  public static func abandoned(in directory: String, except own: String) async -> Set<String> {
    await onThread { JournalSweep.abandoned(in: directory, except: own) } ?? []
  }

  /// The runs that journals and files in `directory` are about.
  public static func runs(in directory: String) async -> [String] {
    await onThread {
      var runs = Set(JournalSweep.names(in: directory + "/files"))
      for path in paths(in: directory) {
        runs.formUnion(((try? read(path)) ?? []).compactMap { TaskKey(text: $0.key)?.run })
      }
      return runs.sorted()
    } ?? []
  }

  /// Clears up what agents that are gone have left in a work directory: ends steps that nobody will go on with, with all
  /// that carries their marks, and removes journals and files of steps that are of no more use. What living agents have
  /// is not touched.
  ///
  /// It returns when the processes have ended, at most a few seconds for each.
  ///
  /// - Parameters:
  ///   - directory: The work directory, with journals and `files`.
  ///   - abandoned: The journals that ``abandoned(in:except:)`` gave before it was asked what belongs to somebody.
  ///   - belongs: Whether an attempt, `RUN/NUMBER/ATTEMPT`, is still of use: somebody will go on with it, or has its
  ///     end to record.
  public static func sweep(
    directory: String, abandoned: Set<String>, belongs: @escaping @Sendable (String) -> Bool
  ) async -> Swept {
    await sweep(directory: directory, abandoned: abandoned, filesOlderThan: 600, belongs: belongs)
  }

  static func sweep(
    directory: String, abandoned: Set<String>, filesOlderThan age: Int,
    belongs: @escaping @Sendable (String) -> Bool
  ) async -> Swept {
    await onThread {
      var sweep = JournalSweep(directory: directory, abandoned: abandoned, age: age, belongs: belongs)
      return sweep.run()
    } ?? Swept()
  }

  /// Files and processes are waited for on a thread of its own; nil if there can be none.
  private static func onThread<T: Sendable>(_ body: @escaping @Sendable () -> T) async -> T? {
    await withCheckedContinuation { continuation in
      let isStarted = BackgroundThread.start(named: "journal-sweep") {
        continuation.resume(returning: body())
      }
      if !isStarted { continuation.resume(returning: nil) }
    }
  }
}
