import CProcess
import Glibc

/// Says in a sentence why a process could not be started: what, why, and how to mend it.
struct StartFailure {
  private let request: ProcessRequest
  private let phase: evk_phase
  private let error: Int32

  init(_ request: ProcessRequest, phase: evk_phase, error: Int32) {
    self.request = request
    self.phase = phase
    self.error = error
  }

  var end: ProcessEnd {
    var end = ProcessEnd(.notStarted("cannot start '\(program)': \(reason)"))
    end.wasCutOff = phase == EVK_PHASE_CUT_OFF
    return end
  }

  private var program: String { request.arguments.first ?? "" }

  private var reason: String {
    let text = Errno.text(error)
    switch phase {
    case EVK_PHASE_USER, EVK_PHASE_GROUP:
      let mend = error == EPERM ? "; only an agent that runs as root can change users" : ""
      return "cannot become user '\(request.user ?? "")': \(text)\(mend)"
    case EVK_PHASE_CHDIR:
      let mend = "create it, or change the step's cwd"
      return "cannot enter its working directory '\(request.workingDirectory ?? "")': \(text); \(mend)"
    case EVK_PHASE_LOG:
      return "cannot open its log '\(request.logPath)': \(text); the agent must be able to write there"
    case EVK_PHASE_LIMIT:
      return "cannot set its limits: \(text); lower them to what the agent itself is allowed"
    case EVK_PHASE_JOURNAL:
      return "cannot write the keeper's journal: \(text); make room on its disk"
    case EVK_PHASE_CGROUP:
      let path = request.cgroup?.path ?? ""
      return "cannot set its limits in the cgroup '\(path)': \(text); the agent must be allowed to make it"
    case EVK_PHASE_CUT_OFF:
      return "the agent has been without the store for too long; another agent may be about to start it"
    case EVK_PHASE_QUITTING:
      return "the keeper of this agent is ending; start it on another agent"
    case EVK_PHASE_EXEC:
      return exec(text)
    default:
      return "cannot make a process: \(text); the host or the agent's user has too many, or too little memory"
    }
  }

  private func exec(_ text: String) -> String {
    switch error {
    case ENOENT where !program.utf8.contains(UInt8(ascii: "/")):
      let path = request.environment["PATH"] ?? "/bin:/usr/bin"
      return "no such program in PATH (\(path)); install it, or give its full path"
    case ENOENT where isRegularFile:
      return "the file exists, but the interpreter it asks for does not; install that, or mend its first line"
    case ENOENT:
      return "no such file; install it, or correct the path"
    case EACCES where isDirectory:
      return "it is a directory; give the path of a program"
    case EACCES:
      let user = request.user.map { " by user '\($0)'" } ?? ""
      return "not executable\(user): \(text); 'chmod +x' it, or look at the permissions of its directories"
    case ENOEXEC:
      return "not a program the kernel can run: it has no '#!' line, or is for another architecture"
    case E2BIG:
      return "its arguments and environment are too long (128 KiB for one, about 2 MiB for all); use a file"
    default:
      return text
    }
  }

  /// The program's path where that is certain; nothing depends on it but the wording.
  private var path: String? {
    guard program.utf8.contains(UInt8(ascii: "/")) else { return nil }
    if program.hasPrefix("/") { return program }
    return request.workingDirectory.map { "\($0)/\(program)" } ?? program
  }

  private var mode: mode_t? {
    guard let path else { return nil }
    var status = stat()
    return stat(path, &status) == 0 ? status.st_mode & S_IFMT : nil
  }

  private var isRegularFile: Bool { mode == S_IFREG }
  private var isDirectory: Bool { mode == S_IFDIR }
}
