import Foundation
import Testing

/// The seconds from one moment of a report to another.
func seconds(from start: String, to end: String) throws -> Double {
  let formatter = ISO8601DateFormatter()
  formatter.formatOptions = [.withInternetDateTime, .withFractionalSeconds]
  let first = try #require(formatter.date(from: start))
  let second = try #require(formatter.date(from: end))
  return second.timeIntervalSince(first)
}
