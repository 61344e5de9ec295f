/// What a file `secrets.yaml` says: names, and texts that only its key opens. What they are is for the vault to say.
public struct SecretsDocument: Sendable, Hashable {
  /// Which key it has.
  public struct Key: Sendable, Hashable {
    /// The key's id.
    public var id = ""
    /// Where the key file is.
    public var file: String?
    /// How the key comes from a passphrase.
    public var passphrase: Passphrase?
  }

  /// How a passphrase becomes the key.
  public struct Passphrase: Sendable, Hashable {
    /// Random, in base64.
    public var salt = ""
    /// Passes over the memory.
    public var operations = 0
    /// Bytes of memory.
    public var memory = 0
  }

  /// The form of the file.
  public var format = 0
  /// Which key it has.
  public var key = Key()
  /// Encrypted secrets by name.
  public var entries: [String: String] = [:]

  /// Nothing said.
  public init() {}

  /// Reads the file at `path`.
  public static func read(path: String) throws(DocumentError) -> SecretsDocument {
    // No value is repeated in a message: one in the wrong place may not be encrypted.
    var source = try Source(FileBytes.read(path: path), file: path, mayBeEmpty: false, quotesValues: false)
    let document = source.read(SecretsKeys.section, into: SecretsDocument())
    let diagnostics = source.diagnostics
    guard let document, !diagnostics.contains(where: { $0.severity == .error }) else {
      throw .invalid(diagnostics)
    }
    return document
  }
}
