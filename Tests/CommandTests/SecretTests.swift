import Foundation
import TestSupport
import Testing

@Suite("Secret parameters")
struct SecretTests {
  static let secret = "s3cr3t-Wert-17"
  static let program = """
    program: secretive
    parameters: {token: {type: string, secret: true, required: true}}
    steps:
      s:
        env: {TOKEN: "${param.token}"}
        shell: |
          echo "it is $TOKEN, again $TOKEN"
          test "$TOKEN" = "\(secret)" && echo used > used
          echo "{\\"token\\": \\"$TOKEN\\"}" > $EVENTOR_RESULT_FILE
      t: {after: [s], env: {TOKEN: "${param.token}"}, shell: "echo $TOKEN >&2; exit 1"}
    """

  /// The secret is nowhere in the world, but where the test itself wrote it.
  private func expectSilence(
    _ world: World, besides names: Set<String> = [], from place: SourceLocation = #_sourceLocation
  ) throws {
    var directories = [world.directory]
    if let path = world.url.path { directories.append((path as NSString).deletingLastPathComponent) }
    var seen = 0
    for directory in directories {
      let files = try #require(FileManager.default.enumerator(atPath: directory))
      for case let name as String in files where !names.contains(name) {
        guard let bytes = FileManager.default.contents(atPath: "\(directory)/\(name)") else { continue }
        seen += 1
        #expect(bytes.range(of: Data(Self.secret.utf8)) == nil, "\(directory)/\(name)", sourceLocation: place)
      }
    }
    #expect(seen > 3)
  }

  @Test("a secret from a file is used, and shown nowhere", arguments: TestStore.all)
  func fromAFile(kind: TestStore.Kind) async throws {
    try await World.with(kind, program: Self.program) { world in
      try world.write("token", Self.secret + "\n", mode: 0o600)
      let report = try await world.finish("--param", "token=@\(world.path("token"))", exit: 1)
      #expect(world.exists("used"))
      #expect(report["s"]?.status == "success")
      #expect(report["s"]?.result == .string("***"))
      #expect(!report.run.parameters.values.contains(.string(Self.secret)))
      let log = try await world.run("logs", "r", "s").stdout
      #expect(log.hasPrefix("it is *"))
      #expect(log.contains("again *"))
      for command in [
        ["status", "r"], ["status", "r", "--json"], ["logs", "r"], ["tasks", "r"], ["why", "r"],
      ] {
        let answer = try await world.start(command).answer()
        #expect(!answer.description.contains(Self.secret), "\(answer)")
      }
      // program.yaml holds it for the comparison in the step; what the store keeps of that is the program.
      try world.write("program.yaml", "")
      let kept = try await world.run("graph", "r")
      #expect(kept.code == 0)
    }
  }

  @Test("a secret from the environment is in no file of the run, nor in the database's bytes")
  func fromTheEnvironment() async throws {
    let program = Self.program.replacing(#" = "\#(Self.secret)""#, with: #" != """#)
    try await World.with(program: program) { world in
      let report = try await world.finish(exit: 1, env: ["EVENTOR_PARAM_TOKEN": Self.secret])
      #expect(world.exists("used"))
      #expect(report["t"]?.status == "failure")
      try expectSilence(world)
      // A recovery needs it again, and keeps it as quiet.
      let without = try await world.run("recover", "r")
      #expect(without.code == 2, "\(without)")
      #expect(without.stderr.contains("EVENTOR_PARAM_TOKEN"), "\(without)")
      let again = try await world.run("recover", "r", env: ["EVENTOR_PARAM_TOKEN": Self.secret])
      #expect(again.code == 1, "\(again)")
      #expect(!again.description.contains(Self.secret))
      try expectSilence(world)
    }
  }

  @Test("a secret may stand in a step's environment only")
  func outsideOfTheEnvironment() async throws {
    let program = Self.program.replacing("echo $TOKEN", with: "echo ${param.token}")
    try await World.with(program: program) { world in
      let answer = try await world.run("run", world.program, env: ["EVENTOR_PARAM_TOKEN": Self.secret])
      #expect(answer.code == 2, "\(answer)")
      #expect(answer.stderr.contains("'env' only"), "\(answer)")
    }
  }

  @Test("a secret in the arguments is refused, and one that is missing is asked for")
  func refused() async throws {
    try await World.with(program: Self.program) { world in
      let argument = try await world.run("run", world.program, "--param", "token=abc")
      #expect(argument.code == 2, "\(argument)")
      #expect(argument.errorLines.count == 1, "\(argument)")
      #expect(argument.stderr.contains("list of processes"), "\(argument)")
      #expect(!argument.stderr.contains("abc"))
      let missing = try await world.run("run", world.program)
      #expect(missing.code == 2, "\(missing)")
      #expect(missing.stderr.contains("EVENTOR_PARAM_TOKEN"), "\(missing)")
      let file = try await world.run("run", world.program, "--param", "token=@/no/such")
      #expect(file.code == 2, "\(file)")
      #expect(file.errorLines.count == 1, "\(file)")
    }
  }
}
