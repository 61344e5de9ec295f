import Model

/// What a plain scalar means by the core schema of YAML 1.2 (10.3.2): `yes`, `no`, `on` and `off` are text.
enum CoreScalar: Equatable {
  case null
  case bool(Bool)
  case integer(Int64)
  case number(Double)
  case text(String)

  /// Reads `text`, which stands without quotes.
  init(plain text: String) {
    switch text {
    case "", "~", "null", "Null", "NULL": self = .null
    case "true", "True", "TRUE": self = .bool(true)
    case "false", "False", "FALSE": self = .bool(false)
    default: self = Self.number(text) ?? .text(text)
    }
  }

  /// As a JSON value; nil for a number that JSON can't hold.
  var json: JSONValue? {
    switch self {
    case .null: .null
    case .bool(let value): .bool(value)
    case .integer(let value): .integer(value)
    case .number(let value): value.isFinite ? .number(value) : nil
    case .text(let text): .string(text)
    }
  }

  /// As a JSON value that shows itself the way `text` was written: a number written otherwise than JSON would write
  /// it, such as `1.10` or `007`, is taken as text, for a version or a label must not lose its zeros.
  func json(asWritten text: String) -> JSONValue? {
    switch self {
    case .integer, .number: json.map { $0.plainText == text ? $0 : .string(text) }
    case .null, .bool, .text: json
    }
  }

  private static func number(_ text: String) -> CoreScalar? {
    if text.hasPrefix("0x"), let value = digits(text, radix: 16) { return .integer(value) }
    if text.hasPrefix("0o"), let value = digits(text, radix: 8) { return .integer(value) }
    switch text {
    case ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF": return .number(.infinity)
    case "-.inf", "-.Inf", "-.INF": return .number(-.infinity)
    case ".nan", ".NaN", ".NAN": return .number(.nan)
    default: break
    }
    var rest = Substring(text)
    if rest.first == "+" || rest.first == "-" { rest = rest.dropFirst() }
    let whole = rest.prefix(while: \.isASCIIDigit)
    rest = rest.dropFirst(whole.count)
    if rest.isEmpty, !whole.isEmpty {
      return Int64(text).map { .integer($0) } ?? Double(text).map { .number($0) }
    }
    var fraction: Substring = ""
    if rest.first == "." {
      fraction = rest.dropFirst().prefix(while: \.isASCIIDigit)
      rest = rest.dropFirst(1 + fraction.count)
    }
    guard !whole.isEmpty || !fraction.isEmpty else { return nil }
    if rest.first == "e" || rest.first == "E" {
      rest = rest.dropFirst()
      if rest.first == "+" || rest.first == "-" { rest = rest.dropFirst() }
      guard !rest.isEmpty, rest.allSatisfy(\.isASCIIDigit) else { return nil }
      rest = ""
    }
    guard rest.isEmpty else { return nil }
    // Double reads no number that begins or ends with its point.
    let padded = text.replacing(".", with: fraction.isEmpty ? ".0" : ".", maxReplacements: 1)
    let signed =
      padded.hasPrefix(".") ? "0" + padded : padded.replacing("-.", with: "-0.").replacing("+.", with: "0.")
    return Double(signed).map { .number($0) }
  }

  private static func digits(_ text: String, radix: Int) -> Int64? {
    let digits = text.dropFirst(2)
    guard let first = digits.first, first != "+", first != "-" else { return nil }
    return Int64(digits, radix: radix)
  }
}

extension Character {
  fileprivate var isASCIIDigit: Bool { ("0"..."9").contains(self) }
}
