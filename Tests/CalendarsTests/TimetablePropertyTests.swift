import Calendars
import Testing

/// Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014: the same everywhere.
struct SplitMix64: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}

/// A cron line with the sets it stands for, made together so that nothing has to be read.
private struct RandomLine {
  var text = ""
  var sets: [Set<Int>] = []
  var isStarred: [Bool] = []

  init(_ random: inout SplitMix64) {
    for (low, high) in [(0, 59), (0, 23), (1, 31), (1, 12), (0, 6)] {
      let (part, values) = Self.field(low, high, &random)
      text += (text.isEmpty ? "" : " ") + part
      sets.append(values)
      isStarred.append(part.hasPrefix("*"))
    }
  }

  private static func field(_ low: Int, _ high: Int, _ random: inout SplitMix64) -> (String, Set<Int>) {
    if Int.random(in: 0..<5, using: &random) < 2 { return ("*", Set(low...high)) }
    var parts: [String] = []
    var values: Set<Int> = []
    for _ in 0...Int.random(in: 0..<3, using: &random) {
      let first = Int.random(in: low...high, using: &random)
      let last = Int.random(in: first...high, using: &random)
      let step = Int.random(in: 1...(last - first + 1), using: &random)
      switch Int.random(in: 0..<4, using: &random) {
      case 0:
        parts.append("\(first)")
        values.insert(first)
      case 1:
        parts.append("\(first)-\(last)")
        values.formUnion(first...last)
      case 2:
        parts.append("\(first)-\(last)/\(step)")
        values.formUnion(stride(from: first, through: last, by: step))
      default:
        parts.append("*/\(step)")
        values.formUnion(stride(from: low, through: high, by: step))
      }
    }
    return (parts.joined(separator: ","), values)
  }

  /// Whether the line names a minute of `day`, asked of its parts.
  func names(_ minute: Int64, of day: Days.Day) -> Bool {
    guard sets[0].contains(Int(minute % 60)), sets[1].contains(Int(minute / 60)) else { return false }
    guard sets[3].contains(day.month) else { return false }
    let (byMonth, byWeek) = (sets[2].contains(day.day), sets[4].contains(day.weekday))
    return isStarred[2] || isStarred[4] ? byMonth && byWeek : byMonth || byWeek
  }
}

/// The days of a test, read from how times are written.
private struct Days {
  struct Day {
    let month: Int
    let day: Int
    let weekday: Int
  }
  private var known: [Int64: Day] = [:]

  /// Whether `line` names the reading; all of them are after 1970.
  mutating func has(_ line: RandomLine, _ minutes: Int64) -> Bool {
    let number = minutes / 1440
    if let day = known[number] { return line.names(minutes % 1440, of: day) }
    let parts = LocalTime(minutes: minutes).description.split { "-T:".contains($0) }.compactMap { Int($0) }
    // 1970-01-01 was a Thursday.
    let day = Day(month: parts[1], day: parts[2], weekday: Int((number + 4) % 7))
    known[number] = day
    return line.names(minutes % 1440, of: day)
  }
}

@Suite("Firings are what a look at every minute finds")
struct TimetablePropertyTests {
  /// Changes of clocks near these, in zones with them; two that have none.
  private static let places: [(zone: String, around: Int64)] = [
    ("Europe/Berlin", 1_774_746_000), ("Europe/Berlin", 1_792_890_000), ("America/New_York", 1_772_953_200),
    ("America/New_York", 1_793_512_800), ("Australia/Lord_Howe", 1_775_314_800),
    ("Australia/Lord_Howe", 1_791_041_400), ("Africa/Cairo", 1_776_981_600), ("Pacific/Apia", 1_325_239_200),
    ("Europe/Berlin", 2_532_042_000), ("America/Sao_Paulo", 1_793_512_800), ("UTC", 1_793_512_800),
  ]

