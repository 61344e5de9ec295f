import Engine
import Logging
import Model
import Testing

@testable import Agent

@Suite("Who may declare a lock expired")
struct StoreTouchTests {
  private struct Away: StoreFailure {
    let isOutage = true
  }

  @Test("has been in touch with the store for as long as the lock lasts, and one pause more")
  func outlasts() async throws {
    let touch = StoreTouch(log: Logger(label: "test"))
    let second = TimeSpan(seconds: 1)
    #expect(!touch.outlasts(second))
    let began = ContinuousClock.now
    while !touch.outlasts(second) {
      _ = try await touch.attempt { true }
      try await Task.sleep(for: .milliseconds(50))
    }
    #expect(ContinuousClock.now - began >= .seconds(3.5))
    #expect(!touch.outlasts(TimeSpan(seconds: 3600)))
    // The store's absence is a gap, however short.
    #expect(try await touch.attempt { throw Away() } == nil)
    _ = try await touch.attempt { true }
    #expect(!touch.outlasts(second) && !touch.isAway)
  }

  @Test(
    "may have heard nothing for a third of its length, at least what an idle agent needs",
    arguments: [(1.0, 2.5), (9.0, 3.0), (30.0, 5.0), (3600.0, 5.0)])
  func pause(length: Double, allowed: Double) {
    #expect(StoreTouch.longestPause(for: TimeSpan(seconds: length)) == TimeSpan(seconds: allowed))
  }

  @Test("a renewal that hangs is a gap before it has come to an end, whatever else is answered")
  func hanging() async throws {
    let touch = StoreTouch(log: Logger(label: "test"))
    let second = TimeSpan(seconds: 1)
    let start = ContinuousClock.now
    while !touch.outlasts(second) {
      try #require(ContinuousClock.now - start < .seconds(120), "it is never trusted")
      _ = try await touch.attempt { true }
      // As an agent that looks often: no pause between answers is a gap.
      try await Task.sleep(for: .milliseconds(50))
    }
    let (release, released) = AsyncStream<Void>.makeStream()
    async let beat: Void = touch.beat { for await _ in release { break } }
    let began = ContinuousClock.now
    while touch.outlasts(second) {
      _ = try await touch.attempt { true }
      // As before: only the renewal is late.
      try await Task.sleep(for: .milliseconds(50))
      try #require(ContinuousClock.now - began < .seconds(120), "it is still trusted")
    }
    released.finish()
    try await beat
    _ = try await touch.attempt { true }
    // The answer itself was long in coming.
    #expect(!touch.outlasts(second))
  }

  @Test("an answer that was long in coming is a gap for short locks, and none for long ones")
  func slow() async throws {
    let touch = StoreTouch(log: Logger(label: "test"))
    _ = try await touch.attempt { true }
    let before = touch.length(allowing: TimeSpan(seconds: 5))
    let asked = ContinuousClock.now
    // Longer than the least pause that is a gap, and than nothing else.
    _ = try await touch.attempt { try await Task.sleep(for: .seconds(2.6)) }
    #expect(touch.length(allowing: TimeSpan(seconds: 2.5)) < TimeSpan(seconds: 2.5))
    // On a machine that was busy it may have been a gap for all of them.
    if ContinuousClock.now - asked < .seconds(4) {
      #expect(touch.length(allowing: TimeSpan(seconds: 5)) > before)
    }
  }
}
