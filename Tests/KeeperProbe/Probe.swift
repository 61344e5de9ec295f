import Agent
import Glibc
import Synchronization

/// An agent to be killed, and a measure of the keeper.
///
///     keeper-probe hold JOURNAL DIRECTORY N   starts N steps that wait for a fifo, says so, and waits
///     keeper-probe run JOURNAL DIRECTORY SCRIPT MS [UID]
///                                             has a shell run a script, guarded for MS if that is not 0, as a user
///     keeper-probe queue JOURNAL DIRECTORY SCRIPT
///                                             stops its keeper and leaves a start of the script in its socket
///     keeper-probe bench N WIDTH DIRECTORY    N times /bin/true: bare posix_spawn, then the keeper
@main
struct Probe {
  static func main() async throws {
    let words = CommandLine.arguments
    switch words.dropFirst().first {
    case "hold" where words.count == 5: try await hold(words[2], words[3], Int(words[4]) ?? 0)
    case "run" where words.count >= 6:
      if words.count == 7, let user = uid_t(words[6]), setgid(user) != 0 || setuid(user) != 0 { exit(77) }
      try await run(words[2], words[3], words[4], Int64(words[5]) ?? 0)
    case "queue" where words.count == 5: try queue(words[2], words[3], words[4])
    case "bench" where words.count == 5: try await bench(Int(words[2]) ?? 0, Int(words[3]) ?? 1, words[4])
    default: exit(64)
    }
  }

  static func hold(_ journal: String, _ directory: String, _ count: Int) async throws {
    let keeper = try Keeper.launch(journal: journal)
    print("keeper", keeper.identity.pid, keeper.identity.startTime)
    for index in 0..<count {
      let request = ProcessRequest(
        key: "run/\(index)/1", arguments: ["sh", "-c", "read go < \(directory)/go.\(index); exit \(index)"],
        environment: ["PATH": "/bin:/usr/bin"], logPath: "\(directory)/\(index).log")
      switch await keeper.start(request, onEnd: { _, _ in }) {
      case .success(let handle): print("step", handle.identity.pid, handle.identity.startTime)
      case .failure(let end): print("failed", end)
      }
    }
    wait()
  }

  static func run(_ journal: String, _ directory: String, _ script: String, _ milliseconds: Int64)
    async throws
  {
    let keeper = try Keeper.launch(journal: journal)
    print("keeper", keeper.identity.pid, keeper.identity.startTime)
    var request = ProcessRequest(
      key: "run/1/1", arguments: ["sh", "-c", script], environment: ["PATH": "/bin:/usr/bin"],
      logPath: "\(directory)/log")
    if milliseconds > 0 {
      let killAt = LocalClock.sinceBoot + milliseconds * 1000
      request.deadlines = .init(terminateAt: killAt - milliseconds * 200, killAt: killAt)
    }
    switch await keeper.start(request, onEnd: { _, _ in }) {
    case .success(let handle): print("step", handle.identity.pid, handle.identity.startTime)
    case .failure(let end): print("failed", end)
    }
    wait()
  }

  static func queue(_ journal: String, _ directory: String, _ script: String) throws {
    let keeper = try Keeper.launch(journal: journal)
    print("keeper", keeper.identity.pid, keeper.identity.startTime)
    kill(keeper.identity.pid, SIGSTOP)
    let request = ProcessRequest(
      key: "run/1/1", arguments: ["sh", "-c", script], environment: ["PATH": "/bin:/usr/bin"],
      logPath: "\(directory)/log")
    keeper.begin(request, onStart: { _ in }, onEnd: { _, _ in })
    // It is written by another thread.
    usleep(200_000)
    wait()
  }

  static func wait() -> Never {
    print("ready")
    fflush(nil)
    while true { pause() }
  }

  static func bench(_ count: Int, _ width: Int, _ directory: String) async throws {
    let keeper = try Keeper.launch(journal: "\(directory)/bench.\(getpid()).journal")
    let request = ProcessRequest(
      key: "bench/1/1", arguments: ["/bin/true"], environment: ["PATH": "/bin:/usr/bin"],
      logPath: "\(directory)/bench.log")
    for _ in 0..<3 {
      let bare = ContinuousClock().measure { spawnBare(count) }
      let from = ContinuousClock.now
      await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
        Flood(keeper, request, count, done).begin(width)
      }
      let kept = ContinuousClock.now - from
      let rates = [bare, kept].map { Double(count) / ($0 / .seconds(1)) }
      print("bare \(Int(rates[0]))/s, keeper \(Int(rates[1]))/s, ratio \(Int(100 * rates[1] / rates[0])) %")
    }
    await keeper.quit()
  }

  static func spawnBare(_ count: Int) {
    let program = strdup("/bin/true")
    defer { free(program) }
    var arguments: [UnsafeMutablePointer<CChar>?] = [program, nil]
    var environment: [UnsafeMutablePointer<CChar>?] = [nil]
    for _ in 0..<count {
      var pid: pid_t = 0
      guard posix_spawn(&pid, "/bin/true", nil, nil, &arguments, &environment) == 0 else { exit(1) }
      waitpid(pid, nil, 0)
    }
  }
}

/// Keeps `width` steps going until `count` have ended.
final class Flood: Sendable {
  private let keeper: Keeper
  private let request: ProcessRequest
  private let counts: Mutex<(toStart: Int, toEnd: Int)>
  private let done: CheckedContinuation<Void, Never>

  init(
    _ keeper: Keeper, _ request: ProcessRequest, _ count: Int, _ done: CheckedContinuation<Void, Never>
  ) {
    self.keeper = keeper
    self.request = request
    self.done = done
    counts = Mutex((count, count))
  }

  func begin(_ width: Int) {
    for _ in 0..<width { next() }
  }

  private func next() {
    let goesOn = counts.withLock { counts in
      counts.toStart -= 1
      return counts.toStart >= 0
    }
    guard goesOn else { return }
    keeper.begin(request, onStart: { if case .failure(let end) = $0 { fatalError("\(end)") } }) {
      [self] handle, _ in
      keeper.recorded([handle.ticket])
      next()
      let isLast = counts.withLock { counts in
        counts.toEnd -= 1
        return counts.toEnd == 0
      }
      if isLast { done.resume() }
    }
  }
}
