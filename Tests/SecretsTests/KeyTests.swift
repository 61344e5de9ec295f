import Foundation
import Glibc
import Secrets
import Testing

@Suite("Keys of a vault")
struct KeyTests {
  @Test("the key file is for its owner alone, in a directory that others can't change")
  func modes() async throws {
    try await Scene.with { scene in
      try scene.make(["s": "hunter2"])
      var status = stat()
      #expect(stat(scene.keyFile, &status) == 0 && status.st_mode & 0o777 == 0o600)
      #expect(try scene.secrets() == ["s": "hunter2"])
      for mode in [0o604, 0o640, 0o660, 0o644, 0o620, 0o602, 0o601, 0o777] as [mode_t] {
        chmod(scene.keyFile, mode)
        expect(.exposed) { try scene.secrets() }
      }
      for mode in [0o400, 0o600, 0o700] as [mode_t] {
        chmod(scene.keyFile, mode)
        #expect(try scene.secrets() == ["s": "hunter2"])
      }
      for mode in [0o777, 0o770, 0o702] as [mode_t] {
        chmod(scene.directory, mode)
        expect(.exposed) { try scene.secrets() }
      }
      chmod(scene.directory, 0o1777)
      #expect(try scene.secrets() == ["s": "hunter2"])
      chmod(scene.directory, 0o755)
      for mode in [0o666, 0o620, 0o602] as [mode_t] {
        chmod(scene.vault.path, mode)
        expect(.exposed) { try scene.secrets() }
      }
      chmod(scene.vault.path, 0o644)
      #expect(try scene.secrets() == ["s": "hunter2"])
      if geteuid() == 0 {
        #expect(chown(scene.keyFile, 65534, 65534) == 0)
        expect(.exposed) { try scene.secrets() }
      }
    }
  }

  @Test("a key file that is missing, a directory, empty, cut off or anything else is refused")
  func broken() async throws {
    try await Scene.with { scene in
      let key = try scene.make(["s": "hunter2"])
      let good = try scene.content(of: "secrets.key")
      let other = try VaultKey.random()
      try KeyFile(scene.directory + "/other.key").write([other])
      expect(.wrongKey) { try scene.secrets(KeyOffer(file: scene.directory + "/other.key")) }
      for text in [
        "", "\n\n", "# a comment\n", "hunter2\n", good + good.dropFirst(30), "eventor-key-1:\n",
        String(good.dropLast(2)), good.replacing("eventor-key-1", with: "eventor-key-2"), good + "x",
        good.replacing("eventor-key-1:", with: "eventor-key-1: "),
        String(repeating: "x", count: 100_000),
      ] {
        try scene.write("secrets.key", text)
        expect(.badKey, .badValue) { try scene.secrets() }
      }
      try scene.write("secrets.key", good.replacing("\n", with: "\r\n"))
      #expect(try scene.secrets() == ["s": "hunter2"])
      // Both keys of a rotation under way.
      try KeyFile(scene.keyFile).write([other, key])
      #expect(try scene.secrets() == ["s": "hunter2"])
      try FileManager.default.removeItem(atPath: scene.keyFile)
      expect(.noKey) { try scene.secrets() }
      expect(.noKey) { try scene.secrets(KeyOffer(file: "/no/such/key")) }
      try FileManager.default.createDirectory(atPath: scene.keyFile, withIntermediateDirectories: false)
      expect(.badKey) { try scene.secrets() }
    }
  }

  @Test("each byte of a key changed in turn is another key or none")
  func flips() async throws {
    try await Scene.with { scene in
      try scene.make(["s": "hunter2"])
      let good = Array(try scene.content(of: "secrets.key").utf8)
      let start = try #require(good.firstIndex(of: UInt8(ascii: "\n"))) + 1
      for place in good.indices.dropFirst(start).dropLast() {
        var changed = good
        changed[place] ^= 1
        try Data(changed).write(to: URL(fileURLWithPath: scene.keyFile))
        chmod(scene.keyFile, 0o600)
        expect(.badKey, .wrongKey) { try scene.secrets() }
      }
    }
  }

  @Test("a key comes from a descriptor, too")
  func fromDescriptor() async throws {
    try await Scene.with { scene in
      try scene.make(["s": "hunter2"])
      let line = try scene.content(of: "secrets.key")
      try FileManager.default.removeItem(atPath: scene.keyFile)
      #expect(try scene.secrets(KeyOffer(descriptor: Scene.descriptor(line))) == ["s": "hunter2"])
      let bare = String(line.split(separator: "\n").last ?? "")
      #expect(try scene.secrets(KeyOffer(descriptor: Scene.descriptor(bare))) == ["s": "hunter2"])
      expect(.badKey) { try scene.secrets(KeyOffer(descriptor: Scene.descriptor("hunter2"))) }
      expect(.badKey) { try scene.secrets(KeyOffer(descriptor: Scene.descriptor(""))) }
    }
  }

  @Test("a passphrase opens the vault, another does not; its settings can't be weakened")
  func passphrase() async throws {
    try await Scene.with { scene in
      expect(.weakPassphrase) {
        try scene.vault.make(passphrase: { () throws(SecretError) in try .init(copying: [1]) })
      }
      let key = try scene.vault.make(passphrase: { () throws(SecretError) in
        try SecretBytes(copying: Array("four words and more".utf8))
      })
      try scene.vault.change { try $0.set("s", to: secret("hunter2"), with: key) }
      #expect(
        try scene.secrets(KeyOffer(descriptor: Scene.descriptor("four words and more\n"))) == ["s": "hunter2"]
      )
      expect(.wrongPassphrase) {
        try scene.secrets(KeyOffer(descriptor: Scene.descriptor("four words and mor")))
      }
      let (_, next) = try scene.vault.rotate(
        KeyOffer(descriptor: KeyOffer.handOn(key, as: nil)), newPassphrase: { try secret("another one") })
      expect(.wrongKey) { try scene.secrets(KeyOffer(descriptor: KeyOffer.handOn(key, as: nil))) }
      #expect(
        try scene.secrets(KeyOffer(descriptor: Scene.descriptor("another one"))) == ["s": "hunter2"])
      let handed = try KeyOffer.handOn(next, as: nil)
      #expect(try scene.secrets(KeyOffer(descriptor: handed)) == ["s": "hunter2"])
      let text = try scene.content(of: "secrets.yaml")
      for (setting, others) in [
        (
          "memory: 268435456", ["memory: 65536", "memory: 268435455", "memory: 99999999999999", "memory: -1"]
        ),
        ("operations: 3", ["operations: 1", "operations: 0", "operations: 4000000", "operations: 2.5"]),
        ("salt: \"", ["salt: \"A", "salt: \"=", "salt: \"\", x: \""]),
      ] {
        #expect(text.contains(setting))
        for other in others {
          try scene.write("secrets.yaml", text.replacing(setting, with: other))
          expect(.malformed) { try scene.vault.read() }
        }
      }
    }
  }
}
