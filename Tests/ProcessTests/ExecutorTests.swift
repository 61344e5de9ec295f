import Engine
import Foundation
import Glibc
import Model
import Testing

@testable import Agent

@Suite("The executor of steps", .timeLimit(.minutes(5)))
struct ExecutorTests {
  /// An executor with a keeper of its own, and a program of one step.
  private struct Bench {
    let world: World
    let executor: ProcessExecutor
    let context: RunContext

    init(_ world: World, _ shell: String, _ change: (inout Program.Step) -> Void = { _ in }) {
      self.world = world
      executor = ProcessExecutor(
        keeper: world.keeper,
        places: .init(logs: world.directory + "/logs", files: world.directory + "/files"),
        environment: ["PATH": "/usr/bin:/bin"], secrets: [:], credentials: [])
      var program = Program(name: "p")
      var step = Program.Step(name: "s")
      step.action = .shell(shell)
      change(&step)
      program.steps = [step]
      context = RunContext(run: "run", plan: Plan(program), recovery: 0, parameters: [:])
    }

    func claim(_ number: Int64 = 1, fence: Int64 = 1, recovery: Int = 0) -> Claim {
      Claim(
        task: TaskFact(
          number: number, step: "s", sequence: .first, scope: 0, status: .running, dueAt: nil, attempt: 1,
          losses: 0, host: nil, fence: fence), recovery: recovery, fence: fence, loop: nil, results: [:])
    }

    func key(_ number: Int64 = 1) -> TaskKey { TaskKey(claim(number), in: "run") }

    func begin(_ number: Int64 = 1, trustedFor milliseconds: Int64? = nil) -> Promise<Outcome> {
      let end = Promise<Outcome>()
      if let milliseconds {
        let until = LocalClock.sinceBoot + milliseconds * 1000
        executor.begin(claim(number), in: context, trustedUntil: until) { end.fulfil($0) }
      } else {
        executor.begin(claim(number), in: context) { end.fulfil($0) }
      }
      return end
    }

    /// Waits for a line in what the step prints.
    func hears(_ line: String, _ number: Int64 = 1) async throws {
      try await until { (try? text(of: log).contains(line)) == true }
    }

    private var log: String { "\(world.directory)/logs/run/s/1.1.log" }
  }

