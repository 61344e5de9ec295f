/// How many columns text takes on a terminal, after UAX #11 (East Asian Width) and what terminals do with emoji.
public enum DisplayWidth {
  /// The columns of `text`, which should be neutralised and on one line.
  public static func of(_ text: String) -> Int {
    // Nearly everything is ASCII; one byte is one column then.
    if text.utf8.allSatisfy({ $0 < 0x80 }) { return text.utf8.count }
    return text.reduce(0) { $0 + of($1) }
  }

  /// The columns of one character, combining marks included: 0, 1 or 2.
  public static func of(_ character: Character) -> Int {
    var width = 0
    for scalar in character.unicodeScalars {
      // Variation selector 16 asks for the emoji form, which is wide; so is a pair of regional indicators.
      if scalar.value == 0xFE0F || (0x1F1E6...0x1F1FF).contains(scalar.value) { return 2 }
      width = max(width, of(scalar))
    }
    return width
  }

  /// `text` cut to at most `width` columns, with `ellipsis` at its end if anything was cut.
  public static func truncated(_ text: String, to width: Int, ellipsis: String = "…") -> String {
    guard of(text) > width else { return text }
    let mark = of(ellipsis) <= width ? ellipsis : ""
    var room = width - of(mark)
    var out = ""
    for character in text {
      let columns = of(character)
      if columns > room { break }
      room -= columns
      out.append(character)
    }
    return out + mark
  }

  /// `text` filled with spaces up to `width` columns, at its end, or at its start if `right`.
  public static func padded(_ text: String, to width: Int, right: Bool = false) -> String {
    let fill = String(repeating: " ", count: max(0, width - of(text)))
    return right ? fill + text : text + fill
  }

  private static func of(_ scalar: Unicode.Scalar) -> Int {
    switch scalar.properties.generalCategory {
    case .nonspacingMark, .enclosingMark, .format: return 0
    default: break
    }
    if scalar.properties.isEmojiPresentation { return 2 }
    return wide.contains { $0.contains(scalar.value) } ? 2 : 1
  }

  /// The blocks whose characters are all, or nearly all, of East Asian Width W or F.
  private static let wide: [ClosedRange<UInt32>] = [
    0x1100...0x115F, 0x2E80...0x303E, 0x3041...0x33FF, 0x3400...0x4DBF, 0x4E00...0x9FFF, 0xA000...0xA4CF,
    0xA960...0xA97F, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE10...0xFE19, 0xFE30...0xFE6F, 0xFF01...0xFF60,
    0xFFE0...0xFFE6, 0x16FE0...0x18AFF, 0x1AFF0...0x1B2FF, 0x1F200...0x1F251, 0x20000...0x3FFFD,
  ]
}
