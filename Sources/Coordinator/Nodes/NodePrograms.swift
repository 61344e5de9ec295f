import Foundation
import Transport

/// The programs that nodes are given, as they are on this host.
public struct NodePrograms: Sendable {
  /// Their names, in the order they are sent.
  static let names = ["coordinator", "eventor-agent"]

  /// The directory they are in.
  let folder: String
  /// SHA-256 of each, in hexadecimal.
  let digests: [String: String]
  /// This host's machine, as `uname -m` prints it.
  let machine: String

  /// The programs in `folder`; reads them once.
  ///
  /// - Throws: ``NodeFailure`` with `.usage` if one is missing.
  public init(in folder: String) throws {
    self.folder = folder
    var digests: [String: String] = [:]
    for name in Self.names {
      do {
        digests[name] = try LocalFile.digest(of: folder + "/" + name)
      } catch {
        throw NodeFailure(
          .usage, what: "there is no \(name) in \(folder)", why: error.why,
          mend: "say with --from where both programs are")
      }
    }
    self.digests = digests
    var system = utsname()
    uname(&system)
    machine = withUnsafeBytes(of: system.machine) { bytes in
      String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
  }

  /// Those of them that `facts` doesn't name with the same digest.
  func missing(_ facts: NodeFacts) -> [String] { Self.names.filter { digests[$0] != facts[$0] } }
}
