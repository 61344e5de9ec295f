import Testing

@testable import Model

@Suite("Lengths of time and moments")
struct TimeTests {
  @Test(
    "lengths as programs write them",
    arguments: [
      ("10", 10_000_000), ("0.25", 250_000), ("90s", 90_000_000), ("10m", 600_000_000), ("2h", 7_200_000_000),
      ("1d", 86_400_000_000), ("3ms", 3000), ("7us", 7), ("0", 0), (".5s", 500_000), ("1.5m", 90_000_000),
    ])
  func reading(_ text: String, _ microseconds: Int64) {
    #expect(TimeSpan(text)?.microseconds == microseconds)
  }

  @Test(
    "what is no length",
    arguments: [
      "", "s", "-1", "+1", "1 s", "1S", "1w", "1e3", "0x1", "1.2.3", "nan", "inf", ".", "99999999d", "1,5",
      "१",
      String(repeating: "9", count: 400),
    ])
  func refusing(_ text: String) { #expect(TimeSpan(text) == nil) }

  @Test(
    "a length is written so that it reads back",
    arguments: [0, 1, 99, 100, 1000, 250_000, 1_000_000, 90_000_000, 600_000_000, 86_400_000_000, 1_234_567])
  func writing(_ microseconds: Int64) {
    let span = TimeSpan(microseconds: microseconds)
    #expect(TimeSpan(span.description) == span, "\(span)")
  }

  @Test(
    "the shortest unit that holds it",
    arguments: [(90.0, "90s"), (600, "10m"), (7200, "2h"), (0.25, "0.25s"), (0, "0s")])
  func units(_ seconds: Double, _ text: String) { #expect(TimeSpan(seconds: seconds).description == text) }

  @Test(
    "moments are RFC 3339 in UTC",
    arguments: [
      (0, "1970-01-01T00:00:00.000Z"), (951_782_400_000_000, "2000-02-29T00:00:00.000Z"),
      (1_795_226_400_123_456, "2026-11-21T02:00:00.123Z"), (-1, "1969-12-31T23:59:59.999Z"),
      (-62_135_596_800_000_000, "0001-01-01T00:00:00.000Z"),
      (253_402_300_799_999_999, "9999-12-31T23:59:59.999Z"),
    ])
  func moments(_ microseconds: Int64, _ text: String) {
    #expect(Timestamp(microseconds: microseconds).description == text)
  }

  @Test("moments and lengths add up")
  func arithmetic() {
    let moment = Timestamp(microseconds: 5) + TimeSpan(seconds: 2)
    #expect(moment.microseconds == 2_000_005)
    #expect(moment - Timestamp(microseconds: 5) == 2)
    #expect(Timestamp(microseconds: 5) < moment)
    #expect(TimeSpan.zero < TimeSpan(microseconds: 1))
  }
}
