import Coordinator
import Foundation
import Glibc
import Secrets
import Testing

@Suite("Files of a vault")
struct FileTests {
  @Test("a file cut off anywhere, or with a byte changed anywhere, opens as it was or is refused")
  func broken() async throws {
    try await Scene.with { scene in
      let key = try scene.make(["a": "hunter2", "b": "other"])
      let good = Array(try scene.content(of: "secrets.yaml").utf8)
      func look(_ bytes: [UInt8]) throws {
        try Data(bytes).write(to: URL(fileURLWithPath: scene.vault.path))
        do {
          let vault = try scene.vault.read()
          for name in vault.entries.keys {
            // A name may have become another; no value may.
            let value = text(try vault.value(of: name, with: key))
            #expect(["a": "hunter2", "b": "other"][name] == value)
          }
        } catch {
          // The one it must be; anything else fails the test.
          #expect(!error.description.isEmpty)
        }
      }
      for count in stride(from: 0, to: good.count, by: 7) { try look(Array(good.prefix(count))) }
      for place in good.indices {
        var changed = good
        changed[place] ^= 1
        try look(changed)
      }
    }
  }

  @Test("what is no vault, or one of a later version, is refused")
  func malformed() async throws {
    try await Scene.with { scene in
      expect(.noVault) { try scene.vault.read() }
      try scene.make(["a": "hunter2"])
      let good = try scene.content(of: "secrets.yaml")
      for text in [
        "", "[]", "format: 1\n", good.replacing("format: 1", with: "format: 2"),
        good.replacing("format: 1\n", with: ""), good.replacing("  file:", with: "  fil:"),
        good.replacing("  file: \"", with: "  passphrase: {}\n  file: \""),
        good.replacing("\"a\"", with: "\"a b\""), good + "more: 1\n", good + good,
        good.replacing("\n", with: "\n\t"), "key: *x",
      ] {
        try scene.write("secrets.yaml", text)
        expect(.malformed) { try scene.vault.read() }
      }
      try scene.write("secrets.yaml", good)
      #expect(try scene.secrets() == ["a": "hunter2"])
    }
  }

  @Test("a vault and a key file are never overwritten by making one")
  func making() async throws {
    try await Scene.with { scene in
      try scene.make(["a": "hunter2"])
      expect(.exists) { try scene.make() }
      expect(.exists) { try scene.vault.make(keyFile: scene.directory + "/other.key") }
      #expect(!FileManager.default.fileExists(atPath: scene.directory + "/other.key"))
      let elsewhere = VaultFile(path: scene.directory + "/new/dir/secrets.yaml")
      expect(.exists) { try elsewhere.make(keyFile: scene.keyFile) }
      #expect(try scene.secrets() == ["a": "hunter2"])
    }
  }

  private struct Stopped: Error {}

  @Test("a rotation stopped at any moment loses nothing", arguments: VaultFile.RotationMoment.allCases)
  func stopped(at moment: VaultFile.RotationMoment) async throws {
    try await Scene.with { scene in
      let former = try scene.make(["a": "hunter2", "b": "other"])
      #expect(throws: Stopped.self) {
        try scene.vault.rotate(KeyOffer(), newPassphrase: { throw Stopped() }) { reached in
          if reached == moment { throw Stopped() }
        }
      }
      #expect(try scene.secrets() == ["a": "hunter2", "b": "other"])
      // Whatever it left is cleared up by the next one.
      let (_, key) = try scene.vault.rotate(KeyOffer(), newPassphrase: { throw Stopped() })
      #expect(try scene.secrets() == ["a": "hunter2", "b": "other"])
      #expect(try KeyFile(scene.keyFile).keys().map(\.id) == [key.id])
      #expect(key.id != former.id)
      let files = try FileManager.default.contentsOfDirectory(atPath: scene.directory)
      #expect(files.sorted() == ["secrets.key", "secrets.yaml"])
    }
  }

  @Test("a rotation does not begin if a secret can't be opened, or another vault's key would be lost")
  func refused() async throws {
    try await Scene.with { scene in
      try scene.make(["a": "hunter2", "b": "other"])
      let line = try scene.content(of: "secrets.key")
      let other = try VaultKey.random()
      try KeyFile(scene.keyFile).write([other])
      let offer = KeyOffer(descriptor: try Scene.descriptor(line))
      expect(.exists) { try scene.vault.rotate(offer, newPassphrase: { throw Stopped() }) }
      #expect(try KeyFile(scene.keyFile).keys().map(\.id) == [other.id])
      try scene.write("secrets.key", line)
      let good = try scene.content(of: "secrets.yaml")
      try scene.write("secrets.yaml", good.replacing("\"a\":", with: "\"c\":"))
      expect(.tampered) { try scene.vault.rotate(KeyOffer(), newPassphrase: { throw Stopped() }) }
      #expect(try scene.content(of: "secrets.key") == line)
      try scene.write("secrets.yaml", good)
      #expect(try scene.secrets().count == 2)
    }
  }

  @Test("changes of many at a time are all kept")
  func together() async throws {
    try await Scene.with { scene in
      let key = try scene.make()
      try await withThrowingTaskGroup(of: Void.self) { group in
        for number in 0..<20 {
          group.addTask {
            try scene.vault.change { try $0.set("s\(number)", to: secret("v\(number)"), with: key) }
          }
        }
        try await group.waitForAll()
      }
      #expect(try scene.secrets().count == 20)
    }
  }
}
