import Foundation
import Glibc
import Testing

@testable import Agent

/// A step that does not want to end: a script, whose processes all have a word of their own in their arguments.
struct Wild: Sendable, CustomTestStringConvertible {
  let testDescription: String
  /// The script; `TOKEN` stands for the word, and it prints `ready` when all its processes are there.
  private let text: String
  /// Whether its main process ends by itself and leaves the others.
  let leaves: Bool

  init(_ testDescription: String, leaves: Bool = false, _ text: String) {
    self.testDescription = testDescription
    self.text = text
    self.leaves = leaves
  }

  func script(_ token: String) -> String { text.replacingOccurrences(of: "TOKEN", with: token) }

  static func token() -> String { "token-\(UInt64.random(in: 0...UInt64.max))" }

  static let all: [Wild] = [
    Wild("one that waits", "echo ready; exec sh -c 'sleep 1000; :' TOKEN"),
    Wild("one that forks", "sh -c 'sleep 1000; :' TOKEN & sh -c 'sleep 1000; :' TOKEN & echo ready; wait"),
    Wild(
      "one that forks twice",
      "sh -c 'sh -c \"sleep 1000; :\" TOKEN & exit 0'; echo ready; sleep 1000; : TOKEN"),
    Wild(
      "sessions of their own, without an environment",
      """
      setsid env -i /bin/sh -c 'sleep 1000; :' TOKEN &
      env -i setsid /bin/sh -c 'setsid /bin/sh -c "sleep 1000; :" TOKEN >/dev/null 2>&1 & exit 0' TOKEN
      echo ready; wait
      """),
    Wild(
      "one that ignores SIGTERM, with a child that does too",
      "trap '' TERM; sh -c 'while :; do sleep 0.05; done' TOKEN & echo ready; while :; do sleep 0.05; done"),
    Wild(
      "one that has stopped itself", "sh -c 'kill -STOP $$; sleep 1000; :' TOKEN & echo ready; kill -STOP $$"),
    Wild("one that writes all the time", "echo ready; while :; do echo TOKEN; done"),
    Wild(
      "a chain: each forks the next and ends",
      "chain() { chain & exit 0; }; echo ready; chain & wait; sleep 1000; : TOKEN"
    ),
    Wild(
      "one whose main process ends by SIGTERM while a child does not",
      "(trap '' TERM; setsid env -i /bin/sh -c 'trap \"\" TERM; while :; do sleep 0.05; done' TOKEN) & echo ready; wait"
    ),
    Wild(
      "one that kills whoever minds it",
      "kill -9 $PPID; setsid sh -c 'sleep 1000; :' TOKEN & echo ready; sleep 1000; : TOKEN"),
    Wild(
      "one that leaves others behind", leaves: true,
      "setsid sh -c 'sleep 1000; :' TOKEN & env -i setsid /bin/sh -c 'trap \"\" TERM; sleep 1000; :' TOKEN & echo ready"
    ),
  ]

  /// Processes with `token` in their arguments, other than this one.
  static func processes(with token: String) -> [Int32] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
    return names.compactMap { Int32($0) }.filter { pid in
      guard pid != getpid(), let bytes = try? JournalFile("/proc/\(pid)/cmdline").readAll() else {
        return false
      }
      // A probe that was given the script holds it too.
      let line = String(decoding: bytes, as: UTF8.self)
      return line.contains(token) && !line.contains("keeper-probe")
    }
  }

  /// Children of a process, zombies too.
  static func children(of pid: Int32) -> [Int32] {
    let bytes = (try? JournalFile("/proc/\(pid)/task/\(pid)/children").readAll()) ?? []
    return String(decoding: bytes, as: UTF8.self).split(separator: " ").compactMap { Int32($0) }
  }

  /// How often each is ended: few times, unless somebody wants to be sure.
  static var rounds: Int { ProcessInfo.processInfo.environment["EVENTOR_STOP_ROUNDS"].flatMap(Int.init) ?? 2 }
}
