public import Database
public import Documents
import Foundation
import Model
public import Secrets

extension Configuration {
  /// The configuration file that applies, read, or the defaults where there is none.
  public static func found(explicit: String?) throws -> Configuration {
    let found = locate(
      explicit: explicit, environment: ProcessInfo.processInfo.environment, home: Places.home,
      currentDirectory: FileManager.default.currentDirectoryPath)
    return try found.map { try read(path: $0) } ?? Configuration()
  }

  /// What `text`, a URL or one of the tags, stands for; `noun` is what it is called if it is neither. Blocks where a
  /// secret of the vault is needed, which `key` opens.
  ///
  /// - Returns: The URL, and the text that a later call can be given for it: never one with a secret.
  public func located(_ text: String, as noun: String, key: KeyOffer) throws -> (text: String, url: StoreURL)
  {
    if let entry = databases[text] {
      let url = try url(entry, key)
      return (entry.hasPrefix(Self.secretPrefix) ? text : Places.expanded(entry), url)
    }
    guard text.contains(":") else {
      let near = Name.nearest(to: text, among: databases.keys).map { "did you mean '\($0)'?" }
      throw CommandFailure(
        status: .usage, what: "\(noun) '\(text)'",
        why: "it is no URL, and the configuration has no database of that name",
        mend: near ?? "give a URL such as sqlite:PATH, or add it under databases:")
    }
    return (Places.expanded(text), try url(text, key))
  }
}
