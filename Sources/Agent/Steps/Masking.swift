public import Engine
import Foundation
import Glibc

/// Takes the values of secret parameters out of what steps print.
public enum Masking {
  /// `text` with each secret replaced by `***`.
  public static func mask(_ text: String, _ secrets: [String]) -> String {
    secrets.reduce(text) { $0.replacingOccurrences(of: $1, with: "***") }
  }

  /// Overwrites each secret in a file with as many asterisks, in place, so that whoever follows the file does not
  /// lose their position. Reads it in pieces that overlap by the longest secret.
  static func mask(file path: String, _ secrets: [String]) {
    let descriptor = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW)
    guard descriptor >= 0 else { return }
    defer { close(descriptor) }
    let needles = secrets.map { Data($0.utf8) }
    let overlap = (needles.map(\.count).max() ?? 1) - 1
    var offset = 0
    let size = 1 << 20
    var buffer = [UInt8](repeating: 0, count: size)
    while true {
      let count = buffer.withUnsafeMutableBytes { pread(descriptor, $0.baseAddress, size, offset) }
      guard count > 0 else { return }
      let piece = Data(buffer[..<count])
      for needle in needles {
        var from = piece.startIndex
        while let found = piece.range(of: needle, in: from..<piece.endIndex) {
          let stars = [UInt8](repeating: UInt8(ascii: "*"), count: needle.count)
          _ = stars.withUnsafeBytes {
            pwrite(descriptor, $0.baseAddress, stars.count, offset + found.lowerBound)
          }
          from = found.upperBound
        }
      }
      guard count == size, count > overlap else { return }
      offset += count - overlap
    }
  }
}

extension Outcome {
  /// Takes the values of secrets out of its message and its result.
  public mutating func hide(_ secrets: [String]) {
    guard !secrets.isEmpty else { return }
    message = message.map { Masking.mask($0, secrets) }
    if let text = result?.json, Masking.mask(text, secrets) != text { result = .string("***") }
  }
}
