import Foundation
import Glibc
import TestSupport
import Testing

@Suite("The commands of the vault")
struct VaultCommandTests {
  @Test("secrets are set, listed with what needs them, replaced and removed")
  func flow() async throws {
    try await World.with { world in
      try await world.makeVault()
      var status = stat()
      #expect(stat(world.path("key"), &status) == 0 && status.st_mode & 0o777 == 0o600)
      #expect(stat(world.path("secrets.yaml"), &status) == 0 && status.st_mode & 0o077 == 0)
      try await world.setSecret("prod", "mysql://u:hunter2@h/d\n")
      try await world.setSecret("spare", "hunter2")
      let list = try await world.shell("$c secret list --output tsv --no-header --columns name,used_by")
      #expect(list.lines == ["prod\tprod", "spare\t"], "\(list)")
      #expect(try world.files(holding: "hunter2").names.isEmpty)
      let doctor = try await world.shell("$c doctor --store sqlite::memory:")
      #expect(doctor.stdout.contains("ok    secrets: 2 in"), "\(doctor)")
      let asked = try await world.shell("$c secret remove prod </dev/null")
      #expect(asked.code == 2 && asked.stderr.contains("--yes"), "\(asked)")
      let dry = try await world.shell("$c secret remove prod --dry-run")
      #expect(dry.stdout.contains("would remove 1 secret: prod, which prod needs"), "\(dry)")
      #expect(try await world.shell("$c secret remove prod --yes").code == 0)
      #expect(try await world.shell("$c secret remove prod --yes").code == 3)
      let json = try await world.shell("$c secret list --json")
      #expect(json.stdout.contains("\"spare\"") && !json.stdout.contains("\"prod\""), "\(json)")
      let again = try await world.shell("$c secret init --key-file other")
      #expect(again.code == 1 && again.errorLines.count == 1 && !world.exists("other"), "\(again)")
    }
  }

  @Test("what is no secret, no name or no URL is refused, and never shown")
  func refusals() async throws {
    try await World.with { world in
      try world.write("eventor.yaml", "databases: {prod: secret:prod}\n")
      for script in ["$c secret list", "echo x | $c secret set a", "$c secret rotate", "$c runs"] {
        let answer = try await world.shell(script)
        #expect(answer.code == 3 && answer.errorLines.count == 1, "\(answer)")
        #expect(answer.stderr.contains("secret init"), "\(answer)")
      }
      try await world.makeVault()
      for (name, value) in [
        ("prod", ""), ("prod", "\n"), ("prod", "mysql://u:hunter2%@h/d"),
        ("prod", "postgresql://u:hunter2@h:x/d"),
        ("prod", "postgresql://u@h/d?password=hunter2"), ("a b", "hunter2"), ("..", "hunter2"),
        ("prod", String(repeating: "hunter2", count: 20_000)),
      ] {
        let answer = try await world.setSecret(name, value, exit: 2)
        #expect(answer.stderr.hasPrefix("error: ") && !answer.description.contains("hunter2"), "\(answer)")
      }
      for script in [
        "$c secret set prod hunter2", "$c secret set", "$c secret export", "$c secret export --for hunter2",
        "echo hunter2 | $c secret import", "$c secret import </dev/null",
        "echo x | $c secret set p --key-fd 0",
        "echo x | $c secret set p --key-fd 9", "$c secret init --key-fd 3 3</dev/null",
        "$c secret init --passphrase --key-file k", "$c runs --key-fd 1", "$c runs --store secret:",
      ] {
        let answer = try await world.shell(script)
        #expect(answer.code == 2 || answer.code == 3, "\(answer)")
        #expect(!answer.stderr.contains("internal error"), "\(answer)")
      }
      let none = try await world.shell("$c runs")
      #expect(none.code == 3 && none.stderr.contains("secret set prod"), "\(none)")
    }
  }

