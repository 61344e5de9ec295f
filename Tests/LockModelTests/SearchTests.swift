import Foundation
import Testing

@Suite("The search itself")
struct SearchTests {
  @Test("a world is the same after packing, whatever stands in it")
  func packingLosesNothing() {
    var random = SystemRandomNumberGenerator()
    // Any bits are a world: all fields together have fewer than there are.
    for _ in 0..<2000 {
      let bits = PackedWorld(low: random.next(), high: random.next() & ((1 << 44) - 1))
      let world = bits.world
      #expect(PackedWorld(world) == bits)
      #expect(PackedWorld(world).world == world)
    }
  }

  @Test("a table numbers each world once, also after it has grown")
  func tableKnowsItsWorlds() {
    var table = WorldTable()
    defer { table.deallocate() }
    let many = 40_000
    for round in 0..<2 {
      for number in 0..<many {
        let world = PackedWorld(low: UInt64(number) << 7, high: UInt64(number % 3))
        let found = table.number(of: world)
        if found != number { Issue.record("world \(number) has number \(found) in round \(round)") }
      }
    }
    #expect(table.count == many)
  }

  @Test("what is found is told move by move, on a shortest way")
  func traceIsReadable() throws {
    let setting = Setting.stopped.with { $0.kills = false }
    let finding = try #require(Search(setting, .without(.claimNeedsReady)).run().finding)
    #expect(
      finding.text == """
        a task that runs is claimed:
        0. at first
              ready; A: holds nothing; B: holds nothing
        1. A claims the task; the answer is on its way
              running for A, lock 2; A: holds nothing, taking 0 old; B: holds nothing
        2. B claims the task; the answer is on its way
              running for B, lock 2; A: holds nothing, taking 0 old; B: holds nothing, taking 0 old

        """)
  }

  @Test("docs/locks.md names every safeguard and every assumption")
  func documentIsComplete() throws {
    let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("../../docs/locks.md").standardized
    let text = try String(contentsOf: file, encoding: .utf8)
      .replacing("`", with: "").split(whereSeparator: \.isWhitespace).joined(separator: " ").lowercased()
    for safeguard in Safeguard.allCases {
      #expect(text.contains(safeguard.sentence.lowercased()), "it does not say: \(safeguard.sentence)")
    }
    for assumption in Assumption.allCases {
      #expect(text.contains(assumption.rawValue.lowercased()), "it does not say: \(assumption.rawValue)")
    }
  }
}
