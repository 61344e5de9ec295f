import Engine
import Model
import Testing

@Suite("Ends, failures and stops (rules 4, 5 and 11)")
struct EndingTests {
  private let raising = """
    events: {good: {}, bad: {}, over: {}, missed: {}}
    steps: {s: {triggers: {success: [good], failure: [bad], complete: [over], skipped: [missed]}}}
    """

  @Test("success raises its events and those of complete, in that order")
  func success() throws {
    let run = try MemoryRun(raising)
    try run.end("s/1")
    #expect(run.events == ["good/1", "over/1"])
    #expect(run.state.status == .success)
  }

  @Test("failure raises its events and those of complete; such a failure is handled")
  func handledFailure() throws {
    let run = try MemoryRun(raising)
    try run.end("s/1", as: .failure)
    #expect(run.events == ["bad/1", "over/1"])
    #expect(run.state.status == .success)
  }

  @Test("a success without work raises skipped as well")
  func skipped() throws {
    let run = try MemoryRun(raising)
    try run.end("s/1") { $0.skipped = true }
    #expect(run.events == ["good/1", "over/1", "missed/1"])
  }

  @Test("a cancelled task raises nothing")
  func cancelledRaisesNothing() throws {
    let run = try MemoryRun(raising)
    try run.end("s/1", as: .cancelled)
    #expect(run.events.isEmpty)
  }

