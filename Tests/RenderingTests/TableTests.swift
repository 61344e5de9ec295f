import Coordinator
import Testing

@Suite("Tables")
struct TableTests {
  private static let terminal = TerminalProfile(isTerminal: true, width: 30, height: 10, colour: false)

  private func sample() -> Table {
    var table = Table([
      Table.Column("name"), Table.Column("count", alignment: .right), Table.Column("last_note"),
    ])
    table.append(["日本語", Table.Cell(7), "wide"])
    table.append(["e\u{301}te\u{301}", Table.Cell(1234), "a,\"b\"\nc"])
    table.append(["👩‍👩‍👧", Table.Cell(nil as Int?)])
    return table
  }

  @Test("columns are aligned by what characters take on a terminal")
  func aligned() {
    let expected = """
      NAME    COUNT  LAST NOTE
      日本語      7  wide
      e\u{301}te\u{301}      1234  a,"b" c
      👩‍👩‍👧

      """
    #expect(sample().rendered(as: .table, on: .plain) == expected)
    #expect(!sample().rendered(as: .table, header: false, on: .plain).contains("NAME"))
  }

  static let characters: [(String, Int)] = [
    ("abc", 3), ("日本", 4), ("ｱ", 1), ("Ａ", 2), ("e\u{301}", 1), ("🎉", 2), ("👩‍👩‍👧", 2), ("🇩🇪", 2),
    ("❤\u{FE0F}", 2),
    ("한", 2), ("\u{200D}", 0), ("", 0), ("…", 1),
  ]

  @Test("widths of characters", arguments: characters)
  func width(text: String, columns: Int) {
    #expect(DisplayWidth.of(text) == columns)
  }

  @Test("nothing is cut without a width, everything fits with one")
  func cut() {
    var table = Table([Table.Column("step"), Table.Column("message")])
    table.append(["build", Table.Cell(String(repeating: "日本", count: 20))])
    #expect(!table.rendered(as: .table, on: .plain).contains("…"))
    let narrow = table.rendered(as: .table, on: Self.terminal)
    #expect(narrow.contains("…"))
    #expect(narrow.contains("build"))
    for line in narrow.split(separator: "\n") { #expect(DisplayWidth.of(String(line)) <= 30) }
  }

  @Test("colours only where allowed, and cells can't bring their own")
  func colours() {
    var table = Table([Table.Column("status")])
    table.append([Table.Cell("failure\u{1B}[2J", style: .bad)])
    #expect(!table.rendered(as: .table, on: Self.terminal).contains("\u{1B}"))
    var coloured = Self.terminal
    coloured.colour = true
    #expect(table.rendered(as: .table, header: false, on: coloured) == "\u{1B}[1;31mfailure^[[2J\u{1B}[0m\n")
  }

  @Test("CSV after RFC 4180, TSV with escapes")
  func separated() {
    let csv = sample().rendered(as: .csv, on: .plain)
    #expect(csv.hasPrefix("name,count,last_note\r\n日本語,7,wide\r\n"))
    #expect(csv.hasSuffix(",1234,\"a,\"\"b\"\"\nc\"\r\n👩‍👩‍👧,,\r\n"))
    let tsv = sample().rendered(as: .tsv, header: false, on: .plain)
    #expect(tsv.split(separator: "\n")[1].hasSuffix("\t1234\ta,\"b\"\\nc"))
  }

  @Test("JSON keeps the types, one object per row")
  func json() {
    #expect(
      sample().rendered(as: .jsonl, on: .plain).split(separator: "\n")[0]
        == #"{"name": "日本語", "count": 7, "last_note": "wide"}"#)
    #expect(sample().rendered(as: .json, on: .plain).hasSuffix("\"count\": null, \"last_note\": null}]\n"))
    #expect(Table([]).rendered(as: .json, on: .plain) == "[]\n")
    #expect(Table([Table.Column("a")]).rendered(as: .jsonl, on: .plain) == "")
  }

  @Test("columns are chosen by name")
  func columns() throws {
    let table = try sample().selecting("count, Name")
    #expect(table.rendered(as: .tsv, on: .plain).hasPrefix("count\tname\n7\t日本語\n"))
    #expect(try sample().selecting(nil).columns.count == 3)
  }

  @Test("an unknown column names the nearest", arguments: [("conut", "count"), ("last", "last_note")])
  func unknown(name: String, nearest: String) {
    let error = #expect(throws: Table.UnknownColumn.self) { try sample().selecting([name]) }
    #expect(error?.nearest == nearest)
    #expect(error?.description == "no column \(name); did you mean \(nearest)?")
  }
}