  @Test(
    "a vault that is exposed, cut off, changed or has another key: one error, exit 2, for commands and agents"
  )
  func spoilt() async throws {
    try await World.with { world in
      try await world.makeVault()
      try await world.setSecret("prod", world.store)
      try await world.setSecret("other", "hunter2")
      let good = try world.text("secrets.yaml")
      let entries = good.matches(of: #/: "(ev1\.[^"]*)"/#).map { String($0.1) }
      try #require(entries.count == 2)
      func spoil(_ text: String, _ expected: String) async throws {
        try world.write("secrets.yaml", text, mode: 0o600)
        try await refused(world, expected)
      }
      let swapped = good.replacing(entries[0], with: "@").replacing(entries[1], with: entries[0]).replacing(
        "@", with: entries[1])
      try await spoil(swapped, "was changed, or moved there from another name")
      let prod = entries[1]
      try await spoil(good.replacing(prod, with: String(prod.dropLast(8))), "cut off")
      try await spoil(String(good.prefix(good.count - 40)), "restore the file from a backup")
      let place = prod.index(prod.endIndex, offsetBy: -30)
      let flipped = prod.replacingCharacters(in: place...place, with: prod[place] == "A" ? "B" : "A")
      try await spoil(good.replacing(prod, with: flipped), "was changed")
      try await spoil("format: 7\nkey: {id: x}\nentries: {}\n", "format")
      try world.write("secrets.yaml", good, mode: 0o666)
      try await refused(world, "chmod go-w")
      try world.write("secrets.yaml", good, mode: 0o600)
      chmod(world.path("key"), 0o644)
      try await refused(world, "chmod 600")
      chmod(world.path("key"), 0o600)
      // An entry of before a rotation, put back.
      #expect(try await world.shell("$c secret rotate").code == 0)
      let rotated = try world.text("secrets.yaml")
      let newer = rotated.matches(of: #/: "(ev1\.[^"]*)"/#).map { String($0.1) }
      try await spoil(rotated.replacing(newer[1], with: prod), "encrypted it")
      try await spoil(good, "the one at hand is")
      try world.write("secrets.yaml", rotated, mode: 0o600)
      #expect(try await world.shell("$c db migrate").code == 0)
    }
  }

  /// Refused by a command, and by the agent, at the same time.
  private func refused(_ world: World, _ expected: String) async throws {
    for call in try [
      world.start(["runs"], env: world.tagged),
      world.start(["--store", "prod", "--once"], env: world.tagged, executable: Executable.agent),
    ] {
      let answer = await call.answer()
      #expect(answer.code == 2, "\(answer)")
      #expect(answer.errorLines.count == 1 && answer.stderr.hasPrefix("error: "), "\(answer)")
      #expect(answer.stderr.contains(expected), "\(answer)")
    }
  }

  @Test("an export for another host goes into its vault through one pipe, and into no other")
  func transfer() async throws {
    try await World.with { world in
      try await world.makeVault()
      try await world.setSecret("prod", "hunter2")
      try await world.setSecret("lab", "hunter3")
      try FileManager.default.createDirectory(atPath: world.path("far"), withIntermediateDirectories: true)
      try world.write("far/eventor.yaml", "store: secret:prod\n")
      let script = """
        far="env EVENTOR_CONFIG=far/eventor.yaml EVENTOR_KEY_FILE=far/key $c"
        k=$($far secret init) && test "$k" = "$($far secret list --public-key)" || exit 9
        $c secret export --for "$k" | tee sealed | $far secret import
        """
      let first = try await world.shell(script)
      #expect(first.code == 0, "\(first)")
      #expect(first.stderr.contains("added: lab\nadded: prod\n"), "\(first)")
      let far = ["EVENTOR_CONFIG": world.path("far/eventor.yaml"), "EVENTOR_KEY_FILE": world.path("far/key")]
      let again = try await world.shell("$c secret import < sealed", env: far)
      #expect(again.code == 0 && again.stderr.contains("unchanged: lab\nunchanged: prod\n"), "\(again)")
      let here = try await world.shell("$c secret import < sealed")
      #expect(here.code == 2 && here.stderr.contains("sealed for another key"), "\(here)")
      try await world.setSecret("lab", "hunter4")
      let newer =
        "$c secret export lab --for $(env EVENTOR_CONFIG=far/eventor.yaml EVENTOR_KEY_FILE=far/key $c secret list --public-key)"
      #expect(try await world.shell("\(newer) > newer").code == 0)
      let refused = try await world.shell("$c secret import < newer", env: far)
      #expect(refused.code == 2 && refused.stderr.contains("replace lab"), "\(refused)")
      let dry = try await world.shell("$c secret import --dry-run < newer", env: far)
      #expect(dry.code == 0 && dry.stderr == "would be replaced: lab\n", "\(dry)")
      let replaced = try await world.shell("$c secret import --yes < newer", env: far)
      #expect(replaced.code == 0 && replaced.stderr == "replaced: lab\n", "\(replaced)")
      // After a rotation what was sealed before is of no use.
      #expect(try await world.shell("$c secret rotate", env: far).code == 0)
      #expect(try await world.shell("$c secret import < newer", env: far).code == 2)
      #expect(try world.files(holding: "hunter").names.isEmpty)
    }
  }

  @Test("a passphrase opens it by a descriptor, and is asked for on a terminal without being shown")
  func passphrase() async throws {
    try await World.with { world in
      try world.write("eventor.yaml", "databases: {prod: secret:prod}\n")
      let words = "correct horse battery"
      let env = ["WORDS": words, "URL": world.store]
      let made = try await world.shell("echo \"$WORDS\" | $c secret init --passphrase --key-fd 0", env: env)
      #expect(made.code == 0, "\(made)")
      let set = try await world.shell(
        "{ echo \"$URL\" | $c secret set prod --key-fd 3; } 3<<E\n$WORDS\nE", env: env)
      #expect(set.code == 0, "\(set)")
      let wrong = try await world.shell("echo nonsense | $c runs --key-fd 0")
      #expect(wrong.code == 2 && wrong.stderr.contains("not that of the vault"), "\(wrong)")
      let nobody = try await world.shell("setsid -w $c runs </dev/null")
      #expect(nobody.code == 2 && nobody.stderr.contains("no terminal"), "\(nobody)")
      // A terminal: `script` gives the command one, and what is typed comes a moment after it asks.
      let typed = try await world.shell(
        "{ until grep -q passphrase seen; do sleep 0.05; done; echo \"$WORDS\"; sleep 20 & } | timeout 60 script -qfec \"$c db migrate\" seen",
        env: env)
      let seen = try world.text("seen")
      #expect(typed.code == 0, "\(typed)\n\(seen)")
      #expect(seen.contains("passphrase of the vault: ") && !seen.contains(words), "\(seen)")
      #expect(try world.files(holding: words).names.isEmpty)
    }
  }

  @Test("a rotation killed at any moment loses nothing")
  func killed() async throws {
    try await World.with { world in
      try await world.makeVault()
      try await world.setSecret("prod", world.store)
      for number in 0..<5 { try await world.setSecret("s\(number)", "hunter\(number)") }
      let key = try await world.run("secret", "list", "--public-key", env: world.tagged).lines[0]
      for _ in 0..<Scale.count(8, full: 300) {
        let call = try world.start(["secret", "rotate"], env: world.tagged)
        try await Task.sleep(for: .microseconds(Int.random(in: 5_000...120_000)))
        call.signal(SIGKILL)
        _ = await call.answer()
        // Opens every secret.
        let open = try await world.run("secret", "export", "--for", key, env: world.tagged)
        #expect(open.code == 0 && open.stdout.hasPrefix("evx1."), "\(open)")
      }
      let list = try await world.run("secret", "list", "--output", "tsv", "--no-header", env: world.tagged)
      #expect(list.lines.count == 6 && !list.stdout.contains("old"), "\(list)")
      #expect(try await world.shell("$c secret rotate").code == 0)
      #expect(try await world.shell("$c db migrate").code == 0)
      let left = try FileManager.default.contentsOfDirectory(atPath: world.directory)
      #expect(!left.contains { $0.hasSuffix(".new") }, "\(left)")
    }
  }
}
