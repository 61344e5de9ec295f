import Database

/// The values of one statement as libpq wants them: text for all but bytes, whose types the server infers.
struct PostgresParameters {
  private var content: [UInt8] = []
  /// Where each value begins in `content`; nil for NULL.
  private var starts: [Int?] = []
  private var lengths: [Int32] = []
  private var formats: [Int32] = []

  init(_ values: [Value]) {
    starts.reserveCapacity(values.count)
    for value in values {
      let start = content.count
      var isBinary = false
      switch value {
      case .null: break
      case .integer(let number): content += String(number).utf8
      case .real(let number): content += number.description.utf8
      case .text(let text): content += text.utf8
      case .blob(let bytes):
        content += bytes
        isBinary = true
      }
      starts.append(value == .null ? nil : start)
      lengths.append(Int32(clamping: content.count - start))
      formats.append(isBinary ? 1 : 0)
      content.append(0)  // text ends with NUL, and empty bytes need an address
    }
  }

  var count: Int { starts.count }

  /// Lends the arrays for one call.
  func withPointers<R>(
    _ body: ([UnsafePointer<CChar>?], [Int32], [Int32]) -> R
  ) -> R {
    content.withUnsafeBytes { buffer in
      let base = buffer.bindMemory(to: CChar.self).baseAddress
      return body(starts.map { start in start.flatMap { base?.advanced(by: $0) } }, lengths, formats)
    }
  }
}
