import Foundation
import Glibc
import Testing

@testable import Agent

@Suite("A step that is stopped is dead: no process, no zombie is left of", .timeLimit(.minutes(30)))
struct StopTests {
  private func soon(_ milliseconds: Int64) -> Int64 { LocalClock.sinceBoot + milliseconds * 1000 }

  @Test("when its agent stops it", arguments: Wild.all)
  func agent(wild: Wild) async throws {
    for _ in 0..<Wild.rounds {
      try await World.with { world in
        let token = Wild.token()
        let step = try await world.start(world.sh(wild.script(token)))
        try await until { begins("ready", in: "\(world.directory)/log") }
        if wild.leaves {
          #expect(await step.end.value.cause == .exited(0))
          #expect(!Wild.processes(with: token).isEmpty)
        }
        world.keeper.stop([step.handle.ticket], killAt: soon(200))
        if wild.leaves {
          await world.keeper.stopAll(prefix: "run/", killAt: soon(200))
        } else {
          let end = await step.end.value
          #expect(end.sentence == nil && !end.wasCutOff && end.outOfReach == 0)
        }
        #expect(Wild.processes(with: token) == [])
        // Its minder goes last.
        try await until { Wild.children(of: world.keeper.identity.pid).isEmpty }
      }
    }
  }

  enum Way: CaseIterable { case successor, processTable, sweep }

  @Test("when the agent is dead and another stops it", arguments: Wild.all, Way.allCases)
  func successor(wild: Wild, way: Way) async throws {
    for _ in 0..<max(1, Wild.rounds / 2) {
      try await World.withDirectory { directory in
        let (token, journal) = (Wild.token(), "\(directory)/a.journal")
        let said = "\(directory)/said"
        let probe = try Probe.start(
          ["run", journal, directory, wild.script(token), "0"], output: said)
        try await until { begins("ready", in: said) }
        try await until { begins("ready", in: "\(directory)/log") }
        let keeper = try #require(try probe.identities("keeper", in: said).first)
        probe.kill()
        let entry = try #require(try KeeperJournal.read(journal).first)
        // What a step that has ended left behind is nobody's business once its agent is gone, but can be found.
        guard !wild.leaves else {
          StrayProcesses(identity: nil, mark: entry.mark).kill()
          #expect(Wild.processes(with: token) == [])
          return
        }
        switch way {
        case .successor:
          let control = KeeperControl(journal: journal)
          #expect(control.send(KeeperRequests.stop([entry.ticket], killAt: soon(200))))
        case .processTable:
          StrayProcesses(identity: entry.identity, mark: entry.mark).end()
        case .sweep:
          let swept = await KeeperJournal.sweep(
            directory: directory, abandoned: KeeperJournal.abandoned(in: directory, except: "")
          ) { _ in false }
          #expect(swept.steps == 1)
        }
        // The keeper waits for the last of them, and leaves.
        try await until { !LocalProcess.isAlive(keeper) }
        guard case .ended? = try KeeperJournal.read(journal).first?.state else {
          Issue.record("it did not end: \(try KeeperJournal.read(journal))")
          return
        }
        try await until { Wild.processes(with: token).isEmpty }
      }
    }
  }

  @Test("though its keeper was killed too")
  func keeperDead() async throws {
    for wild in Wild.all where !wild.leaves {
      // Without a minder and without its mark there is nothing left to know it by.
      if wild.testDescription.contains("minds it") { continue }
      try await World.withDirectory { directory in
        let (token, journal) = (Wild.token(), "\(directory)/a.journal")
        let said = "\(directory)/said"
        let probe = try Probe.start(["run", journal, directory, wild.script(token), "0"], output: said)
        try await until { begins("ready", in: said) }
        try await until { begins("ready", in: "\(directory)/log") }
        let keeper = try #require(try probe.identities("keeper", in: said).first)
        kill(keeper.pid, SIGKILL)
        probe.kill()
        try await until { !LocalProcess.isAlive(keeper) }
        let swept = await KeeperJournal.sweep(
          directory: directory, abandoned: KeeperJournal.abandoned(in: directory, except: "")
        ) { _ in false }
        #expect(swept == KeeperJournal.Swept(journals: 1, steps: 1, files: 0))
        #expect(Wild.processes(with: token) == [], "\(wild.testDescription)")
      }
    }
  }

