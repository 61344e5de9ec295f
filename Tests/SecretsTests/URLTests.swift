import Secrets
import Testing

@Suite("URLs that are secrets")
struct URLTests {
  @Test(
    "the password is taken out, decoded, and the rest left as it is",
    arguments: [
      ("postgresql://u:hunter2@h/d?schema=s", "postgresql://u@h/d?schema=s", "hunter2"),
      ("postgresql://u:p%40%2F%3a%25@h:5432,i/d", "postgresql://u@h:5432,i/d", "p@/:%"),
      ("mysql://u:a@b:c@h/d", "mysql://u@h/d", "a@b:c"),
      ("mysql://:p@h", "mysql://@h", "p"),
      ("mysql://u:@h/d", "mysql://u@h/d", ""),
      ("mysql://u:p@h?x=a@b", "mysql://u@h?x=a@b", "p"),
      ("postgresql://u@h/d", "postgresql://u@h/d", nil),
      ("postgresql://h:1/d:e@f", "postgresql://h:1/d:e@f", nil),
      ("sqlite:/a/b.db", "sqlite:/a/b.db", nil),
      ("sqlite://u:p@h", "sqlite://u@h", "p"),
      ("hunter2", "hunter2", nil),
    ] as [(String, String, String?)])
  func split(url: String, rest: String, password: String?) throws {
    let taken = try SecretURL(secret(url), named: "s")
    #expect(taken.text == rest)
    #expect(taken.password.map { text($0) } == password)
  }

  @Test(
    "a password that can't be read, or stands where it would be seen, is refused",
    arguments: [
      "postgresql://u:hunter2%@h/d", "postgresql://u:hunter2%4@h", "postgresql://u:hunter2%00@h",
      "postgresql://u:hunter2%zz@h", "postgresql://u@h/d?password=hunter2",
      "postgresql://u@h/d?schema=s&PASSWORD=hunter2",
    ])
  func refused(url: String) throws {
    expect(.badValue) { try SecretURL(secret(url), named: "s") }
  }
}
