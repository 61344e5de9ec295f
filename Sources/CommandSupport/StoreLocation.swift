public import Database
public import Documents
import Foundation
import Model

extension Configuration {
  /// The configuration file that applies, read, or the defaults where there is none.
  public static func found(explicit: String?) throws -> Configuration {
    let found = locate(
      explicit: explicit, environment: ProcessInfo.processInfo.environment, home: Places.home,
      currentDirectory: FileManager.default.currentDirectoryPath)
    return try found.map { try read(path: $0) } ?? Configuration()
  }

  /// What `text`, a URL or one of the tags, stands for; `noun` is what it is called if it is neither.
  public func located(_ text: String, as noun: String) throws -> (text: String, url: StoreURL) {
    var text = text
    if let entry = databases[text] {
      text = entry
    } else if !text.contains(":") {
      let near = Name.nearest(to: text, among: databases.keys).map { "did you mean '\($0)'?" }
      throw CommandFailure(
        status: .usage, what: "\(noun) '\(text)'",
        why: "it is no URL, and the configuration has no database of that name",
        mend: near ?? "give a URL such as sqlite:PATH, or add it under databases:")
    }
    // A configuration is written by hand, where no shell expands the tilde.
    if text.hasPrefix("sqlite:~/"), let home = Places.home { text = "sqlite:" + home + text.dropFirst(8) }
    return (text, try StoreURL(text))
  }
}
