public import Model

/// A JSON object whose members keep the order in which they were written: what every `--json` is made of.
///
/// ```swift
/// let object: JSONObject = ["host": agent.host, "last_seen": agent.lastSeen, "labels": labels]
/// ```
public struct JSONObject: Sendable, Hashable, ExpressibleByDictionaryLiteral {
  /// What a member may be.
  public indirect enum Content: Sendable, Hashable {
    /// Anything without an order of its own to keep.
    case plain(JSONValue)
    /// An object.
    case object(JSONObject)
    /// A list.
    case list([Content])
  }

  /// One key with its value.
  public struct Member: Sendable, Hashable {
    /// The key.
    public let key: String
    /// The value.
    public let value: Content
  }

  /// The members in the order they are written.
  public private(set) var members: [Member] = []

  /// `{}`.
  public init() {}

  /// The members as listed; a key that stands twice keeps its first place and its last value.
  public init(dictionaryLiteral elements: (String, any JSONRenderable)...) {
    for (key, value) in elements { set(key, value) }
  }

  /// The members as listed, for values that a literal would have to name the type of.
  public init(_ members: [(String, any JSONRenderable)]) {
    for (key, value) in members { set(key, value) }
  }

  /// Sets `key`, at the end if it is new, to `value`; an absent optional becomes `null`.
  public mutating func set(_ key: String, _ value: any JSONRenderable) {
    let member = Member(key: key, value: value.jsonValue)
    if let place = members.firstIndex(where: { $0.key == key }) {
      members[place] = member
    } else {
      members.append(member)
    }
  }

  /// The value of `key`.
  public subscript(key: String) -> Content? { members.first { $0.key == key }?.value }

  /// The object on one line, as JSON lines need it.
  public var line: String {
    "{" + members.map { Self.key($0.key) + $0.value.line }.joined(separator: ", ") + "}"
  }

  /// The object over several lines, ending with a newline: each member begins one, and so does each object in a list.
  public var document: String {
    guard !members.isEmpty else { return "{}\n" }
    let lines = members.map { member in
      let key = Self.key(member.key)
      guard case .list(let items) = member.value, items.contains(where: \.isObject) else {
        return key + member.value.line
      }
      return key + "[\n  " + items.map(\.line).joined(separator: ",\n  ") + "]"
    }
    return "{" + lines.joined(separator: ",\n ") + "}\n"
  }

  /// A list of objects as one document, one object to a line, ending with a newline.
  public static func document(_ objects: [JSONObject]) -> String {
    objects.isEmpty ? "[]\n" : "[" + objects.map(\.line).joined(separator: ",\n ") + "]\n"
  }

  fileprivate static func key(_ key: String) -> String { Content.quoted(key) + ": " }
}

extension JSONObject.Content {
  /// The value on one line.
  public var line: String {
    switch self {
    case .plain(let value): Self.text(of: value)
    case .object(let object): object.line
    case .list(let items): "[" + items.map(\.line).joined(separator: ", ") + "]"
    }
  }

  fileprivate var isObject: Bool {
    switch self {
    case .object, .plain(.object): true
    default: false
    }
  }

  private static func text(of value: JSONValue) -> String {
    switch value {
    case .string(let text): quoted(text)
    case .array(let items): "[" + items.map(text).joined(separator: ", ") + "]"
    case .object(let members):
      "{"
        + members.sorted { $0.key < $1.key }.map { quoted($0.key) + ": " + text(of: $0.value) }
        .joined(separator: ", ") + "}"
    default: value.json
    }
  }

  /// A JSON string. What a terminal would act on is written as `\u…` too, so that the document is harmless on one.
  fileprivate static func quoted(_ text: String) -> String {
    let json = JSONValue.string(text).json
    guard json.unicodeScalars.contains(where: Neutral.isHarmful) else { return json }
    var out = String.UnicodeScalarView()
    for scalar in json.unicodeScalars {
      if Neutral.isHarmful(scalar) {
        for unit in String(scalar).utf16 {
          let hex = String(unit, radix: 16)
          out.append(contentsOf: "\\u\(String(repeating: "0", count: 4 - hex.count))\(hex)".unicodeScalars)
        }
      } else {
        out.append(scalar)
      }
    }
    return String(out)
  }
}
