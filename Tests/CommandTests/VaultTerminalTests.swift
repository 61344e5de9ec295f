import Foundation
import Glibc
import TestSupport
import Testing

/// Passphrases and secrets as somebody types them, on a terminal: never shown, and the terminal is left as it was.
@Suite("The vault on a terminal")
struct VaultTerminalTests {
  private typealias Line = (shown: String, typed: String)
  private static let words = "correct horse battery"

  /// Calls `coordinator` on a terminal, where somebody answers. What was typed in answer is not in what was shown.
  private func call(
    _ arguments: [String], _ dialogue: [Line], exit: Int32, in world: World,
    from place: SourceLocation = #_sourceLocation
  ) async throws -> String {
    let words = TerminalDialogue.words([Executable.path] + arguments, dialogue)
    let answer = try await world.start(
      Array(words.dropFirst()), env: world.tagged, executable: words[0]
    ).answer(from: place)
    #expect(answer.code == 0, "\(answer)", sourceLocation: place)
    let outcome = try TerminalDialogue.outcome(answer.stdout)
    #expect(outcome.code == exit, "\(outcome)", sourceLocation: place)
    #expect(outcome.echo, "the terminal no longer shows what is typed", sourceLocation: place)
    for line in dialogue {
      let typed = line.typed.trimmingCharacters(in: .controlCharacters)
      #expect(typed.isEmpty || !outcome.seen.contains(typed), "\(outcome)", sourceLocation: place)
    }
    return outcome.seen
  }

  private func makeVault(in world: World) async throws {
    try world.write("eventor.yaml", "databases: {prod: secret:prod}\n")
    _ = try await call(
      ["secret", "init", "--passphrase"],
      [("new passphrase: ", Self.words + "\r"), ("once more: ", Self.words + "\r")], exit: 0, in: world)
    #expect(world.exists("secrets.yaml"))
  }

  @Test("a new passphrase is asked for twice; two that differ, and a short one, make no vault")
  func newPassphrase() async throws {
    try await World.with { world in
      try world.write("eventor.yaml", "")
      let differ = try await call(
        ["secret", "init", "--passphrase"],
        [("new passphrase: ", Self.words + "\r"), ("once more: ", "correct horse batter\r")], exit: 2,
        in: world)
      #expect(differ.contains("the two are not the same"), "\(differ)")
      let short = try await call(
        ["secret", "init", "--passphrase"], [("new passphrase: ", "short\r")], exit: 2, in: world)
      #expect(short.contains("fewer than 8"), "\(short)")
      #expect(!world.exists("secrets.yaml"))
      try await makeVault(in: world)
    }
  }

  @Test(
    "a secret is typed, and mended while it is typed; a rotation asks for the old passphrase and a new one")
  func typedSecret() async throws {
    try await World.with { world in
      try await makeVault(in: world)
      // Ctrl-U forgets the line, Backspace a character of whatever length.
      _ = try await call(
        ["secret", "set", "prod"],
        [
          ("passphrase of the vault: ", Self.words + "\r"),
          ("prod: ", "nonsense\u{15}\(world.store)xé\u{7f}\u{7f}\r"),
        ], exit: 0, in: world)
      _ = try await call(
        ["db", "migrate"], [("passphrase of the vault: ", Self.words + "\r")], exit: 0, in: world)
      let wrong = try await call(
        ["runs"], [("passphrase of the vault: ", "incorrect horse\r")], exit: 2, in: world)
      #expect(wrong.contains("not that of the vault"), "\(wrong)")
      let newer = "another one of eight"
      _ = try await call(
        ["secret", "rotate"],
        [
          ("passphrase of the vault: ", Self.words + "\r"), ("new passphrase: ", newer + "\r"),
          ("once more: ", newer + "\r"),
        ], exit: 0, in: world)
      _ = try await call(["runs"], [("passphrase of the vault: ", Self.words + "\r")], exit: 2, in: world)
      _ = try await call(["runs"], [("passphrase of the vault: ", newer + "\r")], exit: 0, in: world)
      #expect(try world.files(holding: Self.words).names.isEmpty)
    }
  }

  @Test(
    "Ctrl-C is the end at once, with exit code 6, and nothing has changed", arguments: ["\u{3}", "half\u{3}"])
  func interrupted(typed: String) async throws {
    try await World.with { world in
      try await makeVault(in: world)
      let before = try world.text("secrets.yaml")
      for arguments in [
        ["secret", "rotate"], ["secret", "set", "prod"], ["secret", "list", "--public-key"],
      ] {
        _ = try await call(
          arguments, [("passphrase of the vault: ", typed)], exit: 6, in: world)
      }
      #expect(try world.text("secrets.yaml") == before)
    }
  }
}
