import CSodium

/// Secrets on their way to another host: a line `evx1.KEY.DATA`, the public key they are for and, in base64 for URLs,
/// what only that host can open.
///
/// `crypto_box_seal` (libsodium manual, "Sealed boxes"): X25519 with a key pair made for this one message. It tells
/// nothing of who sealed it, so whoever imports must know where the line comes from; the SSH session says that.
/// Inside are, for each secret, its name's length in 2 bytes, the name, the value's length in 4, the value.
public struct SealedExport: Sendable, CustomStringConvertible {
  private static let version = "evx1"
  private static let overhead =
    Int(crypto_box_curve25519xsalsa20poly1305_PUBLICKEYBYTES)
    + Int(crypto_box_curve25519xsalsa20poly1305_MACBYTES)
  /// The most bytes of an export that are read.
  public static let limit = 4 << 20

  private let recipient: PublicKey
  private let data: [UInt8]

  /// Seals `secrets` for `recipient`.
  ///
  /// - Throws: ``SecretError`` with `.badPublicKey` for a key of which nobody has the other half.
  public init(_ secrets: [(name: String, value: SecretBytes)], for recipient: PublicKey) throws(SecretError) {
    let message = try Self.pack(secrets)
    var sealed = [UInt8](repeating: 0, count: message.count + Self.overhead)
    let status = message.withPointer {
      crypto_box_seal(&sealed, $0, UInt64(message.count), recipient.point)
    }
    guard status == 0 else {
      throw SecretError(
        .badPublicKey, "the public key", "nothing can be sealed for it",
        "call `coordinator secret list --public-key` on the other host")
    }
    self.recipient = recipient
    data = sealed
  }

  /// Reads an export; spaces and line ends around it do not matter.
  ///
  /// - Throws: ``SecretError`` with `.badExport`.
  public init(_ text: String) throws(SecretError) {
    let words = text.split(whereSeparator: \.isWhitespace)
    let parts = (words.first ?? "").split(separator: ".", omittingEmptySubsequences: false)
    guard words.count == 1, parts.count == 3, parts[0] == Self.version,
      let data = Sodium.bytes(base64: parts[2]),
      data.count >= Self.overhead, let point = Sodium.bytes(base64: parts[1]), point.count == PublicKey.length
    else { throw Self.broken }
    recipient = PublicKey(point: point)
    self.data = data
  }

  /// The secrets, by whoever has `key`.
  ///
  /// - Throws: ``SecretError`` with `.notForUs` or `.badExport`.
  public func open(with key: VaultKey) throws(SecretError) -> [(name: String, value: SecretBytes)] {
    guard recipient == key.publicKey else {
      throw SecretError(
        .notForUs, "the export", "it was sealed for another key than this vault's",
        "export again with --for \(key.publicKey)")
    }
    var status: Int32 = -1
    let message = try SecretBytes(count: data.count - Self.overhead) { target in
      key.privateKey.withPointer {
        status = crypto_box_seal_open(target, data, UInt64(data.count), recipient.point, $0)
      }
    }
    guard status == 0 else { throw Self.broken }
    return try Self.unpack(message)
  }

  /// The export as it is sent.
  public var description: String {
    "\(Self.version).\(Sodium.base64(recipient.point)).\(Sodium.base64(data))"
  }

  private static let broken = SecretError(
    .badExport, "the export", "it was changed or cut off on its way, or is none",
    "export again; standard input must be what `coordinator secret export` printed")

  private static func pack(_ secrets: [(name: String, value: SecretBytes)]) throws(SecretError) -> SecretBytes
  {
    let count = secrets.reduce(0) { $0 + 6 + $1.name.utf8.count + $1.value.count }
    return try SecretBytes(count: count) { target in
      var place = 0
      func put(_ bytes: some Swift.Sequence<UInt8>) {
        for byte in bytes {
          target[place] = byte
          place += 1
        }
      }
      for (name, value) in secrets {
        put(Self.number(name.utf8.count, bytes: 2))
        put(name.utf8)
        put(Self.number(value.count, bytes: 4))
        value.withBytes { put($0) }
      }
    }
  }

  private static func unpack(_ message: SecretBytes) throws(SecretError) -> [(
    name: String, value: SecretBytes
  )] {
    var place = 0
    func take(_ count: Int) throws(SecretError) -> Range<Int> {
      guard count <= message.count - place else { throw broken }
      defer { place += count }
      return place..<place + count
    }
    func number(bytes: Int) throws(SecretError) -> Int {
      let range = try take(bytes)
      return message.withBytes { $0[range].reduce(0) { $0 << 8 | Int($1) } }
    }
    var secrets: [(name: String, value: SecretBytes)] = []
    while place < message.count {
      let nameRange = try take(try number(bytes: 2))
      let name = message.withBytes { String(decoding: $0[nameRange], as: UTF8.self) }
      secrets.append((name, try SecretBytes(message, try take(try number(bytes: 4)))))
    }
    return secrets
  }

  /// Big-endian.
  private static func number(_ value: Int, bytes: Int) -> [UInt8] {
    (0..<bytes).reversed().map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
  }
}
