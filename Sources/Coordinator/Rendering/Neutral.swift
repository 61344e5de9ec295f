/// `text` as it may be shown on a terminal: escapes, control characters and marks that reorder text stand there
/// visibly and do nothing.
///
/// Newlines and tabs stay, unless `onOneLine`. A carriage return before a newline goes, as do complete colour
/// sequences (`ESC [ … m`), which carry looks only; everything else is shown: `^[` for ESC, `^M` for CR,
/// `<U+202E>` for a bidi override.
public func neutralised(_ text: String, onOneLine: Bool = false) -> String {
  if !text.unicodeScalars.contains(where: Neutral.isHarmful),
    !onOneLine || !text.utf8.contains(where: { $0 < 0x20 })
  {
    return text
  }
  let scalars = Array(text.unicodeScalars)
  var out = String.UnicodeScalarView()
  var position = 0
  while position < scalars.count {
    let scalar = scalars[position]
    if let end = Neutral.endOfColour(in: scalars, at: position) {
      position = end
      continue
    }
    if scalar == "\r", position + 1 < scalars.count, scalars[position + 1] == "\n" {
      position += 1
      continue
    }
    if Neutral.isHarmful(scalar) {
      out.append(contentsOf: Neutral.shown(scalar).unicodeScalars)
    } else if onOneLine && (scalar == "\n" || scalar == "\t") {
      out.append(" ")
    } else {
      out.append(scalar)
    }
    position += 1
  }
  return String(out)
}

/// What is harmful on a terminal.
enum Neutral {
  /// Whether a terminal might act on `scalar`, or show text in another order because of it.
  static func isHarmful(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x09, 0x0A: false
    // C0 (ESC, CR, backspace, …), DEL, C1 (0x9B is a one-character CSI, 0x9D an OSC).
    case 0x00...0x1F, 0x7F...0x9F: true
    // Marks, embeddings, overrides and isolates of the bidirectional algorithm; line and paragraph separators.
    case 0x061C, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x2069: true
    // Deprecated format characters, interlinear annotations and tags: invisible text.
    case 0x206A...0x206F, 0xFFF9...0xFFFB, 0xE0001, 0xE0020...0xE007F: true
    default: false
    }
  }

  /// How a harmful scalar is shown: `^X` for the ASCII ones, as `cat -v` does, `<U+NNNN>` for the rest.
  static func shown(_ scalar: Unicode.Scalar) -> String {
    switch scalar.value {
    case 0x00...0x1F: return "^" + String(UnicodeScalar(UInt8(scalar.value) + 0x40))
    case 0x7F: return "^?"
    default:
      let hex = String(scalar.value, radix: 16, uppercase: true)
      return "<U+" + String(repeating: "0", count: max(0, 4 - hex.utf8.count)) + hex + ">"
    }
  }

  /// Where the colour sequence that begins at `start` ends: `ESC [`, digits, `;` and `:`, then `m`.
  static func endOfColour(in scalars: [Unicode.Scalar], at start: Int) -> Int? {
    guard scalars[start] == "\u{1B}", start + 2 < scalars.count, scalars[start + 1] == "[" else { return nil }
    var position = start + 2
    // No colour needs more; a longer one is shown.
    while position < scalars.count, position < start + 40 {
      switch scalars[position] {
      case "0"..."9", ";", ":": position += 1
      case "m": return position + 1
      default: return nil
      }
    }
    return nil
  }
}
