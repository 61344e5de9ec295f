import Foundation
import Secrets
import Testing

@Suite("Entries of a vault")
struct EntryTests {
  private static let value = "postgresql://eventor:hunter2-and-more@db1/eventor"

  @Test("what was kept comes back, whatever its length and bytes; the entry tells neither")
  func roundTrip() throws {
    let key = try VaultKey.random()
    var vault = Vault(key: key, from: .file("/k"))
    for count in [1, 2, 63, 64, 65, 127, 128, 4096, Vault.longestValue] {
      let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 % 255 + 1) }
      try vault.set("s", to: SecretBytes(copying: bytes), with: key)
      #expect(try vault.value(of: "s", with: key).withBytes { Array($0) } == bytes)
      #expect(vault.entries["s"]?.keyID == key.id)
    }
    try vault.set("a", to: secret("1"), with: key)
    try vault.set("b", to: secret("a longer one"), with: key)
    let (a, b) = try (#require(vault.entries["a"]), #require(vault.entries["b"]))
    #expect(a.description.count == b.description.count)
    try vault.set("b", to: secret("1"), with: key)
    #expect(vault.entries["b"]?.description != b.description)
    expect(.badValue) { try vault.set("s", to: SecretBytes(copying: []), with: key) }
    expect(.badValue) { try vault.set("s", to: secret("a\0b"), with: key) }
    expect(.badValue) {
      try vault.set(
        "s", to: SecretBytes(copying: [UInt8](repeating: 1, count: Vault.longestValue + 1)), with: key)
    }
  }

  /// What reading the vault with `entry` in place of secret `s`, and opening that, comes to.
  private func open(_ entry: String, as name: String = "s", _ key: VaultKey) throws -> SecretBytes {
    try Vault(keyID: key.id, source: .file("/k"), entries: [name: entry]).value(of: name, with: key)
  }

  @Test("each byte of an entry changed in turn, each bit of it: always refused")
  func flips() throws {
    let key = try VaultKey.random()
    var vault = Vault(key: key, from: .file("/k"))
    try vault.set("s", to: secret(Self.value), with: key)
    let entry = Array(try #require(vault.entries["s"]).description.utf8)
    #expect(try text(open(String(decoding: entry, as: UTF8.self), key)) == Self.value)
    for place in entry.indices {
      for bit in 0..<8 {
        var changed = entry
        changed[place] ^= 1 << bit
        expect(.malformed, .oldKey, .tampered) { try open(String(decoding: changed, as: UTF8.self), key) }
      }
    }
  }

  @Test("an entry cut off anywhere, or with something after it, is refused")
  func truncation() throws {
    let key = try VaultKey.random()
    var vault = Vault(key: key, from: .file("/k"))
    try vault.set("s", to: secret(Self.value), with: key)
    let entry = try #require(vault.entries["s"]).description
    for count in 0..<entry.count {
      expect(.malformed, .tampered) { try open(String(entry.prefix(count)), key) }
    }
    for more in ["A", "AAAA", "=", ".", " ", "\n", String(repeating: "A", count: 1 << 16)] {
      expect(.malformed, .tampered) { try open(entry + more, key) }
    }
  }

  @Test("an entry is of use under its own name only")
  func swap() throws {
    let key = try VaultKey.random()
    var vault = Vault(key: key, from: .file("/k"))
    try vault.set("a", to: secret("hunter2"), with: key)
    try vault.set("b", to: secret("other"), with: key)
    let (a, b) = try (#require(vault.entries["a"]), #require(vault.entries["b"]))
    let swapped = try Vault(keyID: key.id, source: .file("/k"), entries: ["a": "\(b)", "b": "\(a)"])
    expect(.tampered) { try swapped.value(of: "a", with: key) }
    expect(.tampered) { try swapped.value(of: "b", with: key) }
    expect(.tampered) { try open("\(a)", as: "aa", key) }
    expect(.noSuchSecret) { try swapped.value(of: "c", with: key) }
  }

  @Test("another key, and an entry of before a rotation, are told apart")
  func keys() throws {
    let (old, new) = try (VaultKey.random(), VaultKey.random())
    var vault = Vault(key: old, from: .file("/k"))
    try vault.set("s", to: secret("hunter2"), with: old)
    expect(.wrongKey) { try vault.value(of: "s", with: new) }
    expect(.wrongKey) { try vault.set("s", to: secret("x"), with: new) }
    let entry = try #require(vault.entries["s"])
    let next = try vault.rekeyed(from: old, to: new, source: .file("/k"))
    #expect(try text(next.value(of: "s", with: new)) == "hunter2")
    expect(.wrongKey) { try next.value(of: "s", with: old) }
    expect(.oldKey) { try open("\(entry)", new) }
    // The old entry dressed as a new one.
    let dressed = "\(entry)".replacing(old.id, with: new.id)
    expect(.tampered) { try open(dressed, new) }
    // One bad entry, and nothing is encrypted anew.
    let mixed = try Vault(
      keyID: new.id, source: .file("/k"), entries: ["s": "\(entry)", "t": "\(#require(next.entries["s"]))"])
    expect(.oldKey, .tampered) { try mixed.rekeyed(from: new, to: old, source: .file("/k")) }
  }
}
