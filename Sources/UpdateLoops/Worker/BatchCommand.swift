import Foundation
import Glibc
import Runtime
import Synchronization

/// A command that is run once for each batch, with the ids on its standard input.
public final class BatchCommand: Sendable {
  /// How it ended.
  public enum End: Sendable, Hashable, CustomStringConvertible {
    /// With this exit code.
    case exited(Int32)
    /// By this signal.
    case signalled(Int32)

    /// `exit code 3`, `signal 9`.
    public var description: String {
      switch self {
      case .exited(let code): "exit code \(code)"
      case .signalled(let number): "signal \(number)"
      }
    }
  }

  private let arguments: [String]
  private let environment: [String: String]
  private let output: Int32
  private let worker = SerialWorker(name: "batch")
  /// The process, also its group, from its start until it was waited for: only then the number is certainly its own.
  private let running = Mutex<pid_t?>(nil)

  /// A command.
  ///
  /// - Parameters:
  ///   - arguments: The program, looked for along `PATH`, and what it is given.
  ///   - environment: All that its process has.
  ///   - output: The descriptor that it writes to as standard output, 1 or 2.
  public init(_ arguments: [String], environment: [String: String], output: Int32 = 1) {
    self.arguments = arguments
    self.environment = environment
    self.output = output
  }

  /// Runs it once and waits for its end.
  ///
  /// - Parameter input: What it reads; a file, so that it may leave it unread.
  /// - Throws: ``LoopError`` (`invalid`) if it can't be started.
  public func run(input: [UInt8]) async throws -> End {
    try await worker.run { [self] in
      let file = try Self.file(input)
      defer { close(file) }
      let pid = try start(input: file)
      var status: Int32 = 0
      // Waited for without taking it away, so that its number stays its own while a signal may be on its way.
      var info = siginfo_t()
      while waitid(P_PID, id_t(pid), &info, WEXITED | WNOWAIT) < 0 && errno == EINTR {}
      running.withLock { running in
        running = nil
        while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
      }
      return status & 0x7f == 0 ? .exited((status >> 8) & 0xff) : .signalled(status & 0x7f)
    }
  }

  /// Sends a signal to the running command and what it started; nothing if none runs.
  public func signal(_ number: Int32) {
    running.withLock { pid in
      if let pid { kill(-pid, number) }
    }
  }

  /// A file without a name, at its beginning.
  private static func file(_ content: [UInt8]) throws(LoopError) -> Int32 {
    let directory = ProcessInfo.processInfo.environment["TMPDIR"].flatMap { $0.isEmpty ? nil : $0 } ?? "/tmp"
    var path = Array("\(directory)/eventor-ids-XXXXXX".utf8CString)
    let file = mkstemp(&path)
    if file >= 0 {
      unlink(path)
      _ = fcntl(file, F_SETFD, FD_CLOEXEC)
    }
    var written = 0
    while file >= 0, written < content.count {
      let count = content.withUnsafeBytes {
        write(file, $0.baseAddress?.advanced(by: written), $0.count - written)
      }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { break }
      written += count
    }
    guard file >= 0, written == content.count, lseek(file, 0, SEEK_SET) == 0 else {
      let why = String(cString: strerror(errno))
      if file >= 0 { close(file) }
      throw LoopError(
        .conflict, "can't write a batch to a file in \(directory)", why: why,
        mend: "name another directory in TMPDIR")
    }
    return file
  }

  /// In a group of its own: Ctrl-C is for the worker, which lets the batch end.
  private func start(input: Int32) throws(LoopError) -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO)
    if output != STDOUT_FILENO { posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO) }
    // Connections to the database are not its business, and not every client library marks them so.
    // Others may be opened while this one is prepared; to close what is not open is no mistake.
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
    let highest = names.compactMap { Int32($0) }.max() ?? STDERR_FILENO
    for descriptor in (STDERR_FILENO + 1)...(highest + 64) {
      posix_spawn_file_actions_addclose(&actions, descriptor)
    }
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var (none, all) = (sigset_t(), sigset_t())
    sigemptyset(&none)
    sigfillset(&all)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setsigdefault(&attributes, &all)
    posix_spawnattr_setpgroup(&attributes, 0)
    posix_spawnattr_setflags(
      &attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP))
    guard let program = arguments.first else {
      throw LoopError(.invalid, "there is no command to run", mend: "name one")
    }
    let words: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
    let variables: [UnsafeMutablePointer<CChar>?] =
      environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
    defer { for pointer in words + variables { free(pointer) } }
    return try running.withLock { running throws(LoopError) in
      var pid: pid_t = 0
      let code = posix_spawnp(&pid, program, &actions, &attributes, words, variables)
      guard code == 0 else {
        throw LoopError(
          .invalid, "can't run \(program)", why: String(cString: strerror(code)),
          mend: "check its path and that it may be executed")
      }
      running = pid
      return pid
    }
  }
}
