import Foundation
import Glibc

/// A private key in a file, as far as it can be read without its passphrase.
struct PrivateKeyFile {
  /// What a file turned out to be.
  enum Reading {
    case missing
    case unusable(String)
    case key(PrivateKeyFile)
  }

  let path: String
  /// Whether a passphrase is needed.
  let isEncrypted: Bool
  /// The public key, where the file or the one beside it tells it.
  let publicKey: HostKey?

  /// RSA keys come last: they are the ones that hosts refuse.
  var isRSA: Bool { publicKey?.type == "ssh-rsa" }

  /// Reads the file at `path`.
  static func read(_ path: String) -> Reading {
    var status = stat()
    guard stat(path, &status) == 0 else {
      return errno == ENOENT || errno == ENOTDIR ? .missing : .unusable(String(cString: strerror(errno)))
    }
    // As ssh has it: the owner's key is not used where others can read it.
    if status.st_uid == getuid(), status.st_mode & 0o077 != 0 {
      return .unusable("others can read it (chmod 600)")
    }
    guard status.st_size < 1 << 20, let data = FileManager.default.contents(atPath: path) else {
      return .unusable("it can't be read")
    }
    let text = String(decoding: data, as: UTF8.self)
    let beside = publicKey(beside: path)
    if text.contains("-----BEGIN OPENSSH PRIVATE KEY-----") {
      guard let key = openSSH(text, path) else { return .unusable("it is damaged") }
      return .key(key)
    }
    guard text.contains("PRIVATE KEY-----") else { return .unusable("it is no private key") }
    let isEncrypted = text.contains("BEGIN ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED")
    return .key(PrivateKeyFile(path: path, isEncrypted: isEncrypted, publicKey: beside))
  }

  /// OpenSSH's own format (its file PROTOCOL.key): the public key stands in clear before the encrypted part.
  private static func openSSH(_ text: String, _ path: String) -> PrivateKeyFile? {
    let base64 = text.split(whereSeparator: \.isNewline).filter { !$0.hasPrefix("-----") }.joined()
    let magic = Array("openssh-key-v1\0".utf8)
    guard let data = Data(base64Encoded: base64), data.starts(with: magic) else { return nil }
    var reader = WireReader(Array(data)[magic.count...])
    guard let cipher = reader.string(), reader.string() != nil, reader.string() != nil, reader.number() == 1,
      let blob = reader.string()
    else { return nil }
    return PrivateKeyFile(
      path: path, isEncrypted: !cipher.elementsEqual("none".utf8), publicKey: HostKey(blob: Array(blob)))
  }

  /// The key in `FILE.pub`, if it is there.
  private static func publicKey(beside path: String) -> HostKey? {
    guard let data = FileManager.default.contents(atPath: path + ".pub") else { return nil }
    let fields = String(decoding: data, as: UTF8.self).split(whereSeparator: \.isWhitespace)
    guard fields.count >= 2 else { return nil }
    return Data(base64Encoded: String(fields[1])).flatMap { HostKey(blob: Array($0)) }
  }

  /// The public key that `path` stands for, though the private one may be in the agent only.
  static func publicKey(of path: String) -> HostKey? {
    if case .key(let file) = read(path), let key = file.publicKey { return key }
    return publicKey(beside: path)
  }
}
