import Foundation
import Glibc
import Secrets
import Testing

@Suite("Memory for secrets", .serialized)
struct MemoryTests {
  @Test("is locked, in no core dump, and zero after a fork")
  func flags() throws {
    let kept = try secret("hunter2")
    let address = kept.withBytes { UInt(bitPattern: $0.baseAddress) }
    // Not by contentsOfFile, which takes what the first read gives: the file has no size.
    let file = try #require(FileHandle(forReadingAtPath: "/proc/self/smaps"))
    let maps = String(decoding: try #require(try file.readToEnd()), as: UTF8.self)
    var isInside = false
    var flags: [Substring] = []
    for line in maps.split(separator: "\n") {
      if let range = line.prefixMatch(of: #/([0-9a-f]+)-([0-9a-f]+) /#),
        let low = UInt(range.1, radix: 16), let high = UInt(range.2, radix: 16)
      {
        isInside = (low..<high).contains(address)
      } else if isInside, line.hasPrefix("VmFlags:") {
        flags = line.split(separator: " ").dropFirst().map { $0 }
      }
    }
    // Read-only, left out of dumps, wiped on fork; locked where the system allows it.
    #expect(flags.contains("rd") && !flags.contains("wr"), "\(flags)")
    #expect(flags.contains("dd"), "\(flags)")
    #expect(flags.contains("wf"), "\(flags)")
    #expect(flags.contains("lo") == kept.isLocked, "\(flags)")
    withExtendedLifetime(kept) {}
  }

  @Test("shows nothing of itself, ends with a NUL, and compares")
  func showing() throws {
    let kept = try secret("hunter2")
    #expect("\(kept)" == "***")
    #expect(String(reflecting: kept).contains("hunter2") == false)
    var dumped = ""
    dump(kept, to: &dumped)
    #expect(!dumped.contains("hunter2"))
    #expect(kept.withCString { strlen($0) } == 7)
    #expect(kept.isSame(as: try secret("hunter2")))
    #expect(try !kept.isSame(as: secret("hunter3")) && !kept.isSame(as: secret("hunter")))
  }

  @Test("a process that has opened a vault leaves no core dump")
  func coreDumps() async throws {
    try await Scene.with { scene in
      try scene.make(["s": "hunter2"])
      _ = try scene.secrets()
      #expect(!CoreDumps.arePossible)
    }
  }

  @Test("a descriptor is read to its end, once, and closed; a line end is left out")
  func descriptors() throws {
    for (input, wanted) in [
      ("hunter2\n", "hunter2"), ("hunter2", "hunter2"), ("hunter2\r\n", "hunter2"), ("a\nb\n", "a\nb"),
      ("\n", ""),
      ("", ""), ("a\r", "a\r"),
    ] {
      let descriptor = try Scene.descriptor(input)
      #expect(try text(KeyOffer.text(of: descriptor)) == wanted)
      #expect(fcntl(descriptor, F_GETFD) == -1)
    }
    let long = try Scene.descriptor(String(repeating: "x", count: 5000))
    expect(.badValue) { try KeyOffer.text(of: long) }
    expect(.unreadable) { try KeyOffer.text(of: 987) }
  }
}
