import Engine
import Model
import Testing

@Suite("Loops (rule 13)")
struct LoopTests {
  private func sites(_ settings: String, extra: String = "") -> String {
    """
    events: {go: {}, over: {}, all: {}, failed: {}, ended: {}}
    steps: {s: {on: go\(extra)}, after_all: {on: all}}
    loops: {l: {over: [a, b, c], start: go, triggers: {success: all, failure: failed, complete: ended}, \(settings)}}
    """
  }

  @Test("iterations come one after the other by default, each in its own sequence")
  func oneByOne() throws {
    let run = try MemoryRun(sites("max_concurrent: 1"))
    #expect(run.ready == ["s/1/1"])
    try run.end("s/1/1")
    #expect(run.ready == ["s/1/2"])
    try run.end("s/1/2")
    try run.end("s/1/3")
    #expect(run.events.suffix(2) == ["all/1", "ended/1"])
    #expect(run.ready == ["after_all/1"])
    let loop = try run.loop("l/1")
    #expect(loop.ended == 3 && loop.failed == 0 && loop.status == .success)
  }

  @Test("as many at once as allowed, all with 0", arguments: [(2, 2), (0, 3), (5, 3)])
  func atOnce(limit: Int, open: Int) throws {
    let run = try MemoryRun(sites("max_concurrent: \(limit)"))
    #expect(run.ready.count == open)
    try run.drain()
    #expect(run.state.status == .success)
    #expect(try run.loop("l/1").ended == 3)
  }

  @Test("an empty loop succeeds at once")
  func empty() throws {
    let run = try MemoryRun(
      "events: {go: {}, all: {}}\nloops: {l: {over: [], start: go, triggers: {success: all}}}\nsteps: {s: {on: all}}"
    )
    #expect(run.ready == ["s/1"])
  }

  @Test("an until event ends the iteration while the rest of it goes on")
  func until() throws {
    let run = try MemoryRun(
      """
      events: {go: {}, enough: {}}
      steps: {quick: {on: go, triggers: {success: enough}}, slow: {on: go}}
      loops: {l: {over: [1, 2], start: go, until: enough}}
      """)
    #expect(run.ready == ["quick/1/1", "slow/1/1"])
    try run.end("quick/1/1")
    #expect(run.ready == ["slow/1/1", "quick/1/2", "slow/1/2"])
    try run.end("quick/1/2")
    #expect(try run.loop("l/1").status == .success)
    #expect(run.state.status == .running)
    try run.end("slow/1/1", "slow/1/2")
    #expect(run.state.status == .success)
  }

  @Test("an iteration whose until event can't come any more is over when nothing of it is left")
  func untilNeverComes() throws {
    let run = try MemoryRun(
      """
      events: {go: {}, enough: {}, other: {}}
      steps: {s: {on: go, triggers: {success: other, failure: enough}}}
      loops: {l: {over: [1, 2], start: go, until: enough}}
      """)
    try run.end("s/1/1")
    #expect(run.ready == ["s/1/2"])
    try run.end("s/1/2", as: .failure)
    #expect(run.state.status == .success)
  }

  @Test("loops nest: iteration 2 of 2 runs in 1/2/2, and the outer one waits for the inner")
  func nested() throws {
    let run = try MemoryRun(
      """
      events: {outer: {}, inner: {}, all: {}}
      steps: {s: {on: inner}, last: {on: all}}
      loops:
        o: {over: {from: 1, to: 2}, start: outer, triggers: {success: all}}
        i: {on: outer, over: {from: 1, to: 2}, start: inner}
      """)
    var order: [String] = []
    while let next = run.ready.first {
      order.append(next)
      try run.end(next)
    }
    #expect(order == ["s/1/1/1", "s/1/1/2", "s/1/2/1", "s/1/2/2", "last/1"])
    #expect(run.state.status == .success)
  }

  @Test(
    "a range holds both its ends, and is empty when they are crossed",
    arguments: [
      ("1", "3", 3), ("-1", "1", 3), ("2", "2", 1), ("2", "1", 0), ("\"${param.n}\"", "\"${param.m}\"", 4),
    ])
  func range(from: String, to: String, count: Int) throws {
    let run = try MemoryRun(
      "parameters: {n: 7, m: 10}\nevents: {go: {}}\nsteps: {s: {on: go}}\n"
        + "loops: {l: {over: {from: \(from), to: \(to)}, max_concurrent: 0, start: go}}",
      parameters: ["n": 7, "m": 10])
    #expect(run.ready.count == count)
  }