  @Test("and another step goes on meanwhile")
  func others() async throws {
    try await World.with { world in
      let other = try await world.start(world.request(["sleep", "1000"]))
      var request = world.request(["sleep", "1000"])
      request.key = "run/12/1"
      let like = try await world.start(request)
      let step = try await world.start(world.sh("sleep 1000 & wait"))
      world.keeper.stop([step.handle.ticket], killAt: soon(10_000))
      #expect(await step.end.value.cause == .signalled(SIGTERM))
      #expect(LocalProcess.isAlive(other.handle.identity))
      // A key is a prefix of another only where a part of it ends.
      await world.keeper.stopAll(prefix: "run/1/", killAt: soon(10_000))
      #expect(await other.end.value.cause == .signalled(SIGTERM))
      #expect(LocalProcess.isAlive(like.handle.identity))
      await world.keeper.stopAll(prefix: "nothing", killAt: soon(10_000))
      world.keeper.killTree(like.handle.ticket, SIGKILL)
      #expect(await like.end.value.cause == .signalled(SIGKILL))
    }
  }

  @Test("what it left behind stays when nobody stops it, and is found after its end was recorded")
  func daemon() async throws {
    try await World.with { world in
      let token = Wild.token()
      let step = try await world.start(world.sh("setsid env -i /bin/sh -c 'sleep 1000; :' \(token) & exit 0"))
      #expect(await step.end.value.cause == .exited(0))
      world.keeper.recorded([step.handle.ticket])
      let next = try await world.start(world.request(["true"]))
      #expect(await next.end.value.cause == .exited(0))
      // One that is becoming another program at the moment has no arguments to be known by.
      try await until { Wild.processes(with: token).count >= 1 }
      #expect(try KeeperJournal.read(world.journal).map(\.ticket) == [next.handle.ticket])
      await world.keeper.stopAll(prefix: "run/1/", killAt: soon(10_000))
      #expect(Wild.processes(with: token) == [])
    }
  }

  @Test("what has become another user's is out of reach, and not waited for")
  func otherUser() async throws {
    try #require(geteuid() == 0, "only root can change users")
    try await World.withDirectory { directory in
      let (token, journal, said) = (Wild.token(), "\(directory)/a.journal", "\(directory)/said")
      try #require(chmod(directory, 0o777) == 0)
      // Makes its user root, as sudo does.
      let sudo = "\(directory)/sudo"
      try FileManager.default.copyItem(atPath: "/usr/bin/setpriv", toPath: sudo)
      try #require(chmod(sudo, 0o4755) == 0)
      let script =
        "\(sudo) --reuid=0 --regid=0 --clear-groups /bin/sh -c 'trap \"\" TERM; echo ready; sleep 1000; :' \(token) & wait"
      let probe = try Probe.start(["run", journal, directory, script, "0", "65534"], output: said)
      try await until { begins("ready", in: said) }
      try await until { begins("ready", in: "\(directory)/log") }
      let keeper = try #require(try probe.identities("keeper", in: said).first)
      probe.kill()
      let entry = try #require(try KeeperJournal.read(journal).first)
      let control = KeeperControl(journal: journal)
      #expect(control.send(KeeperRequests.stop([entry.ticket], killAt: soon(100))))
      try await until { !LocalProcess.isAlive(keeper) }
      #expect(try KeeperJournal.read(journal).first?.state.isFinal == true)
      #expect(!Wild.processes(with: token).isEmpty)
      for pid in Wild.processes(with: token) { kill(pid, SIGKILL) }
    }
  }
}
