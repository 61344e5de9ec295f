import Foundation
import Glibc
import Synchronization
import Testing

@testable import Transport

@Suite("Commands over SSH")
struct CommandTests {
  /// A session with a server of the test's own.
  private func withServer(_ extra: String = "", _ body: (SSHSession, Home) async throws -> Void) async throws
  {
    try await Home.with { home in
      try await home.makeKey()
      try await Server.with(authorized: [home.publicKey()], extra) { server in
        try await withSession(try home.client(), server.destination) { try await body($0, home) }
      }
    }
  }

  @Test("a command's output, errors and exit status come back, one command after the other")
  func outcome() async throws {
    try await withServer { session, _ in
      let outcome = try await session.gather(.script("echo out; echo err >&2; exit 7"))
      #expect(outcome.end == .exited(7))
      #expect(outcome.text == "out")
      #expect(outcome.errorText == "err")
      let second = try await session.gather(RemoteCommand(["cat"]), input: Array("again".utf8))
      #expect(second.end == .exited(0))
      #expect(second.text == "again")
      let signalled = try await session.gather(.script("kill -TERM $$"))
      #expect(signalled.end == .signalled("TERM"))
      #expect(signalled.end.code == 143)
      let missing = try await session.gather(RemoteCommand(["/no/such/program"]))
      #expect(missing.end.code == 127)
      // The end of output is not the end of the command.
      let late = try await session.gather(.script("exec >&- 2>&-; sleep 0.5; exit 9"))
      #expect(late.end == .exited(9))
      let variable = try await session.gather(
        RemoteCommand(["printenv", "WHO"], environment: ["WHO": "it's $me"]))
      #expect(variable.text == "it's $me")
    }
  }

