import Database
import Foundation
import TestSupport
import Testing

@testable import Drivers

@Suite("SQLite files and their places")
struct SQLiteFileTests {
  private func open(_ path: String, _ body: @escaping @Sendable (any Session) throws -> Void = { _ in })
    async throws
  {
    let url = try StoreURL("sqlite:\(path)")
    let pool = Pool(url: url, driver: SQLiteDriver(), size: 1, patience: .zero)
    do {
      try await pool.run(body)
      await pool.close()
    } catch {
      await pool.close()
      throw error
    }
  }

  private func inDirectory(_ body: (String) async throws -> Void) async throws {
    try await withStore(.sqlite) { url in
      let path = try #require(url.path)
      try await body(String(path[..<(path.lastIndex(of: "/") ?? path.endIndex)]))
    }
  }

  @Test("a new file is the owner's only, in WAL mode")
  func fresh() async throws {
    try await inDirectory { directory in
      let path = directory + "/new.db"
      try await open(path) { session in
        try session.executeScript("CREATE TABLE t (k)")
        #expect(try session.query("PRAGMA journal_mode")[0].text(0) == "wal")
        #expect(try session.query("PRAGMA synchronous")[0].int(0) == 1)
        #expect(try session.query("PRAGMA foreign_keys")[0].int(0) == 1)
        for suffix in ["", "-wal", "-shm"] {
          let mode =
            try FileManager.default.attributesOfItem(atPath: path + suffix)[.posixPermissions] as? Int
          #expect(mode == 0o600)
        }
      }
      try await open(path + "?synchronous=full") { session in
        let level = try session.query("PRAGMA synchronous")[0].int(0)
        #expect(level == 2)
      }
      // The last to close empties the log and removes it.
      #expect(!FileManager.default.fileExists(atPath: path + "-wal"))
    }
  }

  @Test("no directory, a directory, not a database")
  func wrongPlaces() async throws {
    try await inDirectory { directory in
      let missing = try await databaseError { try await open(directory + "/no/such/a.db") }
      #expect(missing.kind == .unreachable && missing.message.contains("/no/such"))
      let folder = try await databaseError { try await open(directory) }
      #expect(folder.kind == .unreachable)
      let text = directory + "/text"
      try Data(repeating: 65, count: 4096).write(to: URL(fileURLWithPath: text))
      let other = try await databaseError { try await open(text) { _ = try $0.query("SELECT * FROM x") } }
      #expect(other.kind == .corrupt && other.message.contains("not an SQLite database"))
    }
  }

  @Test("a file that can't be written can be read, and says so on a write")
  func readOnlyMount() async throws {
    try await withTmpfs("size=1m") { directory in
      try await open(directory + "/a.db") {
        try $0.executeScript("CREATE TABLE t (k); INSERT INTO t VALUES (1)")
      }
      // Root may write anything, so the mount has to forbid it.
      try run("mount", "-o", "remount,ro", directory)
      let error = try await databaseError {
        try await open(directory + "/a.db") { _ = try $0.execute("INSERT INTO t VALUES (2)") }
      }
      #expect(error.kind == .readOnly || error.kind == .unreachable)
      #expect(error.hint.contains("director"))
    }
  }

  @Test("a full disk is said, and the store works again when there is space")
  func fullDisk() async throws {
    try await withTmpfs("size=512k") { directory in
      try await open(directory + "/a.db") { session in
        try session.executeScript("CREATE TABLE t (k)")
        var kind: DatabaseError.Kind?
        while kind == nil {
          do throws(DatabaseError) {
            try session.execute("INSERT INTO t VALUES (\([UInt8](repeating: 1, count: 50_000)))")
          } catch {
            kind = error.kind
            #expect(error.message.contains("no space left"))
          }
        }
        #expect(kind == .diskFull)
        try run("mount", "-o", "remount,size=4m", directory)
        #expect(try session.execute("INSERT INTO t VALUES (1)") == 1)
      }
    }
  }

  @Test("network file systems are known by number, local ones are not")
  func networkFileSystems() {
    for (type, name) in [(0x6969, "NFS"), (0xff53_4d42, "CIFS"), (0xfe53_4d42, "SMB2"), (0x0102_1997, "9p")] {
      #expect(NetworkFileSystem.name(type: type) == name)
    }
    #expect(NetworkFileSystem.name(type: Int(Int32(bitPattern: 0xff53_4d42))) == "CIFS")  // sign-extended
    for local in [0xef53, 0x5846_5342, 0x9123_683e, 0x0102_1994, 0x794c_7630, -1] {
      #expect(NetworkFileSystem.name(type: local) == nil)
    }
    #expect(NetworkFileSystem.name(at: "/") == nil)
  }

  private func withTmpfs(_ options: String, _ body: (String) async throws -> Void) async throws {
    try await inDirectory { parent in
      let directory = parent + "/disk"
      try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: false)
      try run("mount", "-t", "tmpfs", "-o", options, "eventor-test", directory)
      do {
        try await body(directory)
      } catch {
        try run("umount", "--lazy", directory)
        throw error
      }
      try run("umount", "--lazy", directory)
    }
  }

  private func run(_ command: String...) throws {
    try Self.run(command)
  }

  private static func run(_ command: [String]) throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = command
    try process.run()
    process.waitUntilExit()
    try #require(process.terminationStatus == 0, "\(command) failed; these tests need root to mount a tmpfs")
  }
}
