import Coordinator
import Foundation
import Glibc
import Secrets
import Testing

/// A directory of a test's own, in which a vault is.
struct Scene {
  let directory: String
  var vault: VaultFile { VaultFile(path: directory + "/secrets.yaml") }
  var keyFile: String { directory + "/secrets.key" }

  /// Hands `body` an empty directory, and removes it afterwards.
  static func with(_ body: (Scene) async throws -> Void) async throws {
    var template = Array("/tmp/eventor-secrets-XXXXXX".utf8CString)
    let isMade = mkdtemp(&template) != nil
    try #require(isMade)
    let scene = Scene(
      directory: String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self))
    defer { try? FileManager.default.removeItem(atPath: scene.directory) }
    try await body(scene)
  }

  /// Makes a vault with a key file, and these secrets.
  @discardableResult
  func make(_ secrets: [String: String] = [:]) throws -> VaultKey {
    let key = try vault.make(keyFile: keyFile)
    try vault.change { vault in
      for (name, text) in secrets { try vault.set(name, to: secret(text), with: key) }
    }
    return key
  }

  /// All secrets, opened with what the vault says of its key.
  func secrets(_ offer: KeyOffer = KeyOffer()) throws -> [String: String] {
    let content = try vault.read()
    let key = try offer.key(of: content).key
    return try Dictionary(
      uniqueKeysWithValues: content.entries.keys.map { ($0, text(try content.value(of: $0, with: key))) })
  }

  func write(_ name: String, _ text: String, mode: Int = 0o600) throws {
    let path = directory + "/" + name
    try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
  }

  func content(of name: String) throws -> String {
    try String(contentsOfFile: directory + "/" + name, encoding: .utf8)
  }

  /// A descriptor from which `text` can be read.
  static func descriptor(_ text: String) throws -> Int32 {
    var ends: [Int32] = [-1, -1]
    let isMade = pipe(&ends) == 0
    try #require(isMade)
    let count = text.withCString { Glibc.write(ends[1], $0, text.utf8.count) }
    close(ends[1])
    #expect(count == text.utf8.count)
    return ends[0]
  }
}

func secret(_ text: String) throws -> SecretBytes { try SecretBytes(copying: Array(text.utf8)) }

func text(_ secret: SecretBytes) -> String { secret.withBytes { String(decoding: $0, as: UTF8.self) } }

/// Expects an error of this kind, whose text is one line and holds nothing of `hidden`.
func expect<T>(
  _ kinds: SecretError.Kind..., hidden: String = "hunter2", from place: SourceLocation = #_sourceLocation,
  _ body: () throws -> T
) {
  do {
    _ = try body()
    Issue.record("nothing was thrown", sourceLocation: place)
  } catch let error as SecretError {
    #expect(kinds.contains(error.kind), "\(error.kind): \(error)", sourceLocation: place)
    #expect(!error.description.contains(hidden), sourceLocation: place)
    #expect(!error.description.contains { $0.isNewline }, sourceLocation: place)
  } catch {
    Issue.record("another error: \(error)", sourceLocation: place)
  }
}
