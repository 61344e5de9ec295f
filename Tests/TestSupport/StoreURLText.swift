public import Database
import Foundation

extension StoreURL {
  /// The URL as it is typed, with its password.
  public var textWithPassword: String {
    func escaped(_ text: String) -> String {
      text.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? text
    }
    let query = options.map { "\($0.key)=\($0.value)" }.joined(separator: "&")
    let suffix = query.isEmpty ? "" : "?" + query
    if let path { return "sqlite:\(path)\(suffix)" }
    let credentials = [user, password].compactMap { $0.map(escaped) }.joined(separator: ":")
    let servers = endpoints.map(\.description).joined(separator: ",")
    return "\(kind)://\(credentials)@\(servers)/\(database ?? "")\(suffix)"
  }
}
