import Documents
import Foundation
import Model
import Testing

@Suite("The configuration file")
struct ConfigurationTests {
  private func said(_ text: String) -> [String] {
    do throws(DocumentError) {
      _ = try Configuration.parse(text, file: "c")
      return []
    } catch {
      return error.diagnostics.map(\.description)
    }
  }

  @Test("every key arrives where it belongs")
  func keys() throws {
    let configuration = try Configuration.parse(
      """
      store: prod
      databases: {prod: "postgresql://e@db/e"}
      log_dir: /var/log/eventor
      work_dir: /var/lib/eventor
      max_concurrent: 8
      lock_for: 1m
      poll: 0.5
      host: s1
      retention: 30d
      """, file: "c")
    var expected = Configuration()
    expected.store = "prod"
    expected.databases = ["prod": "postgresql://e@db/e"]
    expected.logDirectory = "/var/log/eventor"
    expected.workDirectory = "/var/lib/eventor"
    expected.maxConcurrent = 8
    expected.lockFor = TimeSpan(seconds: 60)
    expected.poll = TimeSpan(seconds: 0.5)
    expected.host = "s1"
    expected.retention = TimeSpan(seconds: 2_592_000)
    #expect(configuration == expected)
  }

  @Test("a file of comments says nothing")
  func empty() throws {
    #expect(try Configuration.parse("# store: x\n", file: "c") == Configuration())
    #expect(try Configuration.parse("", file: "c") == Configuration())
  }

  @Test("everything wrong is said at once, and no URL is repeated")
  func errors() {
    #expect(
      said(
        "stroe: x\nstore: pord\ndatabases: {prod: [postgresql://u:pw@h/d], 'a b': x}\npoll: 0\nmax_concurrent: 0\nhost: a b\n"
      )
        == [
          "c:1:1: error: unknown key 'stroe'; did you mean 'store'?",
          "c:2:8: error: 'pord' is no URL and no tag under 'databases'",
          "c:3:19: error: 'prod' must be text, not a list",
          "c:3:44: error: 'a b' is not a valid tag; use 1 to 128 of A-Z a-z 0-9 _ . -",
          "c:4:7: error: 'poll' must be longer than nothing",
          "c:5:17: error: 'max_concurrent' must be at least 1",
          "c:6:7: error: a host name holds no spaces",
        ])
    #expect(
      said("store: pord\ndatabases: {prod: x}") == [
        "c:1:8: error: 'pord' is no URL and no tag under 'databases'; did you mean 'prod'?"
      ])
    #expect(
      said("store: {a: b}\ndatabases: postgresql://u:pw@h/d\nhost: [a]\npoll: pw\n") == [
        "c:1:8: error: 'store' must be text, not a mapping",
        "c:2:12: error: 'databases' must be a mapping, not text",
        "c:3:7: error: 'host' must be text, not a list",
        "c:4:7: error: 'poll' must be a duration such as 10, 0.25, 90s, 10m, 2h or 1d, not text",
      ])
    #expect(said("[a]") == ["c:1:1: error: a config file is a mapping of keys, not a list"])
  }

  @Test("the first file that exists is taken; one that was asked for even if it does not")
  func locate() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "configuration-\(UUID().uuidString)")
    let (home, here) = (folder.path + "/home", folder.path + "/here")
    for path in [home + "/.config/eventor", here] {
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }
    defer { try? FileManager.default.removeItem(at: folder) }
    func located(_ explicit: String? = nil, _ environment: [String: String] = [:]) -> String? {
      Configuration.locate(explicit: explicit, environment: environment, home: home, currentDirectory: here)
    }
    #expect(located("/x.yaml", ["EVENTOR_CONFIG": "/y.yaml"]) == "/x.yaml")
    #expect(located(nil, ["EVENTOR_CONFIG": "/y.yaml"]) == "/y.yaml")
    let ofHome = home + "/.config/eventor/eventor.yaml"
    try Data().write(to: URL(filePath: ofHome))
    #expect(located(nil, ["EVENTOR_CONFIG": ""]) == ofHome)
    try Data().write(to: URL(filePath: here + "/eventor.yaml"))
    #expect(located() == here + "/eventor.yaml")
  }
}
