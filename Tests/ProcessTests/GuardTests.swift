import CProcess
import Foundation
import Glibc
import Synchronization
import Testing

@testable import Agent

@Suite("A guarded step", .timeLimit(.minutes(5)))
struct GuardTests {
  private func times(_ terminate: Int64, _ kill: Int64) -> GuardDeadlines.Times {
    let now = LocalClock.sinceBoot
    return .init(terminateAt: now + terminate * 1000, killAt: now + kill * 1000)
  }

  private let stubborn = "trap 'echo told' TERM; while :; do sleep 0.05; done"

  @Test("is told to end at one time and killed at the other, and both the agent and the journal are told why")
  func deadlines() async throws {
    try await World.with { world in
      var request = world.sh(stubborn)
      let deadlines = times(2_000, 3_000)
      request.deadlines = deadlines
      let step = try await world.start(request)
      let end = await step.end.value
      #expect(end.cause == .signalled(SIGKILL))
      #expect(end.wasCutOff)
      #expect(LocalClock.sinceBoot >= deadlines.killAt)
      #expect(try world.output().contains("told"))
      let entry = try #require(try KeeperJournal.read(world.journal).first)
      #expect(entry.wasCutOff)
      guard case .ended(let written) = entry.state else { throw SurvivalTests.Unexpected("\(entry.state)") }
      #expect(written.wasCutOff && written.cause == end.cause)
      // What ends by SIGTERM is cut off as well.
      request = world.request(["sleep", "1000"])
      request.deadlines = times(2_000, 60_000)
      let second = await world.keeper.run(request)
      #expect(second.cause == .signalled(SIGTERM) && second.wasCutOff)
    }
  }

  @Test("goes on as long as its deadlines are put off, and is not guarded any more when they are taken away")
  func putOff() async throws {
    try await World.with { world in
      var request = world.request(["sleep", "1000"])
      request.deadlines = times(4_000, 4_200)
      let left = try await world.start(request)
      let putOff = try await world.start(request)
      let freed = try await world.start(request)
      world.keeper.guard([
        .init(ticket: putOff.handle.ticket, times(600_000, 600_000)), .init(ticket: freed.handle.ticket, nil),
        .init(ticket: 7, times(0, 0)),
      ])
      #expect(await left.end.value.wasCutOff)
      #expect(LocalProcess.isAlive(putOff.handle.identity))
      #expect(LocalProcess.isAlive(freed.handle.identity))
      // Nearer is as good as further away.
      world.keeper.guard([.init(ticket: putOff.handle.ticket, times(0, 1))])
      #expect(await putOff.end.value.wasCutOff)
      world.keeper.stop([freed.handle.ticket], killAt: times(0, 10_000).killAt)
      let end = await freed.end.value
      #expect(end.cause == .signalled(SIGTERM) && !end.wasCutOff)
    }
  }

