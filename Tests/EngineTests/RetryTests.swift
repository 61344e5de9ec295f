import Engine
import Model
import Testing

@Suite("Retries")
struct RetryTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let testDescription: String
    var attempts = 5
    var delay = 2.0
    var backoff = 1.0
    var maxDelay: Double?
    var jitter = 0.0
    var chance = 0.5
    var after = 1
    let seconds: Double?
  }

  @Test(
    "the pause before the next attempt",
    arguments: [
      Case(testDescription: "the delay", seconds: 2),
      Case(testDescription: "grows by the backoff", backoff: 3, after: 3, seconds: 18),
      Case(testDescription: "up to the longest", backoff: 3, maxDelay: 10, after: 3, seconds: 10),
      Case(testDescription: "also the first", maxDelay: 1, seconds: 1),
      Case(testDescription: "less by chance", jitter: 0.5, chance: 0, seconds: 1),
      Case(testDescription: "more by chance", jitter: 0.5, chance: 1, seconds: 3),
      Case(testDescription: "never negative", jitter: 1, chance: 0, seconds: 0),
      Case(testDescription: "never beyond a year", backoff: 1000, after: 4, seconds: 366 * 86400),
      Case(testDescription: "stays finite", attempts: 5000, backoff: 10, after: 4000, seconds: 366 * 86400),
      Case(testDescription: "the last attempt has none", attempts: 3, after: 3, seconds: nil),
      Case(testDescription: "one attempt is no retry", attempts: 1, seconds: nil),
    ])
  func pause(_ example: Case) {
    var retry = Program.Retry(attempts: example.attempts)
    retry.delay = TimeSpan(seconds: example.delay)
    retry.backoff = example.backoff
    retry.maxDelay = example.maxDelay.map { TimeSpan(seconds: $0) }
    retry.jitter = example.jitter
    #expect(
      retry.delay(after: example.after, Outcome(.failure), chance: example.chance)?.seconds == example.seconds
    )
  }

  struct End: Sendable, CustomTestStringConvertible {
    let testDescription: String
    var status = TaskStatus.failure
    var code: Int?
    var signal: String?
    var timedOut = false
    var on: [Program.Retry.Condition] = []
    var notOn: [Program.Retry.Condition] = []
    let isRetried: Bool
  }

  @Test(
    "which ends are tried again",
    arguments: [
      End(testDescription: "a success is not", status: .success, isRetried: false),
      End(testDescription: "a cancelled one is not", status: .cancelled, isRetried: false),
      End(testDescription: "any failure is, when nothing is said", code: 1, isRetried: true),
      End(testDescription: "a named code", code: 75, on: [.exit(75), .signal], isRetried: true),
      End(testDescription: "another code", code: 1, on: [.exit(75), .signal], isRetried: false),
      End(testDescription: "a signal", signal: "SIGSEGV", on: [.signal], isRetried: true),
      End(
        testDescription: "a timeout is no signal", signal: "SIGTERM", timedOut: true, on: [.signal],
        isRetried: false),
      End(testDescription: "a timeout", signal: "SIGKILL", timedOut: true, on: [.timeout], isRetried: true),
      End(
        testDescription: "a timeout is no exit code", code: 0, timedOut: true, on: [.exit(0)],
        isRetried: false),
      End(testDescription: "an excluded code", code: 2, notOn: [.exit(2)], isRetried: false),
      End(
        testDescription: "excluded wins over included", code: 2, on: [.exit(2)], notOn: [.exit(2)],
        isRetried: false),
      End(testDescription: "what could not start, when nothing is said", isRetried: true),
      End(testDescription: "what could not start, when codes are", on: [.exit(1)], isRetried: false),
    ])
  func conditions(_ end: End) {
    var retry = Program.Retry(attempts: 2)
    (retry.onExit, retry.notOnExit) = (end.on, end.notOn)
    var outcome = Outcome(end.status)
    (outcome.exitCode, outcome.signal, outcome.timedOut) = (end.code, end.signal, end.timedOut)
    #expect((retry.delay(after: 1, outcome, chance: 0) != nil) == end.isRetried)
  }

  @Test("a failed attempt waits, is tried again, and raises nothing until the last")
  func inARun() throws {
    let run = try MemoryRun(
      "events: {bad: {}}\nsteps: {s: {retry: {attempts: 2, delay: 30s}, triggers: {failure: bad}}, mend: {on: bad}}"
    )
    try run.end("s/1", as: .failure)
    #expect(run.waiting == ["s/1"])
    #expect(run.events.isEmpty)
    #expect(try run.fact("s/1").attempt == 2)
    try run.pass(30)
    try run.end("s/1", as: .failure)
    #expect(run.events == ["bad/1"])
    #expect(run.ready == ["mend/1"])
  }

  @Test("a success after a failed attempt is the task's end, and counts its attempts")
  func success() throws {
    let run = try MemoryRun("steps: {s: {retry: {attempts: 3}}, t: {after: s}}")
    try run.end("s/1", as: .failure)
    try run.pass(0)
    try run.end("s/1")
    #expect(run.ready == ["t/1"])
    #expect(try run.fact("s/1").attempt == 2)
  }
}