  @Test("arguments arrive byte for byte")
  func argumentsArrive() async throws {
    let count = ProcessInfo.processInfo.environment["EVENTOR_TEST_ARGUMENTS"].flatMap { Int($0) } ?? 10_000
    var generator = SystemRandomNumberGenerator()
    try await withServer { session, _ in
      var left = count
      while left > 0 {
        var words: [[UInt8]] = []
        var size = 0
        while words.count < left, size < 20_000 {
          let word = Self.word(&generator)
          words.append(word)
          size += ShellWord.quoted(word).count + 1
        }
        left -= words.count
        let command = RemoteCommand(
          bytes: ["sh", "-c", #"printf '%s\0' "$@""#, "sh"].map { Array($0.utf8) } + words)
        let outcome = try await session.gather(command)
        #expect(outcome.end == .exited(0))
        #expect(
          outcome.output.split(separator: 0, omittingEmptySubsequences: false).dropLast().map(Array.init)
            == words)
      }
    }
  }

  /// Mostly what shells make something of.
  private static func word(_ generator: inout some RandomNumberGenerator) -> [UInt8] {
    let special = Array("'\"\\$`!*?[]{}()<>|&;~# \t\n\r\u{1b}^=%-".utf8)
    return (0..<Int.random(in: 0...20, using: &generator)).map { _ in
      Bool.random(using: &generator)
        ? special.randomElement(using: &generator) ?? 0x27 : UInt8.random(in: 1...255, using: &generator)
    }
  }

  @Test("what can't be an argument is refused before anything is called")
  func badArguments() async throws {
    try await withServer { session, _ in
      for command in [
        RemoteCommand([]), RemoteCommand(["a\0b"]),
        RemoteCommand(["echo", String(repeating: "x", count: 40_000)]),
        RemoteCommand(["echo"], environment: ["A B": "c"]),
      ] {
        let error = await #expect(throws: TransportError.self) { try await session.gather(command) }
        #expect(error?.kind == .badArgument)
      }
      let after = try await session.gather(RemoteCommand(["true"]))
      #expect(after.end == .exited(0))
    }
  }

  @Test("large streams pass both ways at once, unchanged")
  func largeStreams() async throws {
    try await withServer { session, _ in
      let (input, output) = (BytePipe(), BytePipe(capacity: 10_000))
      let block = (0..<65_521).map { _ in UInt8.random(in: 0...255) }
      let blocks = 160
      async let end = session.execute(RemoteCommand(["cat"]), input: .pipe(input), output: .pipe(output))
      async let sent: Void = {
        for _ in 0..<blocks { guard await input.write(block) else { return } }
        input.finish()
      }()
      var (whole, rest) = (0, [UInt8]())
      for await piece in output {
        rest += piece
        while rest.count >= block.count, rest.starts(with: block) {
          rest.removeFirst(block.count)
          whole += 1
        }
        if rest.count >= block.count { break }
      }
      await sent
      let ended = try await end
      #expect(ended == .exited(0))
      #expect(whole == blocks)
      #expect(rest.isEmpty)
    }
  }

  @Test("a command waits for a reader that is slow, and holds no more than a window in between")
  func backPressure() async throws {
    try await withServer { session, home in
      let output = BytePipe(capacity: 1000)
      let counter = home.path + "/count"
      let script = """
        i=0; while [ $i -lt 600 ]; do head -c 32768 /dev/zero; i=$((i+1)); echo $i >"$1"; done
        """
      let running = Task { try await session.execute(.script(script, counter), output: .pipe(output)) }
      var iterator = output.makeAsyncIterator()
      let first = await iterator.next()
      #expect(first?.isEmpty == false)
      // Nobody reads now: the command comes to a stop, long before its end.
      var last = -1
      try await until("the command waits") {
        try await Task.sleep(for: .milliseconds(300))
        let now = Int(home.text("count").trimmingCharacters(in: .whitespacesAndNewlines)) ?? 0
        defer { last = now }
        return now == last && now > 0
      }
      // The window of 2 MiB, and what the sockets and pipes on the way hold.
      #expect(last < 400)
      var count = first?.count ?? 0
      while let piece = await iterator.next() { count += piece.count }
      #expect(count == 600 * 32768)
      let ended = try await running.value
      #expect(ended == .exited(0))
    }
  }

  @Test("descriptors serve as ends of a command")
  func descriptors() async throws {
    try await withServer { session, home in
      let source = try home.write("in", String(repeating: "line\n", count: 50_000))
      let (input, output) = (open(source, O_RDONLY), open(home.path + "/out", O_WRONLY | O_CREAT, 0o600))
      defer {
        close(input)
        close(output)
      }
      let end = try await session.execute(
        RemoteCommand(["cat"]), input: .descriptor(input), output: .descriptor(output))
      #expect(end == .exited(0))
      #expect(home.text("out") == home.text("in"))
    }
  }

  @Test("a signal reaches the command and its children")
  func signals() async throws {
    try await withServer { session, _ in
      let (control, output) = (RemoteControl(), BytePipe())
      let script = "trap 'kill $!; echo caught; exit 3' INT; sleep 300 & echo ready; wait"
      let running = Task {
        try await session.execute(.script(script), output: .pipe(output), control: control)
      }
      var text = ""
      for await piece in output {
        text += String(decoding: piece, as: UTF8.self)
        if text == "ready\n" { control.send(.interrupt) }
      }
      #expect(text == "ready\ncaught\n")
      let ended = try await running.value
      #expect(ended == .exited(3))
    }
  }

  @Test(
    "a cancelled task ends the command on the host, which leaves nothing behind",
    arguments: ["sleep 300", "trap '' TERM; while :; do sleep 1; done"])
  func cancelling(script: String) async throws {
    try await withServer { session, home in
      let output = BytePipe()
      let running = Task {
        try await session.execute(
          .script("echo $$ >\"$1\"; echo ready; \(script)", home.path + "/pid"), output: .pipe(output))
      }
      for await piece in output where !piece.isEmpty { running.cancel() }
      await #expect(throws: CancellationError.self) { try await running.value }
      let pid = try #require(pid_t(home.text("pid").trimmingCharacters(in: .whitespacesAndNewlines)))
      try await until("the command is gone") { kill(pid, 0) != 0 && kill(-pid, 0) != 0 }
      // And the session is as good as before.
      let after = try await session.gather(RemoteCommand(["echo", "on"]))
      #expect(after.text == "on")
    }
  }

  @Test("a command whose output nobody takes any more is ended")
  func readerGone() async throws {
    try await withServer { session, _ in
      let output = BytePipe()
      let running = Task { try await session.execute(RemoteCommand(["yes"]), output: .pipe(output)) }
      var iterator = output.makeAsyncIterator()
      _ = await iterator.next()
      output.abandon()
      let ended = try await running.value
      #expect(ended != .exited(0))
    }
  }

  @Test(
    "what a login shell prints of its own neither hides the command's process id nor is output of the command"
  )
  func talkativeShell() {
    var mark = ProcessMark()
    let line = Array("welcome\n\(mark.text) 4711\nout".utf8)
    var passed: [UInt8] = []
    for byte in line { passed += mark.passing([byte]) }
    #expect(mark.process == 4711)
    #expect(String(decoding: passed, as: UTF8.self) == "out")
    var silent = ProcessMark()
    #expect(silent.passing(Array("no mark".utf8)[...]).isEmpty)
    #expect(silent.rest().map { String(decoding: $0, as: UTF8.self) } == "no mark")
  }

  @Test("a host that allows no command says so")
  func refusedCommand() async throws {
    try await withServer("MaxSessions 0") { session, _ in
      let error = await #expect(throws: TransportError.self) {
        try await session.gather(RemoteCommand(["true"]))
      }
      #expect(error?.kind == .refused)
    }
  }
}
