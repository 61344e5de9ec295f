import Foundation
import Testing

@testable import Calendars

@Suite("Time zones are read from the machine's database")
struct ZoneTests {
  @Test(
    "offsets are those of another reader, for the past and by the rule for years to come",
    arguments: [
      "Europe/Berlin", "Europe/Dublin", "America/New_York", "America/St_Johns", "Australia/Lord_Howe",
      "Australia/Sydney", "Asia/Kolkata", "Asia/Kathmandu", "Pacific/Chatham", "Etc/GMT+5", "Africa/Lagos",
    ])
  func offsets(name: String) throws {
    let zone = try ZoneDatabase.system.rules(named: name)
    let other = try #require(TimeZone(identifier: name))
    // Every 31 hours and a little from 1990 to 2024, and from 2040 to 2060.
    for moment in [Int64(631_152_000)..<1_704_067_200, 2_208_988_800..<2_840_140_800] {
      for second in stride(from: moment.lowerBound, to: moment.upperBound, by: 31 * 3600 + 77) {
        let expected = other.secondsFromGMT(for: Date(timeIntervalSince1970: Double(second)))
        guard zone.offset(at: second) != Int64(expected) else { continue }
        Issue.record("\(name) at \(second): \(zone.offset(at: second)) and not \(expected)")
        return
      }
    }
  }

  @Test("periods follow one another without gaps, however far")
  func periods() throws {
    for name in [
      "Europe/Berlin", "America/Sao_Paulo", "Australia/Lord_Howe", "Pacific/Apia", "UTC", "Etc/GMT-14",
    ] {
      let zone = try ZoneDatabase.system.rules(named: name)
      var period = zone.period(at: .min)
      #expect(period.start == .min)
      var count = 0
      while period.end < 16_725_225_600 {  // the year 2500
        let next = zone.period(at: period.end)
        #expect(next.start == period.end && next.end > next.start && next.offset != period.offset)
        #expect(zone.period(at: next.start - 1) == period)
        period = next
        count += 1
      }
      #expect(name == "Europe/Berlin" ? count > 1000 : true)
    }
  }

  /// A footer, the moment of its first change in 2030, and the offsets before and after it.
  private static let rules: [(text: String, first: Int64, before: Int64, after: Int64)] = [
    ("CET-1CEST,M3.5.0,M10.5.0/3", 1_901_149_200, 3600, 7200),
    ("EST5EDT,M3.2.0,M11.1.0", 1_899_356_400, -18_000, -14_400),
    ("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", 1_901_718_000, 39_600, 37_800),
    ("IST-1GMT0,M10.5.0,M3.5.0/1", 1_901_149_200, 0, 3600),
    ("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", 1_901_149_200, -7200, -3600),
    ("AAA0BBB,J60/0,J300/0", 1_898_553_600, 0, 3600),
    ("AAA0BBB,59/0,299/0", 1_898_553_600, 0, 3600),
    ("EET-2EEST,M3.4.4/50,M10.4.4/50", 1_901_059_200, 7200, 10_800),
  ]

  @Test("the rule for years to come is read as POSIX and RFC 8536 have it", arguments: rules)
  func rule(text: String, first: Int64, before: Int64, after: Int64) throws {
    let rule = try #require(YearlyRuleParser.rule(Array(text.utf8)[...]))
    let change = try #require(rule.changes(in: 2030).first)
    #expect(change == .init(at: first, offset: after))
    let zone = ZoneRules(name: "x", first: rule.standard, changes: [], yearly: rule)
    #expect(zone.offset(at: first - 1) == before)
    #expect(zone.offset(at: first) == after)
  }

  @Test("summer time that never ends is no change at all")
  func endlessSummer() throws {
    let rule = try #require(YearlyRuleParser.rule(Array("XXX3YYY,0/0,J365/25".utf8)[...]))
    let zone = ZoneRules(name: "x", first: -7200, changes: [], yearly: rule)
    #expect(zone.offset(at: 1_900_000_000) == -7200)
    #expect(zone.offset(at: 1_893_456_000 + 7200) == -7200)
  }

