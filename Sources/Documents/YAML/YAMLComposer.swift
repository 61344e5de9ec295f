import Model
import Yams

/// Makes a tree of ``YAMLNode`` of a text: one document, its keys unique, its aliases few enough.
struct YAMLComposer {
  /// The most levels a document may be deep. (libyaml itself stops at 1000.)
  static let depthLimit = 100
  /// The most values a document may hold, what aliases repeat counted.
  static let sizeLimit = 1_000_000

  private(set) var text: YAMLText
  private(set) var errors: [(position: Position, message: String)] = []
  private var anchors: [String: YAMLNode] = [:]
  private var values = 0

  /// What keeps a document from being read any further.
  private struct Abandoned: Error {}

  private let mayBeEmpty: Bool

  init(_ text: YAMLText, mayBeEmpty: Bool) {
    self.text = text
    self.mayBeEmpty = mayBeEmpty
  }

  /// The root of the document; nil if there is none or it can't be read, which ``errors`` says why.
  mutating func compose() -> YAMLNode? {
    // Each round takes one repeated key out of Yams' sight; a file with more of them hears of the rest next time.
    let rounds = text.written.utf8.count < 1 << 18 ? 50 : 2
    var repeated: [(position: Position, message: String)] = []
    for _ in 0..<rounds {
      do {
        let parser = try Parser(yaml: text.masked, resolver: .basic, encoding: .utf8)
        guard let root = try parser.singleRoot() else {
          failEmpty(.first)
          return nil
        }
        // Nodes hold their anchors weakly; the parser owns them.
        return withExtendedLifetime(parser) { convert(document: root) }
      } catch YamlError.duplicatedKeysInMapping(let keys, let context) {
        let position = Position(line: max(1, context.mark.line), column: max(1, context.mark.column))
        repeated.append((position, "the key '\(text.restored(keys.first ?? "").abridged)' is written twice"))
        if text.maskKey(at: position) { continue }
        errors += repeated
        return nil
      } catch {
        let failure = YAMLSyntax.describe(error, in: text)
        fail(failure.position, failure.message)
        return nil
      }
    }
    errors += repeated
    return nil
  }

  private mutating func convert(document root: Node) -> YAMLNode? {
    do {
      let node = try convert(root, depth: 1)
      if case .scalar("", isPlain: true) = node.content {
        failEmpty(node.position)
        return nil
      }
      return node
    } catch {
      return nil
    }
  }

  private mutating func convert(_ node: Node, depth: Int) throws(Abandoned) -> YAMLNode {
    let position = Position(line: node.mark?.line ?? 1, column: node.mark?.column ?? 1)
    guard depth <= Self.depthLimit else { throw tooDeep(position) }
    values += 1
    guard values <= Self.sizeLimit else {
      fail(position, "the file holds more than a million values")
      throw Abandoned()
    }
    let content: YAMLNode.Content
    switch node {
    case .scalar(let scalar):
      if let alias = try alias(scalar, at: position, depth: depth) { return alias }
      content = text(of: scalar, at: position)
    case .sequence(let items):
      var list: [YAMLNode] = []
      list.reserveCapacity(items.count)
      for item in items { list.append(try convert(item, depth: depth + 1)) }
      checkTag(items.tag, is: .seq, at: position)
      content = .list(list)
    case .mapping(let pairs):
      content = .mapping(try entries(of: pairs, depth: depth))
      checkTag(pairs.tag, is: .map, at: position)
    case .alias:
      // Yams gives these to emitters only; it replaces aliases while it composes.
      content = .broken
    }
    let converted = YAMLNode(content, at: position)
    if let anchor = node.anchor { anchors[anchor.rawValue] = converted }
    return converted
  }

