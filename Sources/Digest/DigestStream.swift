import CSodium

/// SHA-256 of bytes that come in pieces, such as a file's.
public struct DigestStream: ~Copyable {
  private var state = crypto_hash_sha256_state()

  /// A stream of which nothing has come yet.
  public init() { _ = crypto_hash_sha256_init(&state) }

  /// Takes the next piece.
  public mutating func update(_ bytes: some Collection<UInt8>) {
    let piece = Array(bytes)
    _ = crypto_hash_sha256_update(&state, piece, UInt64(piece.count))
  }

  /// The digest of all pieces.
  public consuming func finish() -> Digest {
    var output = [UInt8](repeating: 0, count: Int(crypto_hash_sha256_BYTES))
    _ = crypto_hash_sha256_final(&state, &output)
    return Digest(sha256: output)
  }
}

extension Digest {
  /// A digest whose 32 bytes are known.
  fileprivate init(sha256 bytes: [UInt8]) { self.bytes = bytes }
}
