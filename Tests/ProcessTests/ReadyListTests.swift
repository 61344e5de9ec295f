import Testing

@testable import Agent

@Suite("What an agent has next in line")
struct ReadyListTests {
  private typealias Part = ReadyList.Part

  private func list(_ candidates: [(run: String, tasks: Int)], limit: Int = 100) -> ReadyList {
    var list = ReadyList()
    list.replace(with: candidates.map { .init(run: $0.run, tasks: $0.tasks) }, limit: limit, at: .now)
    return list
  }

  @Test("a look shows more than there are places, in few different numbers")
  func limits() {
    #expect(ReadyList.limit(free: 0) == 16 && ReadyList.limit(free: 4) == 16)
    #expect(ReadyList.limit(free: 5) == 32 && ReadyList.limit(free: 64) == 256)
    #expect(ReadyList.limit(free: 10_000) == 256)
    #expect(
      ReadyList.limit(free: 64, isPassing: true) == 1024 && ReadyList.limit(free: 1, isPassing: true) == 16)
    #expect(ReadyList.limit(free: 10_000, isPassing: true) == 1024)
  }

  @Test("places go to the most urgent, whichever run they belong to")
  func order() {
    let list = list([("a", 2), ("b", 1), ("a", 5)])
    #expect(list.shares(1) { _ in false } == [Part(run: "a", tasks: 1)])
    #expect(list.shares(4) { _ in false } == [Part(run: "a", tasks: 3), Part(run: "b", tasks: 1)])
    #expect(list.shares(50) { _ in false } == [Part(run: "a", tasks: 7), Part(run: "b", tasks: 1)])
    #expect(list.shares(0) { _ in false }.isEmpty)
  }

  @Test("a run gets no more than it may while others' tasks that are as urgent follow")
  func most() {
    let equal = list([("a", 20), ("b", 20), ("c", 20)])
    #expect(equal.shares(16, most: 8) { _ in false } == [Part(run: "a", tasks: 8), Part(run: "b", tasks: 8)])
    #expect(
      equal.shares(40, most: 8) { $0 == "b" } == [Part(run: "a", tasks: 20), Part(run: "c", tasks: 20)])
    #expect(list([("a", 20)]).shares(16, most: 8) { _ in false } == [Part(run: "a", tasks: 16, waits: true)])
    var urgent = ReadyList()
    urgent.replace(
      with: [
        .init(run: "a", tasks: 20, first: -1, last: -1), .init(run: "b", tasks: 9, first: -1, last: 0),
        .init(run: "c", tasks: 20),
      ], limit: 64, at: .now)
    // Of those of b some are less urgent than others, and they would have to wait for c.
    #expect(
      urgent.shares(40, most: 8) { _ in false } == [
        Part(run: "a", tasks: 8, first: -1, last: -1), Part(run: "b", tasks: 9, first: -1, last: 0),
        Part(run: "c", tasks: 20),
      ])
    #expect(urgent.shares(40, most: 8) { $0 == "b" }.map(\.tasks) == [20, 20])
  }

  @Test("a run that can't be asked now stays in line")
  func busy() {
    var list = list([("a", 2), ("b", 3)])
    #expect(list.shares(4) { $0 == "a" } == [Part(run: "b", tasks: 3)])
    list.send(3, of: "b")
    #expect(list.shares(4) { _ in false } == [Part(run: "a", tasks: 2, waits: true)])
  }

  @Test("what somebody was sent for is in line no more")
  func sent() {
    var list = list([("a", 2), ("b", 1), ("a", 5)])
    list.send(3, of: "a")
    #expect(list.shares(9) { _ in false } == [Part(run: "b", tasks: 1), Part(run: "a", tasks: 4)])
    list.forget("a")
    list.send(1, of: "b")
    #expect(list.isEmpty && !list.mayBeMore)
  }

  @Test("what others were sent for while a look was under way is left out of what it shows")
  func leftOut() {
    var known = list([("a", 2), ("b", 1), ("a", 5)])
    known.leaveOut(["a": 3, "c": 9])
    #expect(known.shares(9) { _ in false } == [Part(run: "b", tasks: 1), Part(run: "a", tasks: 4)])
    // What had been done before the look saw it was left out for nothing.
    #expect(known.mayBeMore)
    var none = list([("a", 2), ("b", 1)])
    none.leaveOut(["c": 1])
    #expect(none.tasks { _ in true } == 3 && !none.mayBeMore)
    var urgent = ReadyList()
    urgent.replace(
      with: [
        .init(run: "a", tasks: 2, first: -1, last: -1), .init(run: "b", tasks: 1), .init(run: "a", tasks: 3),
      ],
      limit: 16, at: .now)
    urgent.leaveOut(["a": .max])
    #expect(
      urgent.shares(9) { _ in false } == [
        Part(run: "a", tasks: 2, first: -1, last: -1), Part(run: "b", tasks: 1),
      ])
    #expect(urgent.mayBeMore)
    var all = list([("a", 2), ("b", 1)])
    all.leaveOut(["a": .max, "b": .max])
    #expect(all.tasks { _ in true } == 3 && !all.mayBeMore)
  }

  @Test("the next look begins before a quick one is used up, and not before anything of it is used")
  func low() {
    let now = ContinuousClock.now
    var list = ReadyList()
    list.replace(with: [.init(run: "a", tasks: 20), .init(run: "b", tasks: 4)], limit: 16, at: now)
    #expect(list.isQuick(at: now) && !list.isLow(at: now))
    list.send(19, of: "a")
    #expect(!list.isLow(at: now))
    list.send(1, of: "a")
    #expect(list.isLow(at: now))
    let later = now + .milliseconds(50)
    #expect(!list.isQuick(at: later) && !list.isLow(at: later))
    list.replace(with: [.init(run: "b", tasks: 4)], limit: 16, at: now)
    list.send(1, of: "b")
    // All there is has been seen.
    #expect(!list.isLow(at: now))
  }

  @Test("a run at which another agent is comes after all others, and is waited for then")
  func postponed() {
    var list = list([("a", 4), ("b", 2)])
    list.send(2, of: "a")
    list.postpone("a", 2)
    #expect(
      list.shares(9) { _ in false } == [
        Part(run: "b", tasks: 2), Part(run: "a", tasks: 4, waits: true, first: .max, last: .min),
      ])
  }

  @Test("whoever has a single run in line waits for it")
  func single() {
    #expect(list([("a", 4)]).shares(2) { _ in false } == [Part(run: "a", tasks: 2, waits: true)])
  }

  @Test("there may be more than a look could show, and after a while there may be anything")
  func more() {
    let now = ContinuousClock.now
    #expect(list([("a", 16)], limit: 16).mayBeMore)
    var few = ReadyList()
    few.replace(with: [.init(run: "a", tasks: 3)], limit: 16, at: now)
    #expect(!few.mayBeMore)
    few.age(to: now + .milliseconds(50))
    #expect(!few.isEmpty)
    few.age(to: now + .milliseconds(150))
    #expect(few.isEmpty && few.mayBeMore)
    few.clear()
    #expect(!few.mayBeMore)
    // Nothing was seen, and that stays so until somebody looks again, or knows better.
    var none = ReadyList()
    none.replace(with: [], limit: 16, at: now)
    none.age(to: now + .seconds(1))
    #expect(!none.mayBeMore)
    none.noteMore()
    #expect(none.mayBeMore)
  }

  @Test("places are kept for those in line whose run counts")
  func counted() {
    let list = list([("a", 2), ("b", 3), ("a", 1)])
    #expect(list.tasks { _ in true } == 6 && list.tasks { $0 == "a" } == 3 && list.tasks { _ in false } == 0)
  }
}