  private mutating func entries(of pairs: Node.Mapping, depth: Int) throws(Abandoned) -> [YAMLEntry] {
    var entries: [YAMLEntry] = []
    entries.reserveCapacity(pairs.count)
    var places: [String: Position] = [:]
    var merged: [YAMLNode] = []
    for (key, value) in pairs {
      let position = Position(line: key.mark?.line ?? 1, column: key.mark?.column ?? 1)
      guard case .scalar(let scalar) = key else {
        fail(position, "a key must be text, not a list or a mapping")
        continue
      }
      // Its tag says nothing any more: Yams resolved it to compare the keys.
      let name = text.restored(scalar.string)
      let isPlain = scalar.style == .plain
      if let sign = text.aliasSign, isPlain, scalar.string.unicodeScalars.first == sign {
        fail(position, "an alias can't be a key")
        continue
      }
      let node = try convert(value, depth: depth + 1)
      if isPlain, name == "<<" {
        merged.append(node)
      } else if let first = places[name] {
        fail(
          position,
          "the key '\(name.abridged)' is written twice; first in line \(first.line), column \(first.column)")
      } else {
        places[name] = position
        entries.append(YAMLEntry(key: name, position: position, value: node))
      }
    }
    for node in merged { merge(node, into: &entries, places: &places) }
    return entries
  }

  /// `<<`: the keys of a mapping, or of a list of them, that are not there yet (https://yaml.org/type/merge.html).
  private mutating func merge(
    _ node: YAMLNode, into entries: inout [YAMLEntry], places: inout [String: Position]
  ) {
    switch node.content {
    case .mapping(let others):
      for other in others where places[other.key] == nil {
        places[other.key] = other.position
        entries.append(other)
      }
    case .list(let items) where items.allSatisfy { if case .mapping = $0.content { true } else { false } }:
      for item in items { merge(item, into: &entries, places: &places) }
    case .broken: break
    default:
      fail(node.position, "'<<' takes the keys of a mapping, such as '<<: *defaults', not \(node.kind)")
    }
  }

  /// The node that `scalar` stands for, if it is an alias.
  private mutating func alias(
    _ scalar: Node.Scalar, at position: Position, depth: Int
  ) throws(Abandoned) -> YAMLNode? {
    guard let sign = text.aliasSign, scalar.style == .plain, scalar.string.unicodeScalars.first == sign else {
      return nil
    }
    let name = String(scalar.string.unicodeScalars.dropFirst())
    guard name.unicodeScalars.allSatisfy(YAMLText.isAnchorLetter) else {
      fail(position, "text that begins with '*' must be quoted, and an alias must stand alone")
      return YAMLNode(.broken, at: position)
    }
    guard let node = anchors[name] else {
      let nearest = Name.nearest(to: name, among: anchors.keys).map { "; did you mean '*\($0)'?" }
      fail(position, "unknown alias '*\(name)'" + (nearest ?? "; quote the text if it is not meant as one"))
      return YAMLNode(.broken, at: position)
    }
    guard depth + node.height - 1 <= Self.depthLimit else { throw tooDeep(position) }
    values += node.size - 1
    guard values <= Self.sizeLimit else {
      fail(position, "the aliases of this file repeat more than a million values")
      throw Abandoned()
    }
    return node
  }

  private mutating func text(of scalar: Node.Scalar, at position: Position) -> YAMLNode.Content {
    checkTag(scalar.tag, is: .str, at: position)
    let isPlain = scalar.style == .plain && scalar.tag.rawValue != Tag.Name.str.rawValue
    return .scalar(text.restored(scalar.string), isPlain: isPlain)
  }

  private mutating func checkTag(_ tag: Tag, is expected: Tag.Name, at position: Position) {
    let name = tag.rawValue
    guard !name.isEmpty, name != "!", name != expected.rawValue else { return }
    fail(position, "the tag '\(name.replacing("tag:yaml.org,2002:", with: "!!"))' has no meaning here")
  }

  private mutating func tooDeep(_ position: Position) -> Abandoned {
    fail(position, "nested more than \(Self.depthLimit) levels deep")
    return Abandoned()
  }

  private mutating func failEmpty(_ position: Position) {
    if !mayBeEmpty { fail(position, "the file is empty") }
  }

  private mutating func fail(_ position: Position, _ message: String) { errors.append((position, message)) }
}
