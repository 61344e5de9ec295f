import Testing

@testable import Workload

@Suite("Documents, revisions and ranges")
struct DocumentTests {
  @Test("runs take contiguous ranges that wrap around")
  func ranges() {
    var start = 0
    var texts: [String] = []
    for _ in 0..<6 {
      let range = DocumentRange(start: start, count: 3, total: 5)
      texts.append("\(range)")
      start = range.end
    }
    #expect(texts == ["0–2", "3–4 and 0", "1–3", "4 and 0–1", "2–4", "0–2"])
    #expect("\(DocumentRange(start: 3, count: 9, total: 5))" == "3–4 and 0–2")
    #expect("\(DocumentRange(start: 0, count: 1, total: 1))" == "0")
  }

  @Test("batches are ordinary ranges, and together exactly the run")
  func batches() {
    for total in 1...12 {
      for start in 0..<total {
        for count in 1...total {
          let range = DocumentRange(start: start, count: count, total: total)
          for size in [1, 2, 5, 100] {
            var documents: [Int] = []
            while documents.count < count {
              let batch = range.batch(after: documents.count, size: size)
              #expect(!batch.isEmpty && batch.count <= size && batch.upperBound <= total)
              documents += batch
            }
            #expect(documents == (0..<count).map { (start + $0) % total })
            #expect(range.end == (start + count) % total)
          }
        }
      }
    }
  }

  @Test("large documents go in small batches")
  func batchSizes() {
    let sizes = [1, 1999, 2000, 9999, 10_000, 99_999, 100_000, 1_999_999, 2_000_000, 64 << 20]
    #expect(
      sizes.map(DocumentRange.batchSize) == [2000, 2000, 1000, 1000, 200, 200, 10, 10, 1, 1])
  }

  @Test("content and revisions are the same in every version and on every machine")
  func golden() throws {
    // Made by a second implementation, in Python with hashlib.
    let content = DocumentContent(size: 21, compressible: 30, seed: 7)
    let first = content.bytes(of: 3, revision: 1)
    let second = content.bytes(of: 3, revision: 2)
    #expect(hexadecimal(first) == "721c514b4018d4985d09ff3fa571b9787878787878")
    #expect(hexadecimal(second) == "b0924237b9b69482362c20d56f8d0f787878787878")
    let revision = Revision(after: nil, content: first)
    #expect(revision.description == "1-53a3137bbe11af2b9ff33aa8abe00314")
    let next = Revision(after: revision, content: second)
    #expect(next.description == "2-a7a508816261af06c1264d528f8ee1f8")
    #expect(Revision(next.description) == next)
  }

  private func hexadecimal(_ bytes: [UInt8]) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }

  @Test("what is no revision is not read as one")
  func badRevisions() {
    let hash = "53a3137bbe11af2b9ff33aa8abe00314"
    for text in [
      "", "-", "1-", hash, "0-" + hash, "-1-" + hash, "+1-" + hash, "1-" + hash + "0",
      "1-x" + hash.dropFirst(), "1-" + hash.uppercased(),
    ] {
      #expect(Revision(text) == nil, "\(text)")
    }
  }

  @Test("documents have exactly the size asked for", arguments: [1, 7, 8, 9, 1000, 1_000_003])
  func size(size: Int) {
    for compressible in [0, 1, 50, 99, 100] {
      let content = DocumentContent(size: size, compressible: compressible, seed: 1)
      #expect(content.bytes(of: 0, revision: 1).count == size)
    }
  }

  @Test("no two documents, revisions or seeds have the same content")
  func different() {
    var seen: Set<[UInt8]> = []
    for seed: Int64 in [0, 1, -1, .max] {
      let content = DocumentContent(size: 16, compressible: 0, seed: seed)
      for document in 0..<50 {
        for revision in 1...5 { seen.insert(content.bytes(of: document, revision: revision)) }
      }
    }
    #expect(seen.count == 4 * 50 * 5)
  }

  @Test("content can't be compressed, or by as much as was asked for")
  func compressible() {
    // Eight bits of surprise in each byte, and no run of eight bytes that comes again, leave a compressor nothing.
    let plain = DocumentContent(size: 1 << 20, compressible: 0, seed: 5).bytes(of: 9, revision: 4)
    var counts = [Int](repeating: 0, count: 256)
    for byte in plain { counts[Int(byte)] += 1 }
    let expected = plain.count / 256
    for count in counts { #expect(abs(count - expected) < expected / 10) }
    let words = Set(stride(from: 0, to: plain.count, by: 8).map { Array(plain[$0..<$0 + 8]) })
    #expect(words.count == plain.count / 8)
    let half = DocumentContent(size: 1000, compressible: 60, seed: 5).bytes(of: 9, revision: 4)
    #expect(half.suffix(600).allSatisfy { $0 == UInt8(ascii: "x") })
    #expect(Set(half.prefix(400)).count > 100)
  }

  @Test("parameters that can't be are refused, and more updates than documents are all documents")
  func parameters() throws {
    let plain = try WorkloadParameters()
    #expect(plain.total == 1000 && plain.size == 1000 && plain.updatesPerRun == 10)
    #expect(try WorkloadParameters(total: 5, updatesPerRun: 10).updatesPerRun == 5)
    let bad: [(Int, Int, Int, Int, String)] = [
      (0, 1, 1, 0, "total"), (-1, 1, 1, 0, "total"), (.max, 1, 1, 0, "total"), (1, 0, 1, 0, "size"),
      (1, -1, 1, 0, "size"), (1, 1 << 40, 1, 0, "size"), (1, 1, 0, 0, "update-per-run"),
      (1, 1, .min, 0, "update-per-run"), (1, 1, 1, -1, "compressible"), (1, 1, 1, 101, "compressible"),
    ]
    for (total, size, updates, compressible, word) in bad {
      let error = #expect(throws: WorkloadError.self) {
        _ = try WorkloadParameters(
          total: total, size: size, updatesPerRun: updates, compressible: compressible)
      }
      #expect(error?.kind == .invalid)
      #expect(error?.description.hasPrefix(word + " ") == true, "\(String(describing: error))")
    }
  }
}