  @Test("is not begun when its time is over")
  func late() async throws {
    try await World.with { world in
      var request = world.sh("echo ran")
      request.deadlines = times(-1, 1_000)
      let end = await world.keeper.run(request)
      #expect(end.wasCutOff)
      #expect(
        end.sentence
          == "cannot start 'sh': the agent has been without the store for too long; another agent may be about to start it"
      )
      let entries = try KeeperJournal.read(world.journal)
      #expect(entries.isEmpty)
    }
  }

  @Test(
    "is dead though its agent is stopped, or killed, and the keeper leaves after it",
    arguments: [SIGSTOP, SIGKILL])
  func agentStuck(signal: Int32) async throws {
    try await World.withDirectory { directory in
      let (token, journal, said) = (Wild.token(), "\(directory)/journal", "\(directory)/said")
      let script =
        "trap '' TERM; setsid env -i /bin/sh -c 'trap \"\" TERM; sleep 1000; :' \(token) & sleep 1000; : \(token)"
      let probe = try Probe.start(["run", journal, directory, script, "4000"], output: said)
      defer { probe.kill() }
      try await until { begins("ready", in: said) }
      kill(probe.pid, signal)
      let keeper = try #require(try probe.identities("keeper", in: said).first)
      try await until { (try? KeeperJournal.read(journal).first?.state.isFinal) == true }
      #expect(try KeeperJournal.read(journal).first?.wasCutOff == true)
      #expect(Wild.processes(with: token) == [])
      if signal == SIGKILL { try await until { !LocalProcess.isAlive(keeper) } }
    }
  }

  @Test("is dead though its agent does not listen, and others wait to be told of")
  func agentDeaf() async throws {
    try await World.with { world in
      var request = world.request(["sleep", "1000"], log: "guarded")
      request.deadlines = times(4_000, 4_100)
      let step = try await world.start(request)
      let (gate, ended) = (DispatchSemaphore(value: 0), Promise<Void>())
      let count = Atomic(0)
      // More answers than the keeper keeps ready: after those it takes no requests either.
      for _ in 0..<1_000 {
        world.keeper.begin(world.request(["true"])) { _ in
          gate.wait()
          gate.signal()
        } onEnd: { _, _ in
          if count.add(1, ordering: .relaxed).newValue == 1_000 { ended.fulfil(()) }
        }
      }
      try await until { !LocalProcess.isAlive(step.handle.identity) }
      try await until { (try? KeeperJournal.read(world.journal).first?.wasCutOff) == true }
      gate.signal()
      #expect(await step.end.value.wasCutOff)
      await ended.value
    }
  }

  @Test("takes with it what survives its main process, and only then it has ended")
  func survivors() async throws {
    try await World.with { world in
      let token = Wild.token()
      var request = world.sh(
        "setsid env -i /bin/sh -c 'trap \"\" TERM; sleep 1000; :' \(token) & echo ready; wait")
      request.deadlines = times(4_000, 5_000)
      let step = try await world.start(request)
      let end = await step.end.value
      #expect(end.cause == .signalled(SIGTERM) && end.wasCutOff)
      #expect(Wild.processes(with: token) == [])
    }
  }

  @Test("that ended in time was not cut off, and what it left behind is, until its end is recorded")
  func leftovers() async throws {
    try await World.with { world in
      let (kept, ended) = (Wild.token(), Wild.token())
      var request = world.sh("setsid sh -c 'sleep 1000; :' \(kept) & exit 0")
      request.deadlines = times(5_000, 5_200)
      let recorded = try await world.start(request)
      request.arguments = ["sh", "-c", "setsid sh -c 'sleep 1000; :' \(ended) & exit 0"]
      let unrecorded = try await world.start(request)
      for step in [recorded, unrecorded] {
        let end = await step.end.value
        #expect(end.cause == .exited(0) && !end.wasCutOff)
      }
      world.keeper.recorded([recorded.handle.ticket])
      try await until { Wild.processes(with: ended).isEmpty }
      #expect(!Wild.processes(with: kept).isEmpty)
      #expect(try KeeperJournal.read(world.journal).map(\.wasCutOff) == [false])
      await world.keeper.stopAll(prefix: "run/", killAt: LocalClock.sinceBoot)
    }
  }

  @Test("is one of many, whose deadlines come in one request")
  func many() async throws {
    try await World.with { world in
      var steps: [Running] = []
      var request = world.request(["sleep", "1000"])
      request.deadlines = times(600_000, 600_000)
      for _ in 0..<150 { steps.append(try await world.start(request)) }
      let far = times(500_000, 500_000)
      world.keeper.guard(steps.map { .init(ticket: $0.handle.ticket, far) })
      let near = times(0, 5_000)
      world.keeper.guard(steps.map { .init(ticket: $0.handle.ticket, near) })
      for step in steps { #expect(await step.end.value.wasCutOff) }
      try await until { Wild.children(of: world.keeper.identity.pid).isEmpty }
    }
  }

  @Test("of an earlier agent is guarded by its own keeper, which forgets it when it is told to")
  func successor() async throws {
    try await World.withDirectory { directory in
      let (journal, said) = ("\(directory)/journal", "\(directory)/said")
      for index in 0..<2 { try #require(mkfifo("\(directory)/go.\(index)", 0o600) == 0) }
      let probe = try Probe.start(["hold", journal, directory, "2"], output: said)
      try await until { begins("ready", in: said) }
      let keeper = try #require(try probe.identities("keeper", in: said).first)
      let entries = try KeeperJournal.read(journal)
      probe.kill()
      let control = KeeperControl(journal: journal)
      let deadlines = times(0, 100)
      #expect(control.send(KeeperRequests.guard([.init(ticket: entries[0].ticket, deadlines)])))
      try await until { (try? KeeperJournal.read(journal).first?.state.isFinal) == true }
      #expect(try KeeperJournal.read(journal).map(\.wasCutOff) == [true, false])
      // A quit or a start is not for successors; what follows is still understood.
      var frame = Frame(EVK_QUIT)
      frame.append(UInt64(0))
      #expect(control.send([try #require(frame.finished())]))
      #expect(control.send(KeeperRequests.list(EVK_RECORDED, [entries[0].ticket])))
      try await until { (try? KeeperJournal.read(journal).count) == 1 }
      await tell("\(directory)/go.1")
      try await until { !LocalProcess.isAlive(keeper) }
      #expect(!control.send(KeeperRequests.stop([entries[1].ticket], killAt: 1)))
      #expect(!KeeperControl(journal: "\(directory)/none").send([]))
    }
  }
}
