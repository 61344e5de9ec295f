import Foundation
import Secrets
import Testing

@Suite("Exports to another host")
struct ExportTests {
  @Test("what was sealed comes out at the host it is for, and nowhere else")
  func roundTrip() throws {
    let (here, there) = try (VaultKey.random(), VaultKey.random())
    let secrets = try [("a", secret("hunter2")), ("b.c-d", secret(String(repeating: "x", count: 60_000)))]
    let recipient = try PublicKey("\(there.publicKey)")
    let export = try SealedExport(secrets, for: recipient)
    #expect(!"\(export)".contains("hunter2"))
    let opened = try SealedExport(" \(export)\r\n").open(with: there)
    #expect(opened.map(\.name) == ["a", "b.c-d"])
    #expect(zip(opened, secrets).allSatisfy { $0.value.isSame(as: $1.1) })
    expect(.notForUs) { try SealedExport("\(export)").open(with: here) }
    #expect(try SealedExport([], for: recipient).open(with: there).isEmpty)
  }

  @Test("each byte of an export changed in turn, and any cut, is refused")
  func tampering() throws {
    let there = try VaultKey.random()
    let export = Array("\(try SealedExport([("a", secret("hunter2"))], for: there.publicKey))".utf8)
    for place in export.indices {
      for bit in 0..<7 {
        var changed = export
        changed[place] ^= 1 << bit
        expect(.badExport, .notForUs) {
          try SealedExport(String(decoding: changed, as: UTF8.self)).open(with: there)
        }
      }
      expect(.badExport) {
        try SealedExport(String(decoding: export.prefix(place), as: UTF8.self)).open(with: there)
      }
    }
    for text in [
      "", "\n", "hunter2", "evx1..", "evx1.A.A", "evx1.a.b.c", String(repeating: "x", count: 1 << 16),
    ] {
      expect(.badExport) { try SealedExport(text).open(with: there) }
    }
  }

  @Test("a public key with a slip in it, and one that has no other half, are refused")
  func publicKeys() throws {
    let good = "\(try VaultKey.random().publicKey)"
    #expect(try "\(PublicKey(good))" == good)
    for place in good.indices {
      let changed = good.replacingCharacters(in: place...place, with: good[place] == "A" ? "B" : "A")
      expect(.badPublicKey) { try PublicKey(changed) }
    }
    for text in ["", "evpk1.", String(good.dropLast()), good + "A", "ssh-ed25519 AAAA"] {
      expect(.badPublicKey) { try PublicKey(text) }
    }
  }
}
