import Foundation
import Glibc
import Testing

@testable import Transport

/// A home directory of a test's own: keys, known hosts and configuration, and the client that uses them.
struct Home: Sendable {
  let path: String

  /// Hands `body` an empty home and removes it afterwards.
  static func with(_ body: (Home) async throws -> Void) async throws {
    var template = Array("/tmp/eventor-ssh-XXXXXX".utf8CString)
    let made = mkdtemp(&template) != nil
    try #require(made)
    let path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    defer { try? FileManager.default.removeItem(atPath: path) }
    try FileManager.default.createDirectory(
      atPath: path + "/.ssh", withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    try await body(Home(path: path))
  }

  var knownHosts: String { path + "/.ssh/known_hosts" }
  var userName: String { NSUserName() }

  @discardableResult
  func write(_ name: String, _ text: String, mode: Int = 0o600) throws -> String {
    let file = path + "/" + name
    try Data(text.utf8).write(to: URL(fileURLWithPath: file))
    try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: file)
    return file
  }

  func text(_ name: String) -> String {
    (try? String(contentsOfFile: path + "/" + name, encoding: .utf8)) ?? ""
  }

  /// Makes a key in `.ssh`; returns its path.
  @discardableResult
  func makeKey(
    _ name: String = "id_ed25519", type: String = "ed25519", bits: Int? = nil, passphrase: String = "",
    format: [String] = []
  ) async throws -> String {
    let file = path + "/.ssh/" + name
    var words = ["-q", "-t", type, "-N", passphrase, "-C", name, "-f", file]
    if let bits { words += ["-b", String(bits)] }
    try await Tool.run("ssh-keygen " + (words + format).map { ShellWord.quoted($0) }.joined(separator: " "))
    return file
  }

  func publicKey(_ name: String = "id_ed25519") -> String { text(".ssh/\(name).pub") }

  func user(environment: [String: String] = [:]) -> LocalUser {
    LocalUser(home: path, name: userName, number: getuid(), host: "client.example", environment: environment)
  }

  /// A client by a configuration of the test's own, in which new keys are taken unless it says otherwise.
  func client(
    _ configuration: String = "", acceptsNew: Bool = true, timeout: Duration = .seconds(20),
    environment: [String: String] = [:], passphrase: PassphraseSource? = nil
  ) throws -> SSHClient {
    let file = try write(
      ".ssh/config-of-test", configuration + "\nHost *\n  GlobalKnownHostsFile none\n")
    var options = SSHClient.Options()
    options.acceptsNewKeys = acceptsNew
    options.timeout = timeout
    options.passphrase = passphrase
    return try SSHClient(user: user(environment: environment), file: file, options: options)
  }
}

/// Connects, hands over the session, and closes it.
func withSession(
  _ client: SSHClient, _ destination: String, _ body: (SSHSession) async throws -> Void
) async throws {
  let session = try await client.connect(Destination(destination))
  do {
    try await body(session)
  } catch {
    await session.close()
    throw error
  }
  await session.close()
}

/// The error of connecting, which must not succeed.
func refusal(
  _ client: SSHClient, _ destination: String, from place: SourceLocation = #_sourceLocation
) async throws -> TransportError {
  let error = await #expect(throws: TransportError.self, sourceLocation: place) {
    try await client.connect(Destination(destination)).close()
  }
  return try #require(error, sourceLocation: place)
}
