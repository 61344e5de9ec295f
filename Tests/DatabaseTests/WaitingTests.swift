import Glibc
import Runtime
import Testing

@Suite("Waiting ends in time", .timeLimit(.minutes(1)))
struct WaitingTests {
  @Test("a stop signal ends a thread's waiting, and later ones too")
  func stopSignal() async throws {
    let signal = try #require(StopSignal())
    #expect(!signal.isSet)
    #expect(!signal.wait(upTo: .milliseconds(1)))
    let isOver = Latch()
    #expect(
      BackgroundThread.start(named: "waiting") { if signal.wait(reading: -1) == .stopped { isOver.open() } })
    for _ in 0..<100_000 { signal.set() }
    #expect(await isOver.wait(upTo: .seconds(50)))
    #expect(signal.isSet)
    #expect(signal.wait(reading: -1, upTo: .seconds(50)) == .stopped)
  }

  @Test("what can be read ends it, unless it is to stop")
  func readable() throws {
    let signal = try #require(StopSignal())
    var ends: [Int32] = [0, 0]
    try #require(pipe(&ends) == 0)
    defer { for end in ends { close(end) } }
    #expect(signal.wait(reading: ends[0], upTo: .milliseconds(1)) == .timeout)
    try #require(write(ends[1], "x", 1) == 1)
    #expect(signal.wait(reading: ends[0]) == .readable)
    signal.set()
    #expect(signal.wait(reading: ends[0]) == .stopped)
  }

  @Test("a latch lets all through once it is open, and those without patience go before")
  func latch() async {
    let latch = Latch()
    #expect(await latch.wait(upTo: .milliseconds(1)) == false)
    async let first = latch.wait(upTo: .seconds(50))
    async let second = latch.wait(upTo: .seconds(50))
    latch.open()
    latch.open()
    #expect(await first)
    #expect(await second)
    #expect(await latch.wait(upTo: .zero))
    #expect(latch.isOpen)
  }
}
