import ArgumentParser
public import CommandSupport
import Model
public import Transport

/// How hosts are reached: the options of every command that goes over SSH.
struct SSHOptions: ParsableArguments {
  @Flag(help: "Store host keys that are not known yet; a changed key is refused all the same.")
  var acceptNew = false

  @Option(help: "The file that says how hosts are reached, instead of ~/.ssh/config and /etc/ssh/ssh_config.")
  var sshConfig: String?

  @Option(
    help: "How long each of connecting, exchanging keys and logging in may take; ConnectTimeout or 10s.")
  var sshTimeout: String?

  func validate() throws {
    if let sshTimeout, TimeSpan(sshTimeout).map({ $0 <= .zero }) ?? true {
      throw ValidationError("--ssh-timeout \(sshTimeout): write a duration such as 5s")
    }
  }

  /// A client with these options, which asks for passphrases where there is a terminal.
  func client() throws -> SSHClient {
    var options = SSHClient.Options()
    options.acceptsNewKeys = acceptNew
    options.timeout = sshTimeout.flatMap { TimeSpan($0) }.map { .microseconds($0.microseconds) }
    options.passphrase = PassphrasePrompt.source
    return try SSHClient(file: sshConfig.map(Places.absolute), options: options)
  }
}

extension TransportError: ReportedFailure {
  /// The exit code it leads to.
  public var status: ExitStatus {
    switch kind {
    case .configuration, .badArgument: .usage
    case .noSuchFile: .notFound
    case .transfer, .digestMismatch: .failed
    default: .ssh
    }
  }
}