  @Test("an unhandled failure cancels what is ready or waits, lets the rest finish, and fails the run")
  func stopOnFailure() throws {
    let run = try MemoryRun(
      """
      events: {e: {}, soon: {}}
      associations: [{event: e, to: [later, soon], delay: 1h}]
      steps: {bad: {}, running: {}, ready: {}, later: {}, x: {on: soon}}
      """)
    run.hold("running/1")
    try run.end([("bad/1", .failure)])
    #expect(run.ledger.delays.isEmpty)
    #expect(run.state.isStopped)
    #expect(
      run.statuses == [
        "bad/1": .failure, "later/1": .cancelled, "ready/1": .cancelled, "running/1": .running,
      ])
    try run.finish("running/1", as: .success)
    #expect(run.state.status == .failure)
  }

  @Test("what a running task makes after the stop is cancelled with it, and listed")
  func madeAfterStop() throws {
    let run = try MemoryRun("steps: {bad: {}, slow: {}, next: {after: slow}, last: {after: next}}")
    run.hold("slow/1")
    try run.end([("bad/1", .failure)])
    #expect(run.state.status == .running)
    try run.finish("slow/1", as: .success)
    #expect(run.statuses == ["bad/1": .failure, "slow/1": .success, "next/1": .cancelled])
    #expect(run.state.status == .failure)
  }

  @Test(
    "a success and the failure that stops the run, reported together, leave the success's follower cancelled")
  func endsInOneTransition() throws {
    let run = try MemoryRun("steps: {good: {}, bad: {}, next: {after: good}}")
    try run.end([("good/1", .success), ("bad/1", .failure)])
    #expect(run.statuses == ["good/1": .success, "bad/1": .failure, "next/1": .cancelled])
    #expect(run.state.status == .failure)
  }

  @Test("a task brought forward in the transition that stops the run is cancelled")
  func broughtForwardAndStopped() throws {
    let run = try MemoryRun(
      """
      events: {e: {}, now: {}}
      associations: [{event: e, to: [d], delay: 1h}]
      steps: {good: {triggers: {success: now}}, bad: {}, d: {on: now}}
      """)
    try run.end([("good/1", .success), ("bad/1", .failure)])
    #expect(run.statuses["d/1"] == .cancelled)
    #expect(run.state.status == .failure)
  }

  @Test("a retry decided in the transition that stops the run is the task's end")
  func retriedAndStopped() throws {
    let run = try MemoryRun("steps: {again: {retry: {attempts: 3}}, bad: {}}")
    try run.end([("again/1", .failure), ("bad/1", .failure)])
    #expect(run.statuses == ["again/1": .failure, "bad/1": .failure])
    #expect(run.state.status == .failure)
  }

  @Test("without stop_on_failure the rest of the graph goes on, and the run fails all the same")
  func goesOn() throws {
    let run = try MemoryRun(
      "config: {stop_on_failure: false}\nsteps: {bad: {}, a: {}, b: {after: a}, c: {after: bad}}")
    try run.end([("bad/1", .failure)])
    try run.drain()
    #expect(run.statuses == ["bad/1": .failure, "a/1": .success, "b/1": .success])
    #expect(run.state.status == .failure)
  }

  @Test("a trigger file raises events of the program, in the step's own sequence or another")
  func triggerFile() throws {
    let run = try MemoryRun("events: {e: {external: true}}\nsteps: {s: {}, t: {on: e}}")
    try run.end("s/1") {
      $0.fileTriggers = [
        .init(event: "e", sequence: nil), .init(event: "e", sequence: "7"),
        .init(event: "unknown", sequence: nil),
      ]
    }
    #expect(run.events == ["e/1", "e/7"])
    #expect(run.ready == ["t/1", "t/7"])
  }

  @Test(
    "a failure that raises an event by its trigger file is handled, one that names none of the program's is not"
  )
  func triggerFileHandles() throws {
    let program = "events: {e: {external: true}}\nsteps: {s: {}, t: {on: e}}"
    let handled = try MemoryRun(program)
    try handled.end("s/1", as: .failure) { $0.fileTriggers = [.init(event: "e", sequence: nil)] }
    #expect(handled.ready == ["t/1"])
    let unhandled = try MemoryRun(program)
    try unhandled.end("s/1", as: .failure) { $0.fileTriggers = [.init(event: "nothing", sequence: nil)] }
    #expect(unhandled.state.status == .failure)
  }

  @Test("cancelling stops what has not started, and the run is cancelled when the last running task ends")
  func cancel() throws {
    let run = try MemoryRun("steps: {slow: {}, other: {}, next: {after: slow}}")
    run.hold("slow/1")
    try run.stop(as: .cancelled)
    #expect(run.statuses == ["slow/1": .running, "other/1": .cancelled])
    #expect(run.state.status == .running)
    try run.finish("slow/1", as: .cancelled)
    #expect(run.state.status == .cancelled)
  }

  @Test("a lost task is ready again as often as it may be, and has failed after that")
  func lost() throws {
    let run = try MemoryRun("steps: {s: {max_lost: 2}}")
    for attempt in 2...3 {
      try run.lose("s/1")
      #expect(run.ready == ["s/1"])
      #expect(try run.fact("s/1").attempt == attempt)
    }
    try run.lose("s/1")
    #expect(run.statuses == ["s/1": .failure])
    #expect(run.task("s/1")?.message?.contains("lost 3 times, max_lost is 2") == true)
    #expect(run.state.status == .failure)
  }

  @Test("on_lost: fail makes the first loss a failure")
  func lostForGood() throws {
    let run = try MemoryRun(
      "events: {bad: {}}\nsteps: {s: {on_lost: fail, triggers: {failure: bad}}, mend: {on: bad}}")
    try run.lose("s/1")
    #expect(run.statuses == ["s/1": .failure, "mend/1": .ready])
  }

  @Test("a task lost after the run has stopped is cancelled")
  func lostAfterStop() throws {
    let run = try MemoryRun("steps: {slow: {}, bad: {}}")
    run.hold("slow/1")
    try run.end([("bad/1", .failure)])
    try run.loseHeld("slow/1")
    #expect(run.statuses["slow/1"] == .cancelled)
    #expect(run.state.status == .failure)
  }

  @Test("a task ended by hand releases what follows, without another attempt")
  func mark() throws {
    let run = try MemoryRun("steps: {s: {retry: {attempts: 3}}, t: {after: s}}")
    try run.mark("s/1", as: .success)
    #expect(run.statuses == ["s/1": .success, "t/1": .ready])
    try run.mark("t/1", as: .failure)
    #expect(run.state.status == .failure)
  }

  @Test("a waiting task marked as failed stops the run and leaves nothing behind")
  func markWaiting() throws {
    let run = try MemoryRun(
      "events: {e: {}}\nassociations: [{event: e, to: [s], delay: 1h}]\nsteps: {s: {}, t: {}}")
    try run.mark("s/1", as: .failure)
    #expect(run.statuses == ["s/1": .failure, "t/1": .cancelled])
    #expect(run.state.status == .failure)
  }
}
