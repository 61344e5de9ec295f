import Foundation
import Glibc
import TestSupport
import Testing

@Suite("Why a task isn't running")
struct WhyTests {
  /// A situation that a running `coordinator run` is brought into, and the reason that is then true of a step.
  struct Situation: Sendable, CustomTestStringConvertible {
    let name: String
    let program: String
    var arguments: [String] = []
    /// The step that is asked about, when this one is in this status.
    let step: String
    var when: (step: String, status: String) = ("hold", "running")
    let code: String
    /// What the message names.
    var says: [String] = []

    var testDescription: String { name }
  }

  private static let hold = #"hold: {shell: "until [ -e go ]; do sleep 0.05; done"}"#

  static let situations: [Situation] = [
    Situation(
      name: "all slots are taken", program: "steps:\n  \(hold)\n  s: {}",
      arguments: ["--max-concurrent", "1"],
      step: "s", code: "slots_full", says: ["hold/1"]),
    Situation(
      name: "the step itself runs", program: "steps:\n  \(hold)", step: "hold", code: "running",
      says: ["hold/1"]),
    Situation(
      name: "the step has ended", program: "steps:\n  \(hold)\n  s: {}", step: "s", when: ("s", "success"),
      code: "ended", says: ["success"]),
    Situation(
      name: "its host is another, and the run is pinned", program: "steps:\n  \(hold)\n  s: {host: far}",
      arguments: ["--pin"], step: "s", code: "no_agent", says: ["far"]),
    Situation(
      name: "its group is elsewhere, and the run is pinned",
      program: "groups: {g: {hosts: [far, away]}}\nsteps:\n  \(hold)\n  s: {group: g}",
      arguments: ["--pin"], step: "s", code: "no_agent", says: ["group g"]),
    Situation(
      name: "a resource is held",
      program: """
        resources: {license: {capacity: 1}}
        steps:
          hold: {priority: 1, acquires: {license: 1}, shell: "until [ -e go ]; do sleep 0.05; done"}
          s: {acquires: {license: 1}}
        """, step: "s", code: "resource_short", says: ["license", "1 of 1", "hold/1"]),
    Situation(
      name: "a resource is kept by what has ended",
      program: """
        resources: {license: {capacity: 1}}
        steps:
          take: {priority: 1, acquires: {license: 1}, releases: {}}
          \(hold)
          give: {after: [take, hold], releases: {license: 1}}
          s: {acquires: {license: 1}}
        """, step: "s", code: "resource_short", says: ["license", "what the run keeps"]),
    Situation(
      name: "the run's limit is reached",
      program: "config: {max_concurrent: 1}\nsteps:\n  \(hold)\n  s: {priority: -1}", step: "s",
      code: "limit_reached",
      says: ["max_concurrent of the run", "1 of 1", "hold/1"]),
    Situation(
      name: "the group's limit is reached",
      program: """
        groups: {g: {hosts: [here], max_concurrent: 1}}
        steps:
          hold: {group: g, shell: "until [ -e go ]; do sleep 0.05; done"}
          s: {group: g, priority: -1}
        """, step: "s", code: "limit_reached", says: ["group g", "hold/1"]),
    Situation(
      name: "an association delays it",
      program: """
        events: {go: {}}
        steps:
          \(hold)
          s: {}
        associations: [{event: go, to: [s], delay: 1h}]
        """, step: "s", code: "delayed", says: ["delayed until"]),
    Situation(
      name: "the event that starts it is delayed",
      program: """
        events: {go: {}, later: {}}
        steps:
          \(hold)
          s: {on: later}
        associations: [{event: go, to: [later], delay: 1h}]
        """, step: "s", code: "event_not_raised", says: ["later"]),
    Situation(
      name: "its next attempt has its time",
      program: """
        steps:
          \(hold)
          s: {run: ["false"], retry: {attempts: 2, delay: 1h}}
        """, step: "s", when: ("s", "waiting"), code: "retry", says: ["attempt 2"]),
    Situation(
      name: "an expression is not true yet",
      program: """
        events: {a: {}, b: {external: true}, c: {external: true}, all: {when: a and (b or c)}}
        steps:
          \(hold)
          first: {triggers: {success: [a]}}
          s: {on: all}
        """, step: "s", when: ("first", "success"), code: "event_not_raised",
      says: ["a and (b or c)", "of which a has been raised"]),
    Situation(
      name: "nobody has raised its event",
      program: """
        events: {by_hand: {external: true}}
        steps:
          \(hold)
          s: {on: by_hand}
        """, step: "s", code: "event_not_raised", says: ["by_hand"]),
    Situation(
      name: "the step before it has not ended", program: "steps:\n  \(hold)\n  s: {after: [hold]}", step: "s",
      code: "event_not_raised", says: ["success of hold"]),
    Situation(
      name: "the run has stopped after a failure",
      program: """
        steps:
          \(hold)
          bad: {run: ["false"]}
          s: {after: [bad]}
        """, step: "s", when: ("bad", "failure"), code: "run_stopped",
      says: ["the success of bad was not raised"]),
  ]

