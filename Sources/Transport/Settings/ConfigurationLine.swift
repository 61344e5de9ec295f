/// One line of `ssh_config`: a keyword and its arguments (ssh_config(5), first paragraphs).
struct ConfigurationLine {
  /// In lower case.
  let keyword: String
  let arguments: [String]
  /// `FILE:LINE`.
  let place: String

  /// Reads a line; nil for comments and empty lines.
  init?(_ text: Substring, place: String) throws {
    var rest = text[...]
    Self.skipBlanks(&rest)
    guard let first = rest.first, first != "#" else { return nil }
    let keyword = rest.prefix { !Self.isBlank($0) && $0 != "=" }
    rest = rest.dropFirst(keyword.count)
    Self.skipBlanks(&rest)
    if rest.first == "=" {
      rest = rest.dropFirst()
      Self.skipBlanks(&rest)
    }
    self.keyword = keyword.lowercased()
    self.place = place
    var arguments: [String] = []
    while let first = rest.first, first != "#" {
      guard let argument = Self.argument(&rest) else {
        throw TransportError(
          .configuration, what: place, why: "a quotation is not closed", mend: "close it on the same line")
      }
      arguments.append(argument)
      Self.skipBlanks(&rest)
    }
    self.arguments = arguments
  }

  private static func isBlank(_ character: Character) -> Bool {
    character == " " || character == "\t" || character == "\r" || character == "\u{0c}"
  }

  private static func skipBlanks(_ rest: inout Substring) { rest = rest.drop(while: isBlank) }

  /// Takes a word, in which quotation marks hold blanks and a backslash takes marks and itself literally.
  private static func argument(_ rest: inout Substring) -> String? {
    var word = ""
    var quote: Character?
    while let character = rest.first {
      if quote == nil, isBlank(character) { break }
      rest.removeFirst()
      if character == "\\", let next = rest.first, "\"'\\".contains(next) || (quote == nil && next == " ") {
        word.append(next)
        rest.removeFirst()
      } else if character == quote {
        quote = nil
      } else if quote == nil, character == "\"" || character == "'" {
        quote = character
      } else {
        word.append(character)
      }
    }
    return quote == nil ? word : nil
  }
}
