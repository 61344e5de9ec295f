import Database
import Foundation
import Glibc

/// What the server of a store uses, where it runs on this machine.
struct ServerUse: Sendable {
  private let pid: pid_t

  /// Finds the server's process by one of its own; nil: it is none of this machine, or may not be looked at.
  init?(of own: OwnStore) async throws {
    switch own.url.kind {
    case .sqlite: return nil
    case .postgresql:
      let backend = pid_t(try await own.number("SELECT pg_backend_pid()"))
      guard let parent = Self.fields(of: backend)?[1], let pid = pid_t(parent), pid > 1 else { return nil }
      self.pid = pid
    case .mysql:
      let path = try await own.rows("SELECT @@pid_file").first?.text(0) ?? ""
      guard let text = try? String(contentsOfFile: path, encoding: .utf8),
        let pid = pid_t(text.trimmingCharacters(in: .whitespacesAndNewlines)), Self.fields(of: pid) != nil
      else { return nil }
      self.pid = pid
    }
  }

  /// Processor seconds of the server with all its processes, those that have ended too.
  var cpu: Double {
    let ticks = Double(sysconf(Int32(_SC_CLK_TCK)))
    let children =
      (try? FileManager.default.contentsOfDirectory(atPath: "/proc"))?.compactMap { pid_t($0) } ?? []
    var sum = Self.fields(of: pid).map { Self.sum($0, 11...14) } ?? 0
    for child in children {
      guard let fields = Self.fields(of: child), fields[1] == "\(pid)" else { continue }
      sum += Self.sum(fields, 11...12)
    }
    return sum / ticks
  }

  private static func sum(_ fields: [Substring], _ range: ClosedRange<Int>) -> Double {
    range.reduce(0) { $0 + (fields.indices.contains($1) ? Double(fields[$1]) ?? 0 : 0) }
  }

  /// The fields of proc(5)'s stat behind the name, which may hold anything: the state, the parent, …
  private static func fields(of pid: pid_t) -> [Substring]? {
    guard let data = FileManager.default.contents(atPath: "/proc/\(pid)/stat") else { return nil }
    let text = String(decoding: data, as: UTF8.self)
    guard let end = text.lastIndex(of: ")") else { return nil }
    let fields = text[text.index(after: end)...].split(separator: " ")
    return fields.count > 15 ? fields : nil
  }
}
