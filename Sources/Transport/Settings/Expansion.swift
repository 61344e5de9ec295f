/// Fills in what settings leave open: `%` tokens, `${VARIABLES}` and the tilde (ssh_config(5), TOKENS).
struct Expansion {
  let local: LocalUser
  /// The host as it was named.
  let host: String
  var hostName: String
  var port: Int
  var user: String

  /// `text` with its tokens; `only` are those the keyword knows.
  func tokens(_ text: String, only: String, place: String) throws -> String {
    var result = ""
    var rest = text[...]
    while let character = rest.popFirst() {
      guard character == "%" else {
        result.append(character)
        continue
      }
      guard let token = rest.popFirst(), token == "%" || only.contains(token), let value = value(of: token)
      else {
        throw TransportError(
          .configuration, what: place, why: "\(quoted(text)) has a token that is not known here",
          mend: "write %% for a percent sign")
      }
      result += value
    }
    return result
  }

  /// `text` as a path: with tokens, variables, and the tilde in front.
  func path(_ text: String, place: String) throws -> String {
    var path = try tokens(variables(text, place: place), only: "dhiLlnpru", place: place)
    if path == "~" || path.hasPrefix("~/") { path = local.home + path.dropFirst() }
    return path
  }

  private func variables(_ text: String, place: String) throws -> String {
    var result = ""
    var rest = text[...]
    while let start = rest.firstRange(of: "${") {
      result += rest[..<start.lowerBound]
      rest = rest[start.upperBound...]
      guard let end = rest.firstIndex(of: "}"), let value = local.environment[String(rest[..<end])] else {
        throw TransportError(
          .configuration, what: place, why: "\(quoted(text)) names a variable that is not set",
          mend: "set it, or write the path out")
      }
      result += value
      rest = rest[rest.index(after: end)...]
    }
    return result + rest
  }

  private func value(of token: Character) -> String? {
    switch token {
    case "%": "%"
    case "d": local.home
    case "h": hostName
    case "i": String(local.number)
    case "L": String(local.host.prefix { $0 != "." })
    case "l": local.host
    case "n": host
    case "p": String(port)
    case "r": user
    case "u": local.name
    default: nil
    }
  }
}