  @Test(
    "what is no rule is none",
    arguments: [
      "", "CET", "C-1", "CET-25", "CET-1CEST", "CET-1CEST,M3.5.0", "CET-1CEST,M13.5.0,M10.5.0",
      "CET-1CEST,M3.5.0,M10.5.0/168", "CET-1CEST,M3.6.0,M10.5.0", "CET-1CEST,J0,J5", "CET-1CEST,366,5",
      "<CET-1",
      "CET-1CEST,M3.5.0,M10.5.0 ", "CET-1:60",
    ])
  func noRule(text: String) { #expect(YearlyRuleParser.rule(Array(text.utf8)[...]) == nil) }

  @Test(
    "a name that is none is refused, and none leads out of the database",
    arguments: [
      "Europe/Berln", "europe/berlin", "", "/etc/passwd", "../zoneinfo/UTC", "Europe/../Europe/Berlin",
      "Europe",
      "Europe/", "right/Europe/Berlin", "posix/Europe/Berlin", "localtime", "zone.tab", "CET-1CEST",
      "Europe/Berlin\0",
      "Europe//Berlin", "tzdata.zi", String(repeating: "a", count: 300),
    ])
  func unknown(name: String) {
    #expect(throws: ZoneDatabase.Failure.unknown(name)) { try ZoneDatabase.system.rules(named: name) }
  }

  @Test("all names of the database can be read")
  func names() throws {
    let names = ZoneDatabase.system.names
    #expect(names.count > 300 && names.contains("Europe/Berlin") && names.contains("UTC"))
    #expect(!names.contains { $0.hasPrefix("right/") || $0.hasPrefix("posix/") || $0 == "America/Argentina" })
    for name in names { _ = try ZoneDatabase.system.rules(named: name) }
  }

  @Test("without a database there is UTC, and a sentence that names the package")
  func missing() throws {
    let none = ZoneDatabase(directory: "/nowhere/zoneinfo")
    #expect(try none.rules(named: "UTC") == .utc)
    #expect(throws: ZoneDatabase.Failure.missing(directory: "/nowhere/zoneinfo")) {
      try none.rules(named: "Europe/Berlin")
    }
    #expect(none.names == ["UTC"])
    #expect(ZoneDatabase.Failure.missing(directory: "d").description.contains("tzdata"))
  }

  @Test("3,000 damaged files are read or refused, never worse")
  func damagedFiles() throws {
    var random = SplitMix64(state: 5)
    let seeds = try ["Europe/Berlin", "Etc/GMT+5", "Australia/Lord_Howe"].map { name in
      Array(try Data(contentsOf: URL(fileURLWithPath: "/usr/share/zoneinfo/" + name)))
    }
    let line = try CronLine("30 2 * * *")
    var (accepted, refused) = (0, 0)
    for round in 0..<3000 {
      var bytes = seeds[round % seeds.count]
      for _ in 0...Int.random(in: 0..<4, using: &random) {
        let place = Int.random(in: 0..<bytes.count, using: &random)
        switch Int.random(in: 0..<5, using: &random) {
        case 0: bytes.removeLast(bytes.count - place)
        case 1: bytes.insert(UInt8.random(in: 0...255, using: &random), at: place)
        case 2:
          bytes[bytes.count - 1 - place % min(40, bytes.count)] = UInt8.random(in: 0...255, using: &random)
        default: bytes[place] = UInt8.random(in: 0...255, using: &random)
        }
        if bytes.isEmpty { bytes = [0] }
      }
      do throws(ZoneFile.Failure) {
        let zone = try ZoneFile.rules(bytes, name: "x")
        accepted += 1
        for moment: Int64 in [0, 1_774_738_800, 4_000_000_000] {
          let firing = Timetable(line, in: zone).firing(after: moment)
          #expect(firing.map { $0.moment > moment } ?? true, "round \(round)")
        }
      } catch {
        refused += 1
        #expect(!error.reason.isEmpty)
      }
    }
    #expect(accepted > 300)
    #expect(refused > 300)
  }
}
