import ArgumentParser
import Transport

/// Which hosts a command is for, and how they are reached.
struct HostsOptions: ParsableArguments {
  @Argument(help: "Hosts: names of ~/.ssh/config, or [user@]host[:port].")
  var hosts: [String]

  @Option(help: "How many hosts are served at a time.")
  var parallel = 16

  @Flag(help: "Print one JSON document.")
  var json = false

  @OptionGroup var ssh: SSHOptions

  func validate() throws {
    if parallel < 1 { throw ValidationError("--parallel must be at least 1") }
  }

  /// A client for all of them; one that is wrongly named is told of before anything is done on another.
  func client() throws -> SSHClient {
    let client = try ssh.client()
    for host in hosts { _ = try client.settings(for: Destination(host)) }
    return client
  }
}