  @Test("ends a step of a group before its lock may run out, and lets one of a host go on")
  func cutOff() async throws {
    try await World.with { world in
      let token = Wild.token()
      let group = Bench(world, "trap '' TERM; sh -c 'sleep 1000; :' \(token) & sleep 1000; : \(token)") {
        $0.group = "builders"
      }
      let host = Bench(world, "sleep 1000") { $0.host = "h" }
      let trustedUntil = LocalClock.sinceBoot + 3_000_000
      let end = group.begin(1, trustedFor: 3_000)
      let other = host.begin(2, trustedFor: 3_000)
      let outcome = await end.value
      #expect(LocalClock.sinceBoot < trustedUntil + 20_000_000)
      #expect(outcome.wasCutOff && outcome.status == .cancelled && outcome.signal == "SIGKILL")
      #expect(
        outcome.message == "ended because its agent could not reach the store (on_cut_off: stop)")
      #expect(Wild.processes(with: token) == [])
      host.executor.extend([host.key(2)], trustedUntil: LocalClock.sinceBoot)
      host.executor.stop([host.key(2)], because: "enough")
      let last = await other.value
      #expect(!last.wasCutOff && last.message == "enough" && last.status == .cancelled)
    }
  }

  @Test("puts the end off as long as the lock is renewed")
  func renewed() async throws {
    try await World.with { world in
      let bench = Bench(world, "read x < \(try world.fifo("go"))") { $0.onCutOff = .stop }
      let renewed = bench.begin(1, trustedFor: 1_000)
      bench.executor.extend([bench.key(1)], trustedUntil: LocalClock.sinceBoot + 600_000_000)
      // Begun later with less trust, it ends first.
      let left = bench.begin(2, trustedFor: 1_500)
      #expect(await left.value.wasCutOff)
      await tell("\(world.directory)/go")
      #expect(await renewed.value.status == .success)
    }
  }

  @Test("guards a precondition, and begins nothing whose lock may have run out")
  func precondition() async throws {
    try await World.with { world in
      let bench = Bench(world, "echo ran") {
        $0.group = "g"
        $0.precondition = ["sleep", "1000"]
      }
      let outcome = await bench.begin(1, trustedFor: 600).value
      #expect(outcome.wasCutOff && outcome.status == .cancelled && !outcome.skipped)
      let late = await Bench(world, "echo ran") { $0.group = "g" }.begin(2, trustedFor: 0).value
      #expect(late.wasCutOff && late.status == .cancelled)
    }
  }

  @Test("gives one that does not say it the trust of the last renewal")
  func lastTrust() async throws {
    try await World.with { world in
      let bench = Bench(world, "sleep 1000") { $0.group = "g" }
      bench.executor.extend([], trustedUntil: LocalClock.sinceBoot + 700_000)
      #expect(await bench.begin().value.wasCutOff)
    }
  }

  @Test("calls a stopped step ended when nothing of it is left, its timeout being one")
  func stopped() async throws {
    try await World.with { world in
      let token = Wild.token()
      let script =
        "setsid env -i /bin/sh -c 'trap \"\" TERM; sleep 1000; :' \(token) & echo ready; sleep 1000"
      let bench = Bench(world, script) { $0.killAfter = TimeSpan(seconds: 0.2) }
      let end = bench.begin()
      try await bench.hears("ready")
      bench.executor.stop([bench.key()], because: "cancelled by somebody")
      let outcome = await end.value
      #expect(outcome.status == .cancelled && outcome.message == "cancelled by somebody")
      #expect(Wild.processes(with: token) == [])
      let timed = Bench(world, script) {
        $0.killAfter = TimeSpan(seconds: 0.2)
        $0.timeout = TimeSpan(seconds: 0.5)
      }
      let late = await timed.begin(2).value
      #expect(late.timedOut && late.status == .failure && late.message == "exceeded its timeout of 0.5s")
      #expect(Wild.processes(with: token) == [])
    }
  }

  @Test("ends what steps of a run have left behind, and nothing of another run")
  func leftovers() async throws {
    try await World.with { world in
      let (token, other) = (Wild.token(), Wild.token())
      let bench = Bench(world, "setsid env -i /bin/sh -c 'sleep 1000; :' \(token) & exit 0")
      #expect(await bench.begin().value.status == .success)
      bench.executor.recorded([bench.key()])
      var request = world.sh("setsid sh -c 'sleep 1000; :' \(other) & exit 0")
      request.key = "run2/1/1"
      #expect(await world.keeper.run(request).cause == .exited(0))
      await bench.executor.endLeftovers(of: "run")
      #expect(Wild.processes(with: token) == [])
      #expect(!Wild.processes(with: other).isEmpty)
      await bench.executor.endLeftovers(of: "run2")
      #expect(Wild.processes(with: other) == [])
    }
  }

  @Test("begins nothing when its lock can't be relied on any more, whatever its on_cut_off is")
  func withheld() async throws {
    try await World.with { world in
      let token = Wild.token()
      let bench = Bench(world, "sleep 1000; : \(token)") { $0.host = "h" }
      let outcome = await bench.begin(trustedFor: -1).value
      #expect(outcome.wasWithheld && outcome.status == .cancelled)
      #expect(outcome.message?.contains("another agent may be about to start it") == true)
      #expect(Wild.processes(with: token) == [])
      // A renewal makes good for what is begun after it.
      let later = Bench(world, "exit 3") { $0.host = "h" }
      let end = await later.begin(2, trustedFor: 600_000).value
      #expect(!end.wasCutOff && end.exitCode == 3)
    }
  }

  @Test(
    "ends what earlier attempts have left running before it starts another, also of an earlier recovery",
    arguments: [(number: 1, recovery: 0), (number: 2, recovery: 1)], [true, false])
  func earlier(next: (number: Int64, recovery: Int), isKept: Bool) async throws {
    try await World.withDirectory { directory in
      let (journal, said, token) = ("\(directory)/a.journal", "\(directory)/said", Wild.token())
      let script =
        "setsid env -i /bin/sh -c 'trap \"\" TERM; sleep 1000; :' \(token) & sleep 1000; : \(token)"
      let probe = try Probe.start(["run", journal, directory, script, "0"], output: said)
      try await until { begins("ready", in: said) }
      let old = try #require(try probe.identities("keeper", in: said).first)
      probe.kill()
      if !isKept {
        LocalProcess.signal(old, SIGKILL)
        try await until { !LocalProcess.isAlive(old) }
      }
      let keeper = try Keeper.launch(journal: "\(directory)/b.journal")
      // It fails if it meets the other; of one that has ended and was not waited for the command line is empty.
      let step = try #require(try probe.identities("step", in: said).first)
      let bench = Bench(
        World(directory: directory, keeper: keeper), "! grep -q . /proc/\(step.pid)/cmdline")
      let end = Promise<Outcome>()
      bench.executor.begin(
        bench.claim(next.number, fence: 2, recovery: next.recovery), in: bench.context,
        onEnd: { end.fulfil($0) })
      let outcome = await end.value
      #expect(outcome.status == .success, "\(outcome)")
      #expect(Wild.processes(with: token) == [])
      await keeper.quit()
    }
  }

  @Test(
    "that goes on with a step counts the time it has run, and reaches it through its keeper or without",
    arguments: [true, false])
  func adopted(isReachable: Bool) async throws {
    try await World.withDirectory { directory in
      let (journal, said, token) = ("\(directory)/a.journal", "\(directory)/said", Wild.token())
      let script = "setsid env -i /bin/sh -c 'trap \"\" TERM; sleep 1000; :' \(token) & sleep 1000"
      let probe = try Probe.start(["run", journal, directory, script, "0"], output: said)
      try await until { begins("ready", in: said) }
      probe.kill()
      let entry = try #require(try KeeperJournal.read(journal).first)
      let began = LocalClock.sinceBoot
      try await until { LocalClock.sinceBoot > began + 1_000_000 }
      let keeper = try Keeper.launch(journal: "\(directory)/b.journal")
      let bench = Bench(World(directory: directory, keeper: keeper), script) {
        $0.killAfter = TimeSpan(seconds: 0.2)
        $0.timeout = TimeSpan(seconds: 1)
      }
      let end = Promise<Outcome>()
      let ended = try bench.executor.adopt(
        bench.claim(), in: bench.context, identity: entry.identity, mark: entry.mark,
        files: directory + "/files", journal: isReachable ? journal : nil, onEnd: { end.fulfil($0) })
      for try await entry in KeeperJournal.follow(journal) {
        guard case .ended(let how) = entry.state else { continue }
        ended(how)
      }
      let outcome = await end.value
      #expect(outcome.timedOut && outcome.message == "exceeded its timeout of 1s")
      #expect(Wild.processes(with: token) == [])
      await keeper.quit()
    }
  }

  @Test("guards a step of an earlier agent, through its keeper or without", arguments: [true, false])
  func adoptedGuard(isReachable: Bool) async throws {
    try await World.withDirectory { directory in
      let (journal, said, token) = ("\(directory)/a.journal", "\(directory)/said", Wild.token())
      let script = "trap '' TERM; sleep 1000; : \(token)"
      let probe = try Probe.start(["run", journal, directory, script, "0"], output: said)
      try await until { begins("ready", in: said) }
      probe.kill()
      let entry = try #require(try KeeperJournal.read(journal).first)
      let keeper = try Keeper.launch(journal: "\(directory)/b.journal")
      let bench = Bench(World(directory: directory, keeper: keeper), script) { $0.group = "g" }
      let end = Promise<Outcome>()
      let ended = try bench.executor.adopt(
        bench.claim(), in: bench.context, identity: entry.identity, mark: entry.mark,
        files: directory + "/files", journal: isReachable ? journal : nil, onEnd: { end.fulfil($0) })
      bench.executor.extend([bench.key()], trustedUntil: LocalClock.sinceBoot + 1_500_000)
      for try await entry in KeeperJournal.follow(journal) {
        guard case .ended(let how) = entry.state else { continue }
        #expect(how.wasCutOff == isReachable)
        ended(how)
      }
      let outcome = await end.value
      #expect(outcome.wasCutOff && outcome.status == .cancelled)
      #expect(Wild.processes(with: token) == [])
      await keeper.quit()
    }
  }

  @Test(
    "reads in a journal what it called an attempt",
    arguments: [("run/17/2", 17, 2, 0), ("run/17/2/precondition", 17, 2, 0), ("run/3/1+r4", 3, 1, 4)])
  func keys(text: String, number: Int64, attempt: Int, recovery: Int) throws {
    let key = try #require(TaskKey(text: text))
    #expect(key.run == "run" && key.number == number)
    #expect(key.attempt == attempt && key.recovery == recovery)
    #expect(text.hasPrefix(key.text))
    #expect(TaskKey(text: "sensor/x/1") == nil && TaskKey(text: "run/1") == nil)
  }

  @Test(
    "trusts in time: told to end and killed before a lock runs out, however short it is",
    arguments: [
      (30_000, 10.0, 18_000, 28_000), (30_000, 1.0, 27_000, 28_000), (3_000, 10.0, 1_700, 2_700),
      (300, 10.0, 50, 150), (60_000, 0.0, 58_000, 58_000), (0, 10.0, 0, 0), (-5_000, 10.0, -5_000, -5_000),
    ])
  func trust(left: Int64, killAfter: Double, terminate: Int64, kill: Int64) {
    let now: Int64 = 1_000_000_000
    let times = Trust.times(
      trustedUntil: now + left * 1000, now: now, killAfter: TimeSpan(seconds: killAfter))
    #expect(times == .init(terminateAt: now + terminate * 1000, killAt: now + kill * 1000))
  }
}
