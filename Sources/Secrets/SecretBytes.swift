import CSodium
import Glibc

/// Bytes that must not leave this process: a key, a password.
///
/// They lie in memory of `sodium_malloc` (libsodium manual, "Secure memory"): between guard pages, locked against
/// swapping, left out of core dumps, wiped when the last reference goes. A process forked from this one finds zeros
/// in their place (`MADV_WIPEONFORK`, madvise(2)), so the keeper and the steps never hold them. A NUL follows the
/// bytes, so that C can read them where they are.
///
/// Unchecked because of the pointer: the memory is written in `init` only, and read-only by the hardware after.
public final class SecretBytes: @unchecked Sendable {
  /// How many bytes there are, without the NUL.
  public let count: Int
  /// Whether the system keeps them out of swap space; it refuses beyond `ulimit -l`.
  public let isLocked: Bool
  private let pointer: UnsafeMutablePointer<UInt8>

  /// So many bytes, which `fill` writes; they are 0 before.
  ///
  /// - Throws: ``SecretError`` with `.system` if there is no memory, and what `fill` throws.
  public init(count: Int, fill: (UnsafeMutablePointer<UInt8>) throws(SecretError) -> Void)
    throws(SecretError)
  {
    try Sodium.prepare()
    guard let memory = sodium_malloc(count + 1) else {
      throw SecretError(.system, "memory for secrets", "the system has none left", "raise `ulimit -v`")
    }
    pointer = memory.assumingMemoryBound(to: UInt8.self)
    self.count = count
    // Done by sodium_malloc, which doesn't tell whether it went well.
    isLocked = sodium_mlock(pointer, count + 1) == 0
    Self.forgetInChildren(pointer, count + 1)
    memset(pointer, 0, count + 1)
    try fill(pointer)
    sodium_mprotect_readonly(pointer)
  }

  /// A copy of `bytes`, which the caller wipes if they were secret.
  public convenience init(copying bytes: some Collection<UInt8>) throws(SecretError) {
    try self.init(count: bytes.count) { target in
      for (place, byte) in bytes.enumerated() { target[place] = byte }
    }
  }

  /// The bytes of this range.
  convenience init(_ whole: SecretBytes, _ range: Range<Int>) throws(SecretError) {
    try self.init(count: range.count) { target in
      whole.withPointer { target.update(from: $0 + range.lowerBound, count: range.count) }
    }
  }

  /// Random bytes.
  static func random(_ count: Int) throws(SecretError) -> SecretBytes {
    try SecretBytes(count: count) { randombytes_buf($0, count) }
  }

  deinit {
    // Wipes and unlocks them.
    sodium_free(pointer)
  }

  /// Shows the bytes to `body`, for the length of the call.
  public func withBytes<T, Failure: Error>(
    _ body: (UnsafeBufferPointer<UInt8>) throws(Failure) -> T
  ) throws(Failure) -> T {
    defer { withExtendedLifetime(self) {} }
    return try body(UnsafeBufferPointer(start: pointer, count: count))
  }

  /// Shows where the bytes are, for the length of the call.
  func withPointer<T, Failure: Error>(
    _ body: (UnsafePointer<UInt8>) throws(Failure) -> T
  ) throws(Failure) -> T {
    defer { withExtendedLifetime(self) {} }
    return try body(UnsafePointer(pointer))
  }

  /// Shows the bytes as C reads text, with a NUL at their end, for the length of the call.
  public func withCString<T, Failure: Error>(
    _ body: (UnsafePointer<CChar>) throws(Failure) -> T
  ) throws(Failure) -> T {
    defer { withExtendedLifetime(self) {} }
    return try body(UnsafeRawPointer(pointer).assumingMemoryBound(to: CChar.self))
  }

  /// Whether the bytes are the same, in a time that does not tell where they differ.
  public func isSame(as other: SecretBytes) -> Bool {
    guard count == other.count else { return false }
    return withPointer { mine in other.withPointer { sodium_memcmp(mine, $0, count) == 0 } }
  }

  /// madvise(2) with `MADV_WIPEONFORK` (Linux 4.14) on the pages of `sodium_malloc`'s region, whose first bytes are a
  /// canary of 16. An older kernel refuses; then a child has what a fork copies until it becomes another program.
  private static func forgetInChildren(_ pointer: UnsafeMutablePointer<UInt8>, _ count: Int) {
    let page = UInt(sysconf(Int32(_SC_PAGESIZE)))
    let address = UInt(bitPattern: pointer)
    let start = (address - 16) / page * page
    let end = (address + UInt(count) + page - 1) / page * page
    _ = madvise(UnsafeMutableRawPointer(bitPattern: start), Int(end - start), 18)
  }
}

extension SecretBytes: CustomStringConvertible, CustomReflectable {
  /// Nothing of them.
  public var description: String { "***" }
  /// Nothing of them, for debuggers and failed expectations of tests.
  public var customMirror: Mirror { Mirror(self, children: []) }
}
