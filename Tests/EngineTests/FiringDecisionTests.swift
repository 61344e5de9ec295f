import Engine
import Model
import Testing

@Suite("What is done with firings that are due (rule 16)")
struct FiringDecisionTests {
  typealias CatchUp = Program.Schedule.CatchUp
  typealias Overlap = Program.Schedule.Overlap

  private func second(_ number: Int64) -> Timestamp { Timestamp(microseconds: number * 1_000_000) }

  /// Firings are due from `first` to `last`, in seconds; it is second 10,000.
  private func decision(
    _ catchUp: CatchUp, _ overlap: Overlap = .skip, first: Int64, last: Int64, formerGoes: Bool = false,
    isWaiting: Bool = false
  ) -> FiringDecision {
    var schedule = Program.Schedule(name: "s", cron: "@daily", event: "e")
    (schedule.catchUp, schedule.overlap) = (catchUp, overlap)
    var facts = FiringDecision.Facts(
      schedule: schedule, first: second(first), last: second(last), now: second(10_000))
    (facts.formerGoes, facts.isWaiting) = (formerGoes, isWaiting)
    return FiringDecision(facts)
  }

  @Test("a firing on time fires, whatever catch_up says", arguments: CatchUp.allCases, Overlap.allCases)
  func onTime(catchUp: CatchUp, overlap: Overlap) {
    for first: Int64 in [9940, 9999, 10_000] {
      #expect(decision(catchUp, overlap, first: first, last: first) == .carryOut(.fire, at: second(first)))
      // The later one's turn is next.
      #expect(decision(catchUp, overlap, first: first, last: 10_000) == .carryOut(.fire, at: second(first)))
    }
  }

  @Test("a missed firing is left out, made up if it is the latest, or made up", arguments: Overlap.allCases)
  func missed(overlap: Overlap) {
    #expect(decision(.none, overlap, first: 9939, last: 9939) == .leaveOut(before: second(9940)))
    #expect(decision(.none, overlap, first: 100, last: 9990) == .leaveOut(before: second(9940)))
    #expect(decision(.last, overlap, first: 100, last: 5000) == .carryOut(.fire, at: second(5000)))
    #expect(decision(.last, overlap, first: 100, last: 9990) == .carryOut(.fire, at: second(9990)))
    #expect(decision(.all, overlap, first: 100, last: 9990) == .carryOut(.fire, at: second(100)))
  }

  @Test("while the former run goes, overlap decides on what is on time and on the latest that was missed")
  func overlap() {
    let deeds: [(Overlap, FiringDecision.Deed)] = [(.skip, .skip), (.queue, .wait), (.replace, .replace)]
    for (overlap, deed) in deeds {
      for catchUp in CatchUp.allCases {
        #expect(
          decision(catchUp, overlap, first: 9999, last: 9999, formerGoes: true)
            == .carryOut(deed, at: second(9999)))
      }
      #expect(
        decision(.last, overlap, first: 100, last: 200, formerGoes: true) == .carryOut(deed, at: second(200)))
      // Left out or cancelled it would not be made up.
      #expect(
        decision(.all, overlap, first: 100, last: 200, formerGoes: true) == .carryOut(.wait, at: second(100)))
    }
  }

  @Test("a firing that came on time and waited is not missed")
  func waited() {
    #expect(
      decision(.none, .queue, first: 100, last: 100, isWaiting: true) == .carryOut(.fire, at: second(100)))
    #expect(
      decision(.none, .queue, first: 100, last: 9000, isWaiting: true) == .carryOut(.fire, at: second(100)))
    #expect(
      decision(.all, .queue, first: 100, last: 9000, isWaiting: true) == .carryOut(.fire, at: second(100)))
    #expect(
      decision(.last, .queue, first: 100, last: 9000, isWaiting: true) == .carryOut(.fire, at: second(9000)))
  }
}
