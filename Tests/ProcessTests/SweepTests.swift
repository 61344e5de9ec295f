import Foundation
import Glibc
import Testing

@testable import Agent

@Suite("An agent that starts clears up after those that are gone", .timeLimit(.minutes(2)))
struct SweepTests {
  private func make(_ path: String, age: Int = 0) throws {
    let directory = (path as NSString).deletingLastPathComponent
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    try Data().write(to: URL(fileURLWithPath: path))
    try grow(path, age)
  }

  private func grow(_ path: String, _ age: Int) throws {
    let date = Date(timeIntervalSinceNow: -Double(age))
    try FileManager.default.setAttributes([.modificationDate: date], ofItemAtPath: path)
  }

  private func sweep(
    _ directory: String, except own: String = "", _ belongs: @escaping @Sendable (String) -> Bool
  ) async -> KeeperJournal.Swept {
    let abandoned = await KeeperJournal.abandoned(in: directory, except: own)
    return await KeeperJournal.sweep(directory: directory, abandoned: abandoned, belongs: belongs)
  }

  private func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

  @Test("but leaves what a living agent has, though it knows nothing of its tasks")
  func living() async throws {
    try await World.withDirectory { directory in
      let (journal, said) = ("\(directory)/living.journal", "\(directory)/said")
      let probe = try Probe.start(["run", journal, directory, "echo ready; sleep 1000", "0"], output: said)
      defer { probe.kill() }
      try await until { begins("ready", in: said) }
      let step = try #require(try probe.identities("step", in: said).first)
      try make("\(directory)/files/run/1.1.result", age: 5000)
      let swept = await sweep(directory) { _ in false }
      #expect(swept == KeeperJournal.Swept())
      #expect(LocalProcess.isAlive(step) && exists(journal))
      #expect(exists("\(directory)/files/run/1.1.result"))
      LocalProcess.signal(step, SIGKILL)
    }
  }

  @Test("leaving what it will go on with, ending what nobody will")
  func taken() async throws {
    try await World.withDirectory { directory in
      let (journal, said) = ("\(directory)/dead.journal", "\(directory)/said")
      for index in 0..<3 { try #require(mkfifo("\(directory)/go.\(index)", 0o600) == 0) }
      let probe = try Probe.start(["hold", journal, directory, "3"], output: said)
      try await until { begins("ready", in: said) }
      let steps = try probe.identities("step", in: said)
      let keeper = try #require(try probe.identities("keeper", in: said).first)
      probe.kill()
      await tell("\(directory)/go.2")
      try await until { (try? KeeperJournal.read(journal).last?.state.isFinal) == true }
      // One is to be gone on with; of two nobody knows anything, of which one has ended meanwhile.
      var swept = await sweep(directory) { $0 == "run/0/1" }
      #expect(swept == KeeperJournal.Swept(journals: 0, steps: 1, files: 0))
      try await until { !LocalProcess.isAlive(steps[1]) }
      #expect(LocalProcess.isAlive(steps[0]))
      #expect(try KeeperJournal.read(journal).map(\.key) == ["run/0/1", "run/1/1"])
      // The keeper is gone when its last step is; the journal stays as long as an end in it is of use.
      await tell("\(directory)/go.0")
      try await until { !LocalProcess.isAlive(keeper) }
      swept = await sweep(directory) { _ in true }
      #expect(swept == KeeperJournal.Swept() && exists(journal))
      swept = await sweep(directory, except: journal) { _ in false }
      #expect(swept == KeeperJournal.Swept() && exists(journal))
      swept = await sweep(directory) { _ in false }
      #expect(swept == KeeperJournal.Swept(journals: 1, steps: 0, files: 0) && !exists(journal))
    }
  }

  @Test("removing files of steps that are in no journal, if they are old enough to be nobody's")
  func files() async throws {
    try await World.withDirectory { directory in
      let files = "\(directory)/files"
      try make("\(files)/gone/1.1.result", age: 700)
      try make("\(files)/gone/1.1.triggers", age: 700)
      try grow("\(files)/gone", 700)
      try make("\(files)/mixed/1.1.result", age: 700)
      try make("\(files)/mixed/2.1.result", age: 700)
      try make("\(files)/mixed/3.1.result")
      try make("\(files)/mixed/something-else", age: 700)
      try Data("A mixed/2/1 9\nS mixed/2/1 9 1 1 another-boot\n".utf8)
        .write(to: URL(fileURLWithPath: "\(directory)/a.journal"))
      try make("\(directory)/b.journal.new", age: 700)
      let swept = await sweep(directory) { $0 == "mixed/2/1" }
      #expect(swept == KeeperJournal.Swept(journals: 0, steps: 0, files: 3))
      #expect(
        try FileManager.default.contentsOfDirectory(atPath: files + "/mixed").sorted()
          == ["2.1.result", "3.1.result", "something-else"])
      // A directory from which something was just removed is new; the next sweep takes it.
      try grow(files + "/gone", 700)
      _ = await sweep(directory) { $0 == "mixed/2/1" }
      #expect(!exists(files + "/gone") && exists("\(directory)/a.journal"))
      #expect(!exists("\(directory)/b.journal.new"))
      // After a restart of the host nothing of it can run.
      let last = await sweep(directory) { _ in false }
      #expect(last.journals == 1)
    }
  }
}
