/// What stands for the value of a secret parameter where that must not stand itself: `@secret:NAME`, the name of a secret in
/// the vault of whichever host needs the value.
public struct SecretReference: Sendable, Hashable, CustomStringConvertible {
  private static let prefix = "@secret:"

  /// The name of the secret.
  public let name: String

  /// Whether `text` means to be one, though its name may be none.
  public static func isMeant(_ text: String) -> Bool { text.hasPrefix(prefix) }

  /// The reference that `text` is; nil if it is none, or its name can't be one.
  public init?(_ text: String) {
    let name = String(text.dropFirst(Self.prefix.count))
    guard Self.isMeant(text), Name.isValid(name) else { return nil }
    self.name = name
  }

  /// The reference that a parameter's value is.
  public init?(_ value: JSONValue?) {
    guard case .string(let text)? = value else { return nil }
    self.init(text)
  }

  /// As it is written.
  public var description: String { Self.prefix + name }
}
