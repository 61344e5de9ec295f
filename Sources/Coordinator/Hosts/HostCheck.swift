import Model
public import Transport

/// Whether a host can be reached over SSH, and what is found there.
public struct HostCheck: Sendable {
  /// A program of ours on a host.
  public struct Program: Sendable, Hashable {
    /// Where it is there.
    public let path: String
    /// What it says of its version; nil if it can't be run.
    public let version: String?
  }

  /// Whether the coordinator of a host reaches the store that is configured there.
  public enum Store: Sendable, Hashable {
    /// It does, in so many milliseconds.
    case answers(url: String, milliseconds: Int)
    /// None is configured for the login user.
    case unconfigured
    /// It can't be used: why.
    case fails(String)
  }

  /// What a host that was reached is like.
  public struct Finding: Sendable {
    /// How it was reached.
    public let peer: SSHSession.Peer
    /// How long connecting and logging in took.
    public let connecting: Duration
    /// How long the host then took to carry out a command that does nothing.
    public let answering: Duration
    /// System, release and machine, as `uname -srm` prints them.
    public let system: String
    /// Seconds by which its clock is ahead of this host's, within half of ``answering``; nil if it has no clock to ask.
    public let clockOffset: Double?
    /// Our programs there, by name.
    public let programs: [String: Program]
    /// The store, by the coordinator there; nil if there is none, or one of a version that can't tell.
    public let store: Store?
  }

  /// The host as it was named.
  public let host: String
  /// What was found, or why nothing was.
  public let result: Result<Finding, TransportError>

  /// Whether the host was reached.
  public var isWell: Bool { (try? result.get()) != nil }

  /// Whether the host was reached, and its store fails.
  public var lacksStore: Bool {
    if case .success(let finding) = result, case .fails = finding.store { true } else { false }
  }

  /// The programs that are looked for.
  public static let programs = ["coordinator", "eventor-agent"]

  /// Reaches `host` and looks round. `now` is this host's clock, in seconds since 1970.
  ///
  /// Throws `CancellationError` if the task is cancelled.
  public static func run(
    _ host: String, client: SSHClient, now: @Sendable () -> Double
  ) async throws -> HostCheck {
    do {
      let destination = try Destination(host)
      let began = ContinuousClock.now
      let finding = try await client.withSession(destination) { session in
        try await find(session, connecting: .now - began, now: now)
      }
      return HostCheck(host: host, result: .success(finding))
    } catch let error as TransportError {
      return HostCheck(host: host, result: .failure(error))
    }
  }

  /// What the host is asked, in one command: each line is a word and what belongs to it, with tabs between.
  private static let script = """
    printf 'system\\t%s\\n' "$(uname -srm)"
    for name in coordinator eventor-agent; do
      path=$(command -v "$name" 2>/dev/null)
      for folder in "$HOME/.local/bin" /usr/local/bin /opt/eventor/bin; do
        [ -n "$path" ] || { [ -x "$folder/$name" ] && path=$folder/$name; }
      done
      [ -z "$path" ] || printf '%s\\t%s\\t%s\\n' "$name" "$path" "$("$path" --version 2>/dev/null </dev/null | head -n 1)"
      if [ "$name" = coordinator ] && [ -n "$path" ]; then
        cd / && said=$("$path" db ping --plain 2>&1 </dev/null)
        printf 'store\\t%s\\t%s\\n' "$?" "$(printf '%s' "$said" | tail -n 1)"
      fi
    done
    """

  private static func find(
    _ session: SSHSession, connecting: Duration, now: @Sendable () -> Double
  ) async throws -> Finding {
    // A host whose login shell hangs, or talks without end, must not keep the check from its end.
    let time = max(.seconds(10), session.peer.settings.connectTimeout * 3)
    let (began, localTime) = (ContinuousClock.now, now())
    // GNU's date alone knows %N; elsewhere a whole second has to do.
    let clock = try await session.gather(.script("date +%s.%N"), limit: 4096, within: time)
    let answering = ContinuousClock.now - began
    let middle = localTime + answering / .seconds(1) / 2
    let theirs = Double(clock.text.prefix { $0.isNumber || $0 == "." })
    let outcome = try await session.gather(.script(script), limit: 64 << 10, within: time)
    guard outcome.end == .exited(0) else {
      throw TransportError(
        .refused, what: "can't look round on \(session.peer.settings.host)",
        why: neutralised("/bin/sh ended with \(outcome.end.code): \(outcome.errorText)", onOneLine: true),
        mend: "the login shell there must be able to run /bin/sh")
    }
    var (system, found) = ("", [String: Program]())
    var store: Store?
    for line in outcome.text.split(whereSeparator: \.isNewline) {
      let fields = line.split(separator: "\t", omittingEmptySubsequences: false).map {
        neutralised(String($0), onOneLine: true)
      }
      if fields[0] == "system", fields.count == 2 { system = fields[1] }
      if fields[0] == "store" { store = Self.store(fields) }
      if fields.count == 3, programs.contains(fields[0]) {
        found[fields[0]] = Program(path: fields[1], version: fields[2].isEmpty ? nil : fields[2])
      }
    }
    return Finding(
      peer: session.peer, connecting: connecting, answering: answering, system: system,
      clockOffset: theirs.map { $0 - middle }, programs: found, store: store)
  }

  /// What `db ping --plain` said there, with its exit code: milliseconds and a URL, or an error.
  private static func store(_ fields: [String]) -> Store? {
    guard fields.count >= 3 else { return nil }
    switch fields[1] {
    case "0":
      guard fields.count == 4, let milliseconds = Int(fields[2]) else { return nil }
      return .answers(url: fields[3], milliseconds: milliseconds)
    case "3": return .unconfigured
    case "64", "70": return nil
    default:
      let error = fields.dropFirst(2).joined(separator: " ")
      // A version that has no such command says how it is to be used.
      guard error.hasPrefix("error: ") else { return nil }
      return .fails(String(error.dropFirst(7)))
    }
  }
}