  @Test("items may be a parameter, or a part of a result")
  func references() throws {
    let run = try MemoryRun(
      """
      parameters: {l: {type: list, default: [x, y]}}
      events: {go: {}, go2: {}}
      steps: {first: {}, s: {on: go}, t: {on: go2}}
      loops:
        p: {over: "${param.l}", max_concurrent: 0, start: go}
        r: {after: first, over: "${steps.first.result.hosts}", max_concurrent: 0, start: go2}
      """, parameters: ["l": ["x", "y"]])
    #expect(run.ready == ["first/1", "s/1/1", "s/1/2"])
    try run.end("first/1") { $0.result = ["hosts": ["u", "v", "w"]] }
    #expect(run.ready.filter { $0.hasPrefix("t") }.count == 3)
    #expect(try run.loop("r/1").item(2) == "v")
  }

  @Test("a loop over what is no list fails, says so, and fails the run")
  func noList() throws {
    let run = try MemoryRun(
      "parameters: {l: {type: any, default: 5}}\nevents: {go: {}}\nsteps: {s: {on: go}, other: {}}\n"
        + "loops: {l: {over: \"${param.l}\", start: go}}", parameters: ["l": 5])
    #expect(try run.loop("l/1").status == .failure)
    #expect(run.statuses == ["other/1": .cancelled])
    #expect(run.state.status == .failure)
  }

  @Test("an unhandled failure in an iteration fails it, the loop and the run")
  func failedIteration() throws {
    let run = try MemoryRun("config: {stop_on_failure: false}\n" + sites("max_concurrent: 1"))
    try run.end("s/1/1")
    try run.end("s/1/2", as: .failure)
    #expect(run.ready == ["s/1/3"])
    try run.end("s/1/3")
    #expect(try run.loop("l/1").status == .failure)
    #expect(run.events.suffix(2) == ["failed/1", "ended/1"])
    #expect(run.state.status == .failure)
  }

  @Test("a failed inner loop fails the iteration around it")
  func failureGoesOut() throws {
    let run = try MemoryRun(
      """
      config: {stop_on_failure: false}
      events: {outer: {}, inner: {}}
      steps: {s: {on: inner}}
      loops: {o: {over: [1, 2], start: outer}, i: {on: outer, over: [1], start: inner}}
      """)
    try run.end("s/1/1/1", as: .failure)
    try run.end("s/1/2/1")
    let (outer, inner) = (try run.loop("o/1"), try run.loop("i/1/1"))
    #expect(inner.status == .failure && outer.status == .failure && outer.failed == 1)
    #expect(run.state.status == .failure)
  }

  @Test("with stop_on_failure the loop opens no iteration more")
  func stopsInLoop() throws {
    let run = try MemoryRun(sites("max_concurrent: 1"))
    try run.end("s/1/1", as: .failure)
    #expect(run.statuses == ["s/1/1": .failure])
    #expect(try run.loop("l/1").status == .failure)
    #expect(run.state.status == .failure)
  }

  @Test(
    "wait: any is over with the first success, first_failure with the first failure, each opening nothing more"
  )
  func waits() throws {
    let any = try MemoryRun(sites("max_concurrent: 1, wait: any", extra: ", triggers: {complete: over}"))
    try any.end("s/1/1")
    #expect(try any.loop("l/1").status == .success)
    #expect(any.ready == ["after_all/1"])
    let first = try MemoryRun(
      """
      config: {stop_on_failure: false}
      events: {bad: {}}
      steps: {s: {foreach: [1, 2, 3], wait: first_failure, triggers: {failure: bad}}, mend: {on: bad}}
      """)
    try first.end("s/1/1")
    #expect(first.ready == ["s/1/2"])
    try first.end("s/1/2", as: .failure)
    #expect(first.ready == ["mend/1"])
    try first.end("mend/1")
    #expect(first.state.status == .success)
  }

  @Test("wait: any fails only when every iteration has, and answers for those that did")
  func anyOfSome() throws {
    let text = "steps: {s: {foreach: [1, 2], wait: any}, next: {after: s}}"
    let run = try MemoryRun(text)
    try run.end("s/1/1", as: .failure)
    #expect(run.ready == ["s/1/2"])
    try run.end("s/1/2")
    #expect(run.ready == ["next/1"])
    let none = try MemoryRun(text)
    try none.end("s/1/1", as: .failure)
    try none.end("s/1/2", as: .failure)
    #expect(none.state.status == .failure)
  }

