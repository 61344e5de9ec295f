public import Coordinator
import Database
import Documents
import Foundation
import Runtime
import Secrets

extension StoreOptions {
  /// The store that was asked for, as agents of other hosts are to be told of it: its password, wherever it stands here, as a
  /// secret to be sealed for each of them.
  ///
  /// - Throws: ``CommandFailure`` if none was named, or it is none that other hosts reach; ``SecretError``,
  ///   ``DatabaseError``.
  public func storeForNodes() async throws -> NodeStore {
    let configuration = try configuration()
    guard let text = store ?? configuration.store else {
      throw CommandFailure(
        status: .usage, what: "no store is named that the agents are to serve",
        mend: "say --store URL or TAG, or write store: into the configuration")
    }
    let resolved = try await url()
    if resolved.url.kind == .sqlite, resolved.url.isMemory || resolved.url.path?.hasPrefix("/") != true {
      throw CommandFailure(
        status: .usage, what: "the store \(resolved.url)",
        why: "the agents of other hosts can't find it by that",
        mend: "name a database server, or for one host alone sqlite: and a path from the root")
    }
    let tag = configuration.databases[text] == nil ? "cluster" : text
    let entry = configuration.databases[text] ?? text
    return try await SerialWorker(name: "vault").run { [offer = key.offer] in
      if let name = configuration.secretName(in: entry) {
        return NodeStore(
          tag: tag, entry: entry, secrets: [(name, try OpenVault.secret(name, of: configuration, offer))])
      }
      guard try StoreURL(entry).password != nil else { return NodeStore(tag: tag, entry: entry, secrets: []) }
      // All of it, so that the password can't be sent to another host than this one.
      return NodeStore(
        tag: tag, entry: "secret:\(tag)", secrets: [(tag, try SecretBytes(copying: entry.utf8))])
    }
  }
}
