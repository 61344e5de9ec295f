import Model

/// A file on its way from bytes to a value: what every kind of file people write has in common.
struct Source {
  var reader: Reader
  private let root: YAMLNode?

  /// Composes `bytes`, the content of `file`. A text that is no YAML is complained of by ``diagnostics``.
  init(
    _ bytes: [UInt8], file: String, mayBeEmpty: Bool = false, quotesValues: Bool = true
  ) throws(DocumentError) {
    guard bytes.count <= FileBytes.limit else { throw FileBytes.tooLarge(file, size: bytes.count) }
    let text: YAMLText
    do {
      text = try YAMLText(bytes)
    } catch {
      let mark = SourceMark(file: file, line: error.position.line, column: error.position.column)
      throw .invalid([Diagnostic(severity: .error, mark: mark, path: "", message: error.message)])
    }
    var composer = YAMLComposer(text, mayBeEmpty: mayBeEmpty)
    root = composer.compose()
    reader = Reader(file: file, text: text, quotesValues: quotesValues)
    for error in composer.errors { reader.fail(error.position, "", error.message) }
  }

  /// Everything wrong and doubtful, in file order.
  var diagnostics: [Diagnostic] { reader.diagnostics.inFileOrder() }

  /// `empty` filled from the document by `section`; nil if there is no mapping to read.
  mutating func read<Root>(_ section: Section<Root>, into empty: Root) -> Root? {
    guard let root else { return nil }
    if case .broken = root.content { return nil }
    guard case .mapping = root.content else {
      reader.fail(root, "", sentence: "a \(section.table.noun) file is a mapping of keys, not")
      return nil
    }
    var value = empty
    reader.place("", at: root.position)
    _ = section.read(root, "", into: &value, &reader)
    return value
  }
}