  @Test("a foreach that says what its failure raises answers for its tasks")
  func answers() throws {
    let run = try MemoryRun(
      "events: {bad: {}}\nsteps: {s: {foreach: [1, 2], at_once: 2, triggers: {failure: bad}}, mend: {on: bad}}"
    )
    try run.end([("s/1/1", .failure)])
    #expect(run.ready == ["s/1/2"])
    try run.end("s/1/2")
    #expect(run.ready == ["mend/1"])
    try run.end("mend/1")
    #expect(run.state.status == .success)
  }

  @Test("a foreach that says nothing does not: its failed task stops the run")
  func answersNot() throws {
    let run = try MemoryRun("steps: {s: {foreach: [1, 2]}}")
    try run.end("s/1/1", as: .failure)
    #expect(run.state.status == .failure)
    #expect(run.statuses == ["s/1/1": .failure])
  }

  @Test("a long loop is opened in pieces, and every iteration is opened once")
  func growth() throws {
    let total = Transition.iterationsAtOnce * 2 + 7
    let run = try MemoryRun(
      "events: {go: {}}\nsteps: {s: {on: go}}\nloops: {l: {over: {from: 1, to: \(total)}, max_concurrent: 0, start: go}}"
    )
    #expect(run.ready.count == Transition.iterationsAtOnce)
    #expect(run.ledger.openLoops().contains { $0.isGrowing(run.plan) })
    #expect(run.ledger.questions < 10, "it asks for all iterations at once")
    try run.end("s/1/1")
    #expect(run.ready.count == Transition.iterationsAtOnce - 1, "an end is no reason to open more")
    try run.grow()
    #expect(run.ready.count == Transition.iterationsAtOnce * 2 - 1)
    try run.end("s/1/2")
    try run.grow()
    #expect(run.ready.count == total - 2)
    #expect(!run.ledger.openLoops().contains { $0.isGrowing(run.plan) })
  }

  @Test("what is there already in sequences of iterations yet to be opened is not made again")
  func foresight() throws {
    let run = try MemoryRun(
      """
      events: {begin: {external: true}, go: {external: true}, extra: {external: true}, both: {when: go and extra}}
      steps: {open: {}, s: {on: go}, t: {on: both}, u: {on: extra}}
      loops: {l: {over: [1, 2, 3], max_concurrent: 0, start: go, on: begin}}
      """)
    #expect(try run.trigger("go", in: Sequence("1/2")))
    #expect(try run.trigger("extra", in: Sequence("1/3")))
    #expect(run.ready == ["open/1", "s/1/2", "u/1/3"])
    #expect(try run.trigger("begin"))
    #expect(run.ready.sorted() == ["open/1", "s/1/1", "s/1/2", "s/1/3", "t/1/3", "u/1/3"])
  }

  @Test("iterations in which nothing starts are over at once, however many")
  func emptyIterations() throws {
    let run = try MemoryRun(
      "events: {go: {}, all: {}}\nsteps: {s: {on: all}}\n"
        + "loops: {l: {over: {from: 1, to: 1200}, start: go, triggers: {success: all}}}")
    for _ in 0..<3 where try run.loop("l/1").status == .running { try run.grow() }
    #expect(try run.loop("l/1").ended == 1200)
    #expect(run.ready == ["s/1"])
  }

  @Test("an event from outside in an iteration's sequence belongs to it")
  func outsideEvent() throws {
    let run = try MemoryRun(
      """
      events: {go: {}, word: {external: true}}
      steps: {s: {on: go}, t: {on: word}}
      loops: {l: {over: [1, 2], start: go}}
      """)
    try run.trigger("word", in: "1/1")
    try run.end("s/1/1")
    #expect(run.ready == ["t/1/1"])
    try run.end("t/1/1")
    #expect(run.ready == ["s/1/2"])
  }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral,
  ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
  /// Text written in a test.
  init(stringLiteral value: String) { self = .string(value) }
  /// A number written in a test.
  init(integerLiteral value: Int64) { self = .integer(value) }
  /// A list written in a test.
  init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
  /// Named values written in a test.
  init(dictionaryLiteral elements: (String, JSONValue)...) {
    self = .object(Dictionary(uniqueKeysWithValues: elements))
  }
}
