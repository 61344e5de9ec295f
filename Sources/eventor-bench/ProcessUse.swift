import Foundation
import Glibc

/// What a process and its children have used, by /proc.
struct ProcessUse {
  /// Processor seconds, of those that still live.
  let cpu: Double
  /// Resident memory of the largest of them, in MiB.
  let residentMiB: Double
  /// The most that the first of them has had resident, in MiB.
  let mostResidentMiB: Double

  /// Of the living process `pid` and the processes it has forked, such as an agent's keeper.
  init(of pid: pid_t) {
    let family = [pid] + Self.children(of: pid)
    cpu = family.map(Self.cpu).reduce(0, +)
    residentMiB = family.map { Self.resident($0, "VmRSS") }.max() ?? 0
    mostResidentMiB = Self.resident(pid, "VmHWM")
  }

  private static func children(of pid: pid_t) -> [pid_t] {
    text("/proc/\(pid)/task/\(pid)/children").split(separator: " ").compactMap { pid_t($0) }
  }

  /// Fields 14 and 15 of proc(5)'s stat; the second, a name in brackets, may hold anything.
  private static func cpu(of pid: pid_t) -> Double {
    let stat = text("/proc/\(pid)/stat")
    guard let end = stat.lastIndex(of: ")") else { return 0 }
    let fields = stat[stat.index(after: end)...].split(separator: " ")
    guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]) else { return 0 }
    return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
  }

  /// A line of proc(5)'s status that is in KiB, in MiB.
  private static func resident(_ pid: pid_t, _ key: String) -> Double {
    let lines = text("/proc/\(pid)/status").split(separator: "\n")
    let line = lines.first { $0.hasPrefix(key + ":") }
    let kib = line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Double($0) }
    return (kib ?? 0) / 1024
  }

  private static func text(_ path: String) -> String {
    FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) } ?? ""
  }
}
