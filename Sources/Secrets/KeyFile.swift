import Glibc

/// A file that holds the key of a vault, for its owner's eyes only.
public struct KeyFile: Sendable {
  /// Where it is.
  public let path: String
  private static let limit = 4096

  /// The key file at `path`.
  public init(_ path: String) { self.path = path }

  /// The keys in it: one, or two while a rotation is under way.
  ///
  /// - Throws: ``SecretError`` with `.noKey` if there is no file, `.exposed` if others may read or replace it,
  ///   `.badKey` if it holds none.
  public func keys() throws(SecretError) -> [VaultKey] {
    let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard file >= 0 else { throw unreadable(errno) }
    defer { close(file) }
    var status = stat()
    guard fstat(file, &status) == 0 else { throw unreadable(errno) }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw SecretError(.badKey, path, "it is no plain file", "use --key-fd for a key from elsewhere")
    }
    guard status.st_mode & 0o077 == 0 else {
      throw SecretError(
        .exposed, "the key file \(path)", "others may read it (mode \(Self.octal(status.st_mode)))",
        "chmod 600 \(path), and rotate if others have had access: coordinator secret rotate")
    }
    let owner = status.st_uid
    let directoryOwner = try checkDirectory()
    // root looks after agents of other accounts: their keys are in directories of theirs, and no third party has them.
    guard owner == 0 || owner == geteuid() || geteuid() == 0 && owner == directoryOwner else {
      throw SecretError(
        .exposed, "the key file \(path)", "it belongs to another user", "chown it to the user who needs it")
    }
    return try KeyText.keys(in: SecretInput.read(file, limit: Self.limit, from: path), from: path)
  }

  /// Writes these keys, in place of what the file held.
  ///
  /// - Throws: ``SecretError`` with `.unwritable` or `.exposed`.
  public func write(_ keys: [VaultKey]) throws(SecretError) {
    try checkDirectory()
    let text = try KeyText.text(of: keys)
    try text.withBytes { (bytes) throws(SecretError) in
      try DurableFile.replace(path, with: bytes, mode: 0o600)
    }
  }

  /// Whether there is something at the path.
  public var isThere: Bool { access(path, F_OK) == 0 }

  /// Whoever may write to the directory may put a file of his own there, unless the sticky bit keeps files to their owners.
  /// Returns the directory's owner.
  @discardableResult
  private func checkDirectory() throws(SecretError) -> uid_t {
    let directory = DurableFile.directory(of: path)
    var status = stat()
    guard stat(directory, &status) == 0 else { throw unreadable(errno) }
    let isOpen = status.st_mode & 0o022 != 0 && status.st_mode & S_ISVTX == 0
    guard !isOpen, status.st_uid == 0 || status.st_uid == geteuid() || geteuid() == 0 else {
      throw SecretError(
        .exposed, "the directory \(directory)",
        isOpen
          ? "others may replace the key file in it (mode \(Self.octal(status.st_mode)))"
          : "it belongs to another user, who may replace the key file in it",
        isOpen ? "chmod go-w \(directory)" : "keep the key in a directory of your own")
    }
    return status.st_uid
  }

  private func unreadable(_ code: Int32) -> SecretError {
    if code == ENOENT || code == ENOTDIR {
      return SecretError(
        .noKey, "the key file \(path)", "there is none",
        "name it with --key-file, give the key by --key-fd, or make a vault: coordinator secret init")
    }
    return SecretError(
      .noKey, "the key file \(path)", String(cString: strerror(code)), "it must be readable for this user")
  }

  private static func octal(_ mode: mode_t) -> String { String(mode & 0o7777, radix: 8) }
}
