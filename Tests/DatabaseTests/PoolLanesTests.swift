import Runtime
import Testing

@testable import Database

@Suite("The pool's decisions")
struct PoolLanesTests {
  @Test("an SQLite file has one writer, which has its next job at hand, and readers beside it")
  func sqlite() {
    var lanes = PoolLanes<String>(kind: .sqlite, isMemory: false, size: 3)
    #expect(lanes.take(.write) == 0)
    #expect(lanes.take(.write) == 0)
    #expect(lanes.take(.write) == nil)
    #expect(lanes.take(.read) == 1)
    #expect(lanes.take(.read) == 2)
    #expect(lanes.take(.read) == nil)
    lanes.wait(.write, lanes.ticket(), "a")
    #expect(lanes.giveBack(0) == "a")
    #expect(lanes.giveBack(0) == nil)
    #expect(lanes.take(.write) == 0)
    #expect(lanes.take(.write) == nil)
  }

  @Test("servers share all connections, and the last used is used first")
  func server() {
    var lanes = PoolLanes<String>(kind: .mysql, isMemory: false, size: 2)
    #expect(lanes.take(.write) == 0)
    #expect(lanes.take(.read) == 1)
    #expect(lanes.giveBack(1) == nil)
    #expect(lanes.giveBack(0) == nil)
    #expect(lanes.take(.read) == 0)
  }

  @Test("who waits is served in order, unless gone")
  func order() {
    var lanes = PoolLanes<String>(kind: .sqlite, isMemory: true, size: 9)
    #expect(lanes.take(.read) == 0)
    let tickets = ["a", "b", "c"].map { name in
      let ticket = lanes.ticket()
      lanes.wait(.write, ticket, name)
      return ticket
    }
    #expect(lanes.leave(tickets[1]) == "b")
    #expect(lanes.leave(tickets[1]) == nil)
    #expect(lanes.giveBack(0) == "a")
    #expect(lanes.giveBack(0) == "c")
    #expect(lanes.giveBack(0) == nil)
  }

  @Test("closing sends everybody home")
  func close() {
    var lanes = PoolLanes<String>(kind: .postgresql, isMemory: false, size: 1)
    _ = lanes.take(.write)
    lanes.wait(.write, lanes.ticket(), "a")
    #expect(lanes.close() == ["a"])
    #expect(lanes.isClosed)
    #expect(lanes.giveBack(0) == nil)
  }

  @Test("pauses double up to the cap, between half and whole")
  func pauses() {
    let policy = RetryPolicy(attempts: 3, first: .milliseconds(10), cap: .milliseconds(35))
    #expect(policy.pause(after: 1, chance: 0) == .milliseconds(5))
    #expect(policy.pause(after: 2, chance: 0.5) == .milliseconds(15))
    #expect(policy.pause(after: 60, chance: 0) == .milliseconds(17.5))
    #expect(policy.allowsAnother(after: 2) && !policy.allowsAnother(after: 3))
    #expect(RetryPolicy(attempts: -1).attempts == 1)
  }
}
