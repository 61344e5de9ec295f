import Documents
import Testing

/// Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014: the same everywhere.
private struct SplitMix64: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}

@Suite("Valid files with random damage")
struct MutationTests {
  private static let seeds = [
    """
    program: nightly
    parameters: {x: 9, site: {type: string, required: true, choices: [lab1, lab2]}}
    groups: {builders: {hosts: [s1, s2], env: {LANG: C}, timeout: 30m}}
    resources: {license: {capacity: 2, scope: cluster}}
    events: {run_s1: {}, s1_done: {}, s2_done: {}, both: {when: s1_done and (s2_done or run_s1)}}
    steps:
      s1: &base
        on: run_s1
        run: [/bin/echo, "hello ${param.x}", '*']
        retry: {attempts: 3, delay: 2s, on_exit: [75, signal]}
        acquires: {license: 1}
        triggers: {success: [s1_done]}
      s2: {<<: *base, group: builders, triggers: {success: s2_done}}
      s3: {after: [s1, s2], foreach: [a, b], shell: "echo ${loop.item} > /tmp/x"}
    loops:
      l: {on: both, over: {from: 1, to: 10}, start: [s1_done], until: [both]}
    associations:
      - {event: run_s1, to: [s1, s2], delay: 10s}
    start: [{event: run_s1, sequence: "1"}]
    """,
    "program: x\nevents:\n  - a\n  - b\nsteps:\n  s:\n    on: a\n    shell: |\n      one\n      two\n    env:\n      A: >-\n        x\n        y\n",
  ]
  private static let snippets = [
    "&a ", "*a", "*base", "<<: ", ": ", "- ", "[", "]", "{", "}", "\"", "'", "|\n", "\t", "\n", "\r\n", "#",
    "? ", "!!str ",
    "!x ", "---\n", "...\n", "%YAML 1.2\n", "${param.", "\u{FEFF}", "\u{85}", "\u{2028}", "é", "\u{F0000}",
    "\u{F0001}", "\0",
    "~", "null", "0x", "1e999", ".inf", "99999999999999999999", "on: ", "when: (((", "\\x41", "\"\\ud800\"",
    "=", "%",
  ]

  /// `text` after up to three small damages.
  private func damaged(_ text: String, _ random: inout SplitMix64) -> [UInt8] {
    var bytes = Array(text.utf8)
    for _ in 0...Int.random(in: 0..<3, using: &random) {
      let place = Int.random(in: 0...bytes.count, using: &random)
      let end = min(bytes.count, place + Int.random(in: 0..<30, using: &random))
      switch Int.random(in: 0..<6, using: &random) {
      case 0: bytes.removeSubrange(place..<end)
      case 1:
        bytes.insert(contentsOf: bytes[place..<end], at: Int.random(in: 0...bytes.count, using: &random))
      case 2: if place < bytes.count { bytes[place] = UInt8.random(in: 0...255, using: &random) }
      case 3: bytes.removeLast(bytes.count - place)
      case 4: if place < bytes.count { bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random) }
      default:
        bytes.insert(contentsOf: Array((Self.snippets.randomElement(using: &random) ?? "").utf8), at: place)
      }
      if bytes.isEmpty { bytes = Array("a".utf8) }
    }
    return bytes
  }

  @Test("2,000 damaged files are read or refused, never worse, and every mark is inside the file")
  func mutations() throws {
    var random = SplitMix64(state: 2026)
    var (accepted, refused) = (0, 0)
    for round in 0..<2000 {
      let bytes = damaged(Self.seeds[round % Self.seeds.count], &random)
      do throws(DocumentError) {
        let document = try ProgramDocument.parse(bytes, file: "p")
        accepted += 1
        #expect(ProgramCoding.version(of: document.canonicalJSON) == document.version, "round \(round)")
        check(document.warnings, bytes, round)
      } catch {
        refused += 1
        #expect(error.diagnostics.contains { $0.severity == .error }, "round \(round): \(error)")
        check(error.diagnostics, bytes, round)
      }
    }
    // Both kinds are met often, or the damage is not of the right size.
    #expect(accepted > 100)
    #expect(refused > 500)
  }

  private func check(_ diagnostics: [Diagnostic], _ bytes: [UInt8], _ round: Int) {
    // As many lines as any reader could count, and one for the end of the file.
    let text = String(decoding: bytes, as: UTF8.self)
    let breaks = text.unicodeScalars.count { ["\n", "\r", "\u{85}", "\u{2028}", "\u{2029}"].contains($0) }
    for diagnostic in diagnostics {
      #expect((1...breaks + 1).contains(diagnostic.mark.line), "round \(round): \(diagnostic)")
      #expect((1...bytes.count + 1).contains(diagnostic.mark.column), "round \(round): \(diagnostic)")
      #expect(!diagnostic.message.isEmpty)
      #expect(
        !diagnostic.message.unicodeScalars.contains {
          (0xF0000...0xFFFFF).contains($0.value) && !text.unicodeScalars.contains($0)
        })
    }
    #expect(diagnostics.map(\.mark) == diagnostics.map(\.mark).sorted())
  }
}
