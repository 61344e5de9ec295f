import CFloor
import Foundation
import Glibc
import Runtime

/// Processes with nothing around them.
enum Spawning {
  /// What starting a program so many times came to.
  struct Times {
    /// Milliseconds of each.
    let milliseconds: [Double]
    /// The peak resident memory of the largest, in MiB.
    let peakMiB: Double
  }

  /// Starts a program `count` times, one after the other.
  ///
  /// - Throws: ``Wrong`` if the last of them ended with anything but 0.
  static func time(_ arguments: [String], times count: Int, environment: [String: String] = [:]) async throws
    -> Times
  {
    try await SerialWorker(name: "spawn").run {
      let words = arguments.map { strdup($0) }
      let variables = environment.map { strdup("\($0.key)=\($0.value)") }
      defer { for text in words + variables { free(text) } }
      var nanoseconds = [Int64](repeating: 0, count: count)
      var (status, peak): (Int32, Int64) = (0, 0)
      let outcome = evf_spawn(
        words.map { UnsafePointer($0) } + [nil], variables.map { UnsafePointer($0) } + [nil], count,
        &nanoseconds,
        &status, &peak)
      let reason = String(cString: strerror(errno))
      if evf_outcome(UInt32(outcome)) == EVF_STOPPED { throw CancellationError() }
      guard evf_outcome(UInt32(outcome)) == EVF_DONE else {
        throw Wrong("\(arguments[0]) can't be started: \(reason)")
      }
      guard status == 0 else {
        throw Wrong("\(arguments.joined(separator: " ")) ended with wait status \(status)")
      }
      return Times(milliseconds: nanoseconds.map { Double($0) / 1e6 }, peakMiB: Double(peak) / 1024)
    }
  }

  /// Processes a second of `loops` loops side by side, `count` in all.
  static func rate(of arguments: [String], _ count: Int, loops: Int) async throws -> Double {
    let share = max(1, count / loops)
    let began = ContinuousClock.now
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<loops { group.addTask { _ = try await time(arguments, times: share) } }
      try await group.waitForAll()
    }
    return Double(share * loops) / ((ContinuousClock.now - began) / .seconds(1))
  }
}
