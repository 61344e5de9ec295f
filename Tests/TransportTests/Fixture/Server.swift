import Foundation
import Glibc
import Testing

/// A real sshd on loopback, with a directory and keys of its own.
struct Server: Sendable {
  let directory: String
  let port: Int
  let pid: pid_t

  /// Starts sshd, hands it to `body`, and stops it afterwards.
  ///
  /// - Parameters:
  ///   - hostKeys: Types of host keys, as `ssh-keygen -t` takes them.
  ///   - authorized: Lines of `authorized_keys`.
  ///   - extra: Lines that come first in its configuration, and so count.
  static func with(
    hostKeys: [String] = ["ed25519"], authorized: [String], _ extra: String = "",
    _ body: (Server) async throws -> Void
  ) async throws {
    var template = Array("/tmp/eventor-sshd-XXXXXX".utf8CString)
    let made = mkdtemp(&template) != nil
    try #require(made)
    let directory = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    // sshd of root wants it; without root nobody needs it.
    if getuid() == 0 { mkdir("/run/sshd", 0o755) }
    try (authorized.joined(separator: "\n") + "\n").write(
      toFile: directory + "/authorized_keys", atomically: true, encoding: .utf8)
    for type in hostKeys {
      let size = type == "rsa" ? "-b 2048" : ""
      try await Tool.run("ssh-keygen -q -t \(type) \(size) -N '' -C host -f \(directory)/host_\(type)")
    }
    var last = ""
    for _ in 0..<5 {
      let port = try freePort()
      let lines =
        extra + "\n" + hostKeys.map { "HostKey \(directory)/host_\($0)\n" }.joined() + """
          Port \(port)
          ListenAddress 127.0.0.1
          PidFile none
          AuthorizedKeysFile \(directory)/authorized_keys
          StrictModes no
          UsePAM no
          PermitRootLogin yes
          PasswordAuthentication no
          KbdInteractiveAuthentication no
          \(extra.contains("Subsystem") ? "" : "Subsystem sftp internal-sftp")
          MaxStartups 100:30:200
          LogLevel VERBOSE

          """
      try lines.write(toFile: directory + "/sshd_config", atomically: true, encoding: .utf8)
      let log = directory + "/log"
      let process = try Tool(["/usr/sbin/sshd", "-D", "-e", "-f", directory + "/sshd_config"], log: log)
      try await until("sshd listens, or has ended") { !process.isRunning || accepts(port) }
      if process.isRunning {
        let server = Server(directory: directory, port: port, pid: process.pid)
        let result: Result<Void, any Error>
        do { result = .success(try await body(server)) } catch { result = .failure(error) }
        process.stop()
        return try result.get()
      }
      last = (try? String(contentsOfFile: log, encoding: .utf8)) ?? ""
    }
    Issue.record("no sshd: \(last)")
    throw Tool.Failure(description: "no sshd")
  }

  /// Where it is, for a client.
  var destination: String { "127.0.0.1:\(port)" }
  /// What it logged.
  var log: String { (try? String(contentsOfFile: directory + "/log", encoding: .utf8)) ?? "" }

  func hostKey(_ type: String = "ed25519") throws -> String {
    let line = try String(contentsOfFile: "\(directory)/host_\(type).pub", encoding: .utf8)
    return line.split(separator: " ").prefix(2).joined(separator: " ")
  }

  func fingerprint(_ type: String = "ed25519") async throws -> String {
    let text = try await Tool.run("ssh-keygen -lf \(directory)/host_\(type).pub")
    return String(text.split(separator: " ")[1])
  }

  private static func freePort() throws -> Int {
    let listener = try Listener()
    defer { listener.close() }
    return listener.port
  }

  private static func accepts(_ port: Int) -> Bool {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(port).bigEndian
    address.sin_addr.s_addr = INADDR_LOOPBACK.bigEndian
    return withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
      }
    }
  }
}
