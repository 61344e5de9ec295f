/// The width of text in a proportional font that is not known: rather too wide than too narrow, after DejaVu Sans,
/// the widest of those likely to be used.
enum TextMeasure {
  static func width(_ text: String, size: Double, bold: Bool = false) -> Double {
    let total = text.reduce(0.0) { $0 + ems(of: $1) }
    return total * size * (bold ? 1.1 : 1)
  }

  private static func ems(of character: Character) -> Double {
    guard let ascii = character.asciiValue else { return DisplayWidth.of(character) == 2 ? 1.05 : 0.7 }
    switch Character(UnicodeScalar(ascii)) {
    case "i", "j", "l", "I", ".", ",", ":", ";", "'", "|", "!": return 0.34
    case " ", "f", "r", "t", "(", ")", "[", "]", "/", "\\", "-", "J": return 0.42
    case "m", "M", "W", "w", "@", "%": return 0.96
    case "A"..."Z", "+", "=", "<", ">", "~", "#": return 0.74
    default: return 0.62
    }
  }
}
