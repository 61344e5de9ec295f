public import Database
import Foundation

/// A database server of the test's own, reached through a proxy that stays when the server does not.
public struct PrivateServer: Sendable {
  /// Where the server is, or will be again.
  public let url: StoreURL

  /// Why there is no server.
  public struct Failure: Error, CustomStringConvertible {
    /// What failed.
    public let description: String
  }

  private let service: String
  private let state: String
  private let proxy: CuttingProxy

  /// Hands `body` a running server and removes it afterwards, whatever happened.
  ///
  /// Throws ``Failure`` when `scripts/dev-services` can't start it.
  public static func with(_ kind: TestStore.Kind, _ body: (PrivateServer) async throws -> Void) async throws {
    let service = kind == .mysql ? "mariadb" : "postgresql"
    let state = FileManager.default.temporaryDirectory.appendingPathComponent("evserver-" + UUID().uuidString)
      .path
    let there = try StoreURL(try await services(state, "up", service))
    guard let port = there.port else { throw Failure(description: "the server has no port") }
    let proxy = try CuttingProxy(host: "127.0.0.1", port: port)
    let url = try StoreURL(there.text.replacing(":\(port)/", with: ":\(proxy.port)/"))
    let server = PrivateServer(url: url, service: service, state: state, proxy: proxy)
    let result: Result<Void, any Error>
    do { result = .success(try await body(server)) } catch { result = .failure(error) }
    proxy.stop()
    _ = try? await services(state, "down", service)
    try? FileManager.default.removeItem(atPath: state)
    try result.get()
  }

  /// Stops the server as its administrator would; its data stay.
  public func stop() async throws { _ = try await Self.services(state, "down", "--keep", service) }

  /// Starts it again; the port may be another, which the proxy hides.
  public func start() async throws {
    let url = try StoreURL(try await Self.services(state, "up", service))
    guard let port = url.port else { throw Failure(description: "the server has no port") }
    proxy.goOn(to: port)
  }

  /// Calls `scripts/dev-services` with a state of its own, and returns the URL it prints, if any.
  private static func services(_ state: String, _ words: String...) async throws -> String {
    let process = Foundation.Process()
    process.executableURL = script
    process.arguments = words
    process.environment = ProcessInfo.processInfo.environment.merging(["EVENTOR_SERVICES_DIR": state]) { $1 }
    let output = Pipe()
    process.standardOutput = output
    try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
      process.terminationHandler = { _ in continuation.resume() }
      do { try process.run() } catch { continuation.resume(throwing: error) }
    }
    guard process.terminationStatus == 0 else {
      throw Failure(description: "scripts/dev-services \(words) failed")
    }
    let text = String(decoding: try output.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
    return text.split(separator: "'").first { $0.contains("://") }.map(String.init) ?? ""
  }

  private static var script: URL {
    URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("scripts/dev-services")
  }
}

extension StoreURL {
  /// As it is given to a command, with its password.
  public var text: String {
    if let path { return "sqlite:" + path }
    let query = options.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: "&")
    return
      "\(kind == .mysql ? "mysql" : "postgresql")://\(user ?? ""):\(password ?? "")@\(host ?? ""):\(port ?? 0)"
      + "/\(database ?? "")" + (query.isEmpty ? "" : "?" + query)
  }
}
