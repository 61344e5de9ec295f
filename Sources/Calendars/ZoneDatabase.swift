import Foundation

/// The time zone database of the machine: the files of Debian's `tzdata`.
///
/// Read by ourselves, not through Foundation: a firing needs the moments at which clocks change, and a zone that is
/// read anew each time, two kilobytes, is never out of date in an agent that has run for a year.
public struct ZoneDatabase: Sendable {
  /// Why a zone can't be had.
  public enum Failure: Error, Sendable, Hashable, CustomStringConvertible {
    /// There is no zone of that name.
    case unknown(String)
    /// There is no database on this machine.
    case missing(directory: String)
    /// The zone's file can't be used.
    case unreadable(name: String, reason: String)

    /// What is wrong, and how to mend it.
    public var description: String {
      switch self {
      case .unknown(let name): "unknown time zone '\(name)'; write a name such as Europe/Berlin, or UTC"
      case .missing(let directory):
        "there is no time zone database in \(directory); install the package tzdata, or use UTC"
      case .unreadable(let name, let reason):
        "the file of time zone '\(name)' can't be used: \(reason); install tzdata anew"
      }
    }
  }

  /// That of this machine: `$TZDIR`, or `/usr/share/zoneinfo`.
  public static let system = ZoneDatabase(
    directory: ProcessInfo.processInfo.environment["TZDIR"].flatMap { $0.isEmpty ? nil : $0 }
      ?? "/usr/share/zoneinfo")

  private let directory: String

  /// The database in `directory`.
  public init(directory: String) { self.directory = directory }

  /// The rules of the zone called `name`, exactly as the database spells it. `UTC` needs no database.
  public func rules(named name: String) throws(Failure) -> ZoneRules {
    if name == "UTC" { return .utc }
    let path = directory + "/" + name
    guard Self.isName(name), let bytes = FileManager.default.contents(atPath: path),
      bytes.starts(with: "TZif".utf8)
    else { throw isThere ? .unknown(name) : .missing(directory: directory) }
    do {
      return try ZoneFile.rules(Array(bytes), name: name)
    } catch {
      throw .unreadable(name: name, reason: error.reason)
    }
  }

  /// The names of all zones, sorted.
  public var names: [String] {
    let paths = FileManager.default.enumerator(atPath: directory)?.compactMap { $0 as? String } ?? []
    return Set(paths.filter { $0.contains("/") && Self.isName($0) && !isDirectory($0) } + ["UTC"]).sorted()
  }

  private var isThere: Bool { isDirectory("") }

  private func isDirectory(_ path: String) -> Bool {
    var isDirectory: ObjCBool = false
    return FileManager.default.fileExists(atPath: directory + "/" + path, isDirectory: &isDirectory)
      && isDirectory.boolValue
  }

  /// Whether `text` may be a name: parts of letters, digits, `_`, `+` and `-`, which lead nowhere but into the
  /// database, and not into the two copies of it that Debian keeps under `posix` and, with leap seconds, `right`.
  private static func isName(_ text: String) -> Bool {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard (1...64).contains(text.utf8.count),
      !["posix", "right", "posixrules", "localtime"].contains(parts[0])
    else {
      return false
    }
    return parts.allSatisfy { part in
      !part.isEmpty
        && part.utf8.allSatisfy { byte in
          (48...57).contains(byte) || (65...90).contains(byte & 0xdf) || byte == UInt8(ascii: "_")
            || byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-")
        }
    }
  }
}