  @Test("the reason is the true one", arguments: situations)
  func reason(situation: Situation) async throws {
    try await World.with(program: "program: p\n" + situation.program + "\n") { world in
      let call = try world.start(["run", world.program, "--run-id", "r", "--quiet"] + situation.arguments)
      try await world.status(until: { report in
        report[situation.when.step]?.status == situation.when.status
          && (report["hold"]?.status == "running")
      })
      var last: Reasons.Reason?
      // A waiting task is looked at by the agent once before it is known what it waits for.
      for _ in 0..<200 where last?.code != situation.code {
        let answer = try await world.run("why", "r", situation.step, "--json")
        #expect(answer.code == 0, "\(answer)")
        last = try answer.decoded(as: Reasons.self).reasons.first
      }
      let reason = try #require(last)
      #expect(reason.code == situation.code, "\(reason)")
      #expect(reason.step == situation.step)
      for text in situation.says { #expect(reason.message.contains(text), "\(reason)") }
      #expect(!reason.mend.isEmpty)
      let text = try await world.run("why", "r", situation.step).stdout
      #expect(text.contains("[\(situation.code)]"))
      #expect(!call.isOver)
      call.signal(SIGKILL)
      _ = await call.answer()
    }
  }

  @Test("a paused run, one that is over, and one whose process was killed")
  func otherStates() async throws {
    let program = """
      program: p
      steps:
        \(Self.hold)
        s: {after: [hold]}
        t: {after: [s], run: ["false"]}
        u: {after: [t]}
      """
    try await World.with(program: program) { world in
      func codes(_ step: String...) async throws -> [String: String] {
        let answer = try await world.start(["why", "r", "--json"] + step).answer()
        return try answer.decoded(as: Reasons.self).codes
      }
      let call = try world.begin("--quiet")
      try await world.status(until: { $0["hold"]?.status == "running" })
      #expect(try await codes() == [:])
      try await world.run("pause", "r")
      try world.write("go", "")
      try await world.status(until: { $0["s"] != nil })
      #expect(try await codes() == ["s": "paused"])
      call.signal(SIGKILL)
      _ = await call.answer()
      #expect(try await codes() == ["s": "paused"])
      try await world.run("resume", "r")
      #expect(try await codes() == ["s": "no_driver"])
      #expect(try await world.run("run", world.program, "--continue", "--run-id", "r").code == 1)
      #expect(try await codes("u") == ["u": "run_over"])
      #expect(try await codes("t") == ["t": "ended"])
      #expect(try await codes() == [:])
      #expect(try await world.run("why", "r").stdout == "nothing waits in run r\n")
      let unknown = try await world.run("why", "r", "hol")
      #expect(unknown.code == 2, "\(unknown)")
      #expect(unknown.stderr.contains("did you mean 'hold'?"))
    }
  }

  @Test("what another run holds is said to be that run's", arguments: TestStore.all)
  func otherRuns(kind: TestStore.Kind) async throws {
    let program = """
      program: p
      resources: {license: {capacity: 1, scope: cluster}}
      steps: {s: {acquires: {license: 1}, shell: "until [ -e go ]; do sleep 0.05; done"}}
      """
    try await World.with(kind, program: program) { world in
      let first = try world.begin("--quiet")
      try await world.status(until: { $0["s"]?.status == "running" })
      let second = try world.start(["run", world.program, "--run-id", "second", "--quiet"])
      let report = try await world.status(of: "second", until: { $0["s"]?.status == "waiting" })
      #expect(report.run.waitingFor.contains { $0.contains("s/1 of run r") })
      let why = try await world.run("why", "second", "--json").decoded(as: Reasons.self)
      #expect(why.codes == ["s": "resource_short"])
      try world.write("go", "")
      #expect(await first.answer().code == 0)
      #expect(await second.answer().code == 0)
    }
  }
}
