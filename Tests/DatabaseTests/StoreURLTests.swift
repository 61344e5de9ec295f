import Testing

@testable import Database

@Suite("Store URLs")
struct StoreURLTests {
  @Test(
    "files",
    arguments: [
      ("sqlite:a.db", "a.db"), ("sqlite:/x/a.db", "/x/a.db"), ("sqlite:///x/a.db", "/x/a.db"),
      ("sqlite:a%20b%3F.db?synchronous=full", "a b?.db"), ("sqlite::memory:", ":memory:"),
      ("sqlite://:memory:", ":memory:"), ("SQLite:a+b.db", "a+b.db"), ("sqlite+pysqlite:///a.db", "/a.db"),
    ])
  func files(_ text: String, _ path: String) throws {
    let url = try StoreURL(text)
    #expect(url.kind == .sqlite)
    #expect(url.path == path)
    #expect(url.isMemory == (path == ":memory:"))
  }

  @Test("servers")
  func servers() throws {
    let url = try StoreURL("postgresql+asyncpg://us%40er:p%3Aw@[::1]:5433,db2/play?schema=s&sslmode=require")
    #expect(url.kind == .postgresql)
    #expect(url.user == "us@er")
    #expect(url.password == "p:w")
    #expect(url.endpoints == [.init(host: "::1", port: 5433), .init(host: "db2", port: nil)])
    #expect(url.host == "::1" && url.port == 5433)
    #expect(url.database == "play")
    #expect(url.options == ["schema": "s", "sslmode": "require"])
    #expect(url.description == "postgresql://us@er:***@[::1]:5433,db2/play?schema=s&sslmode=require")
    #expect(try StoreURL("mysql+aiomysql://h").kind == .mysql)
    #expect(try StoreURL("mariadb://h:1/d?ssl_mode=REQUIRED").options == ["ssl-mode": "REQUIRED"])
    #expect(try StoreURL("postgres://u:a@b@h/d").password == "a@b")
    #expect(try StoreURL("postgres:///d?host=/run/pg&port=6").endpoints == [.init(host: "/run/pg", port: 6)])
    #expect(try StoreURL("postgres://").endpoints.isEmpty)
  }

  @Test("options that hold passwords are not shown")
  func redaction() throws {
    let url = try StoreURL("postgresql://u:geheim@h/d?sslpassword=geheim&password=geheim")
    #expect(!url.description.contains("geheim"))
    #expect(!"\(url)".contains("geheim"))
  }

  @Test(
    "what is no URL",
    arguments: [
      "", "geheim", "oracle://u:geheim@h", "sqlite:", "sqlite://geheim/x", "postgresql:geheim",
      "mysql://u:geheim@h:0",
      "mysql://u:geheim@h:x", "mysql://u:geheim@h:99999", "sqlite:a%zz", "sqlite:a%4", "sqlite:a%00b",
      "sqlite:a%ff",
      "mysql://u:geheim@h/d?option", "u:geheim@h://x", "sqlite:a%+1",
    ])
  func bad(_ text: String) async throws {
    let error = try await databaseError { _ = try StoreURL(text) }
    #expect(error.kind == .badURL)
    #expect(!error.description.contains("geheim"))
  }

  @Test("an unknown scheme is answered with the known ones")
  func unknown() async throws {
    let error = try await databaseError { _ = try StoreURL("oracle://h") }
    #expect(error.description.contains("oracle"))
    for known in ["sqlite:", "postgresql:", "mysql:"] { #expect(error.hint.contains(known)) }
  }
}
