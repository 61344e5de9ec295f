import Testing
import UpdateLoops

@Suite("how ids are written and read")
struct FormatTests {
  @Test("what can be written is read back as the same, in pieces of any size", arguments: IDFormat.allCases)
  func roundTrip(format: IDFormat) throws {
    let type = try LoopIDType("text(200)")
    let texts = IDTests.texts.filter { format != .lines || !$0.isEmpty && !$0.contains("\n") }
    let bytes = try format.bytes(ids(texts))
    for size in [1, 2, 7, 100_000] {
      var reader = IDReader(format, of: type)
      var read: [LoopID] = []
      for start in stride(from: 0, to: bytes.count, by: size) {
        read += try reader.read(bytes[start..<min(start + size, bytes.count)])
      }
      read += try reader.finish()
      #expect(read == ids(texts))
    }
    let numbers = ids(.min, -1, 0, .max)
    var reader = IDReader(format, of: .bigint)
    #expect(try reader.read(format.bytes(numbers)) == numbers)
    var hexadecimal = IDReader(format, of: try LoopIDType("bytes(4)"))
    #expect(try hexadecimal.read(format.bytes([.bytes([0, 0x0a, 0xff])])) == [.bytes([0, 0x0a, 0xff])])
  }

  @Test("an id that is no line is refused, not split")
  func unwritable() throws {
    for text in ["", "a\nb", "\n"] {
      #expect(throws: LoopError.self) { try IDFormat.lines.bytes([.text("x"), .text(text)]) }
      #expect(try IDFormat.nul.bytes([.text(text)]).last == 0)
    }
    #expect(
      try String(decoding: IDFormat.jsonl.bytes([.text("a\nb/é"), .integer(5)]), as: UTF8.self)
        == "\"a\\nb/é\"\n5\n")
  }

  @Test("the last line needs no end, and empty lines are read over")
  func lines() throws {
    var reader = IDReader(.lines, of: .int)
    #expect(try reader.read("1\n\n2\n\n3".utf8) == ids(1, 2))
    #expect(try reader.finish() == ids(3))
    #expect(try reader.finish().isEmpty)
    var jsonl = IDReader(.jsonl, of: .int)
    #expect(try jsonl.read("1\n \"2\"\n\n -3 \n".utf8) == ids(1, 2, -3))
  }

  @Test(
    "what is no id is named with its place",
    arguments: [
      (
        IDFormat.lines, "1\nx\n",
        "line 2: id 'x': it is no whole number of 64 bits; the ids of this loop are int"
      ),
      (.nul, "1\0\0", "id 2: id '': it is no whole number of 64 bits; the ids of this loop are int"),
      (.jsonl, "1\n{}\n", "line 2: '{}': it is no JSON string or whole number; write one a line"),
      (.jsonl, "1.5\n", "line 1: '1.5': it is no JSON string or whole number; write one a line"),
      (.jsonl, "\"a\n", "line 1: '\"a': it is no JSON string or whole number; write one a line"),
      (.lines, "99999999999\n", "line 1: id '99999999999': it is out of range; the ids of this loop are int"),
    ])
  func faults(format: IDFormat, text: String, message: String) {
    var reader = IDReader(format, of: .int)
    let error = #expect(throws: LoopError.self) { try reader.read(text.utf8) }
    #expect(error?.description == message)
    #expect(error?.kind == .invalid)
  }

  @Test("bytes that are no UTF-8 are refused")
  func encoding() throws {
    var reader = IDReader(.lines, of: try LoopIDType("text"))
    #expect(throws: LoopError.self) { try reader.read([0xff, 0x0a]) }
  }
}
