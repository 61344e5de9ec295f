import CommandSupport
import Foundation

/// What came out of one measurement, for people and for programs.
struct Report: Encodable {
  /// The subcommand.
  let bench: String
  /// The kind of database.
  let store: String
  /// What was asked for.
  let settings: [String: Int]
  /// The database as it calls itself.
  var server = ""
  /// Processors of this machine.
  let cores = ProcessInfo.processInfo.activeProcessorCount
  /// Whether the program measured was built for debugging: then its figures say nothing.
  let isDebugBuild: Bool
  private(set) var measures: [Measure] = []
  /// The same work of this machine without us, in the same minutes.
  private(set) var floors: [Measure] = []
  private(set) var ratios: [Ratio] = []

  init(_ bench: String, _ place: StorePlace, _ settings: [String: Int]) {
    self.bench = bench
    store = "\(place.url.kind)"
    self.settings = settings
    #if DEBUG
    isDebugBuild = true
    #else
    isDebugBuild = false
    #endif
  }

  mutating func add(_ measure: Measure) { measures.append(measure) }

  mutating func add(floor: Measure) { floors.append(floor) }

  /// How two measures that were taken in the same rounds compare, by their medians.
  mutating func compare(_ name: String, _ measure: Measure, to floor: Measure, bar: String? = nil) {
    guard floor.typical != 0 else { return }
    add(Ratio(name: name, value: (measure.typical / floor.typical).short, bar: bar))
  }

  mutating func add(_ ratio: Ratio) { ratios.append(ratio) }

  var text: String {
    let given = settings.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
    var lines = ["\(bench) on \(server), \(cores) cores: \(given)"]
    if isDebugBuild { lines.append("a debug build: its figures say nothing about a release build") }
    lines += measures.map { "  \($0.text)" }
    if !floors.isEmpty { lines += ["floor"] + floors.map { "  \($0.text)" } }
    if !ratios.isEmpty { lines += ["ratio"] + ratios.map { "  \($0.text)" } }
    return lines.joined(separator: "\n")
  }
}

/// One figure, measured in each round.
struct Measure: Encodable {
  let name: String
  let unit: String
  let median: Double
  let min: Double
  let max: Double
  /// Of the single events of all rounds, where those were timed.
  let p50: Double?
  let p99: Double?
  /// One for each round.
  let values: [Double]

  /// A figure with a value for each round.
  init(_ name: String, _ unit: String, _ values: [Double]) {
    self.init(name, unit, values, events: [])
  }

  /// A figure that is the median of `events`, round by round.
  init(_ name: String, _ unit: String, rounds: [[Double]]) {
    self.init(name, unit, rounds.map(\.median), events: rounds.flatMap { $0 })
  }

  private init(_ name: String, _ unit: String, _ values: [Double], events: [Double]) {
    self.name = name
    self.unit = unit
    self.values = values.map(\.short)
    median = values.median.short
    min = (values.min() ?? 0).short
    max = (values.max() ?? 0).short
    p50 = events.isEmpty ? nil : events.percentile(0.5).short
    p99 = events.isEmpty ? nil : events.percentile(0.99).short
  }

  /// What ratios are made of.
  var typical: Double { p50 ?? median }

  fileprivate var text: String {
    let label = name.padding(toLength: Swift.max(44, name.count), withPad: " ", startingAt: 0)
    if let p50, let p99 { return "\(label) p50 \(p50.plain) \(unit), p99 \(p99.plain) \(unit)" }
    return "\(label) \(median.plain) \(unit) (\(min.plain)–\(max.plain))"
  }
}

/// A figure in proportion to its floor.
struct Ratio: Encodable {
  let name: String
  let value: Double
  /// What it is to be, in words.
  let bar: String?

  fileprivate var text: String {
    let label = name.padding(toLength: Swift.max(44, name.count), withPad: " ", startingAt: 0)
    return "\(label) \(value.plain)" + (bar.map { " (bar: \($0))" } ?? "")
  }
}

extension Double {
  /// Without the `.0` of whole numbers.
  fileprivate var plain: String { self == rounded() && abs(self) < 1e15 ? "\(Int64(self))" : "\(self)" }
}

/// What came out other than it must: then there is no figure.
struct Wrong: ReportedFailure {
  let description: String
  var status: ExitStatus { .failed }

  init(_ description: String) { self.description = description }
}