  @Test("random lines over three days around changes of clocks")
  func everyMinute() throws {
    var random = SplitMix64(state: 1987)
    var days = Days()
    var seen = 0
    for round in 0..<110 {
      let place = Self.places[round % Self.places.count]
      let zone = try ZoneDatabase.system.rules(named: place.zone)
      let start = place.around - 36 * 3600
      let minutes = (0..<72 * 60).map { start + Int64($0) * 60 }
      let (line, text) = Self.lineThatComes(near: place.around, zone, &days, &random)
      let table = Timetable(try CronLine(text), in: zone)
      // By the words of the rule: a reading fires when the clock first shows it or, if it never does, has passed it.
      var expected: [Int64] = []
      var reached = start + zone.offset(at: start - 1) - 60
      for moment in minutes {
        let shown = moment + zone.offset(at: moment)
        if line.isStarred[1] {
          if days.has(line, shown / 60) { expected.append(moment) }
        } else if shown > reached {
          let passed = stride(from: reached + 60, through: shown, by: 60)
          if passed.contains(where: { days.has(line, $0 / 60) }) { expected.append(moment) }
        }
        reached = max(reached, shown)
      }
      let found = Array(table.firings(after: start - 1, through: start + 72 * 3600 - 1))
      #expect(found.map(\.moment) == expected, "\(text) in \(place.zone), round \(round)")
      for firing in found {
        #expect(firing.local.minutes == (firing.moment + zone.offset(at: firing.moment)) / 60)
        #expect(table.firing(after: firing.moment - 1) == firing)
      }
      seen += found.count
    }
    #expect(seen > 1000)
  }

  /// A line that names something in the days looked at: most lines name a day of another month.
  private static func lineThatComes(
    near moment: Int64, _ zone: ZoneRules, _ days: inout Days, _ random: inout SplitMix64
  ) -> (RandomLine, String) {
    while true {
      let line = RandomLine(&random)
      let local = (moment + zone.offset(at: moment)) / 60
      if (-720...720).contains(where: { days.has(line, local + Int64($0)) }) {
        return (line, line.text)
      }
    }
  }

  @Test("20,000 texts are read or refused, never worse, and every mark is inside the text")
  func damagedLines() {
    var random = SplitMix64(state: 71)
    let pieces = [
      "*", "/", "-", ",", " ", "  ", "\t", "0", "5", "7", "59", "60", "31", "99999999999999999999", "mon",
      "SUN",
      "jan", "dec", "@daily", "@", "\n", "é", "\u{301}", "🕐", "L", "#", "?", "W", "\0", "%", "*/2", "1-5",
      "0 2 * * 1-5",
    ]
    var (accepted, refused) = (0, 0)
    for _ in 0..<20_000 {
      var text = ""
      if Bool.random(using: &random) {
        for _ in 0..<Int.random(in: 0..<14, using: &random) {
          text += pieces.randomElement(using: &random) ?? ""
        }
      } else {
        text = RandomLine(&random).text
        var scalars = Array(text.unicodeScalars)
        for _ in 0..<Int.random(in: 0..<3, using: &random) where !scalars.isEmpty {
          let place = Int.random(in: 0..<scalars.count, using: &random)
          switch Int.random(in: 0..<3, using: &random) {
          case 0: scalars.remove(at: place)
          case 1:
            scalars.insert(contentsOf: (pieces.randomElement(using: &random) ?? "").unicodeScalars, at: place)
          default: scalars.swapAt(place, Int.random(in: 0..<scalars.count, using: &random))
          }
        }
        text = String(String.UnicodeScalarView(scalars))
      }
      do throws(CronError) {
        let line = try CronLine(text)
        accepted += 1
        #expect(line.next(onOrAfter: LocalTime(minutes: 29_453_760)) != nil, "'\(text)'")
      } catch {
        refused += 1
        #expect((0...text.unicodeScalars.count).contains(error.offset), "'\(text)': \(error)")
        #expect(!error.description.isEmpty)
      }
    }
    #expect(accepted > 3000)
    #expect(refused > 3000)
  }
}
