import Calendars
import Foundation
import Testing

/// A row of the table that `scripts/cron-table` makes: all firings of a line in a zone in 2025.
struct TableRow: Sendable, CustomTestStringConvertible {
  let zone: String
  let line: String
  /// Minutes since the beginning of the year in UTC.
  let minutes: [Int64]

  var testDescription: String { "\(line) in \(zone)" }

  static let all: [TableRow] = {
    let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("firings-2025.txt")
    let text = (try? String(contentsOf: file, encoding: .utf8)) ?? ""
    return text.split(separator: "\n").map { row in
      let parts = row.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
      var minutes: [Int64] = []
      for step in steps(parts[2]) { minutes.append((minutes.last ?? 0) + step) }
      return TableRow(zone: parts[0], line: parts[1], minutes: minutes)
    }
  }()

  /// The numbers of a text such as `0 5*2 (5 7)*2`.
  private static func steps(_ text: String) -> [Int64] {
    text.matches(of: /(?:\(([\d ]+)\)|(\d+))(?:\*(\d+))?/).flatMap { match in
      let pattern = (match.output.1 ?? match.output.2 ?? "").split(separator: " ").compactMap { Int64($0) }
      let times = match.output.3.flatMap { Int($0) } ?? 1
      return (0..<times).flatMap { _ in pattern }
    }
  }
}

@Suite("A simulated year of firings is that of an independent implementation")
struct SimulatedYearTests {
  /// 2025-01-01T00:00:00Z and a year later.
  static let year: (start: Int64, end: Int64) = (1_735_689_600, 1_767_225_600)

  @Test("firing by firing, over zones with changes of clocks of every kind", arguments: TableRow.all)
  func year(row: TableRow) throws {
    let table = Timetable(try CronLine(row.line), in: try ZoneDatabase.system.rules(named: row.zone))
    let found = table.firings(after: Self.year.start - 1, through: Self.year.end - 1).map { firing in
      (firing.moment - Self.year.start) / 60
    }
    guard found != row.minutes else { return }
    let parted = zip(found, row.minutes).enumerated().first { $1.0 != $1.1 }
    Issue.record(
      "\(found.count) firings and not \(row.minutes.count); they part at \(String(describing: parted))")
  }

  @Test("the table is whole: 28 lines in five zones")
  func table() {
    #expect(TableRow.all.count == 28 * 5)
    #expect(Set(TableRow.all.map(\.zone)).count == 5)
    #expect(TableRow.all.map(\.minutes.count).reduce(0, +) > 500_000)
  }
}
