import Foundation

/// Host names in `known_hosts` that only who knows them can find: `|1|SALT|HMAC-SHA1(SALT, NAME)` (sshd(8)).
///
/// SHA-1 is what the format asks for; nothing else here uses it, and libsodium, which hashes elsewhere, hasn't got it.
enum HostNameHash {
  /// Whether `field`, of the form above, stands for `name`; nil if it is not of that form.
  static func matches(_ field: Substring, _ name: String) -> Bool? {
    let parts = field.split(separator: "|", omittingEmptySubsequences: false)
    guard parts.count == 4, parts[0].isEmpty, parts[1] == "1",
      let salt = Data(base64Encoded: String(parts[2])),
      let hash = Data(base64Encoded: String(parts[3]))
    else { return nil }
    return Array(hash) == code(Array(name.utf8), key: Array(salt))
  }

  /// `name` hashed with a salt of its own.
  static func hashed(_ name: String) -> String {
    let salt = (0..<20).map { _ in UInt8.random(in: 0...255) }
    let hash = code(Array(name.utf8), key: salt)
    return "|1|\(Data(salt).base64EncodedString())|\(Data(hash).base64EncodedString())"
  }

  /// HMAC with SHA-1 (RFC 2104).
  static func code(_ message: [UInt8], key: [UInt8]) -> [UInt8] {
    let key = key.count > 64 ? sha1(key) : key
    let block = key + [UInt8](repeating: 0, count: 64 - key.count)
    return sha1(block.map { $0 ^ 0x5c } + sha1(block.map { $0 ^ 0x36 } + message))
  }

  /// SHA-1 (FIPS 180-4, 6.1).
  static func sha1(_ message: [UInt8]) -> [UInt8] {
    var bytes = message + [0x80]
    while bytes.count % 64 != 56 { bytes.append(0) }
    let bits = UInt64(message.count) * 8
    bytes += (0..<8).map { UInt8(truncatingIfNeeded: bits >> (56 - 8 * $0)) }
    var h: [UInt32] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0]
    for start in stride(from: 0, to: bytes.count, by: 64) {
      var w = (0..<16).map { word in
        (0..<4).reduce(UInt32(0)) { $0 << 8 | UInt32(bytes[start + word * 4 + $1]) }
      }
      for t in 16..<80 { w.append(rotated(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], by: 1)) }
      var (a, b, c, d, e) = (h[0], h[1], h[2], h[3], h[4])
      for t in 0..<80 {
        let (f, k): (UInt32, UInt32) =
          switch t {
          case 0..<20: ((b & c) | (~b & d), 0x5a82_7999)
          case 20..<40: (b ^ c ^ d, 0x6ed9_eba1)
          case 40..<60: ((b & c) | (b & d) | (c & d), 0x8f1b_bcdc)
          default: (b ^ c ^ d, 0xca62_c1d6)
          }
        let next = rotated(a, by: 5) &+ f &+ e &+ k &+ w[t]
        (a, b, c, d, e) = (next, a, rotated(b, by: 30), c, d)
      }
      h = zip(h, [a, b, c, d, e]).map { $0 &+ $1 }
    }
    return h.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (24 - 8 * $0)) } }
  }

  private static func rotated(_ word: UInt32, by count: UInt32) -> UInt32 {
    word << count | word >> (32 - count)
  }
}
