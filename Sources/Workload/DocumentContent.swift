/// The bytes of documents, which follow from the seed, the document and the number of its revision alone.
public struct DocumentContent: Sendable, Hashable {
  /// Bytes in each document.
  public let size: Int
  /// How many of them are random; the others are all the same.
  private let random: Int
  private let seed: UInt64

  /// Content of `size` bytes, of which `compressible` percent can be compressed away.
  public init(size: Int, compressible: Int, seed: Int64) {
    self.size = size
    random = size - size * compressible / 100
    self.seed = UInt64(bitPattern: seed)
  }

  /// The content of revision number `revision` of `document`.
  public func bytes(of document: Int, revision: Int) -> [UInt8] {
    var generator = SplitMix64(
      state: SplitMix64.mix(
        SplitMix64.mix(SplitMix64.mix(seed) ^ UInt64(document)) ^ UInt64(revision)))
    return Array(unsafeUninitializedCapacity: size) { buffer, count in
      let bytes = UnsafeMutableRawBufferPointer(buffer)
      var place = 0
      while place + 8 <= random {
        bytes.storeBytes(of: generator.next().littleEndian, toByteOffset: place, as: UInt64.self)
        place += 8
      }
      var rest = generator.next()
      while place < random {
        bytes[place] = UInt8(truncatingIfNeeded: rest)
        rest >>= 8
        place += 1
      }
      while place < size {
        bytes[place] = UInt8(ascii: "x")
        place += 1
      }
      count = size
    }
  }
}

/// Steele, Lea and Flood's SplitMix64 ("Fast splittable pseudorandom number generators", 2014), whose reference
/// in C by Sebastiano Vigna is in the public domain: eight random bytes in a nanosecond, the same on every machine.
struct SplitMix64 {
  private var state: UInt64

  init(state: UInt64) { self.state = state }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    return Self.finish(state)
  }

  /// One step from `value`: spreads numbers that lie close together.
  static func mix(_ value: UInt64) -> UInt64 { finish(value &+ 0x9e37_79b9_7f4a_7c15) }

  private static func finish(_ value: UInt64) -> UInt64 {
    var z = value
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}
