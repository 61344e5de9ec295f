import Testing

@testable import Transport

@Suite("Shell words")
struct ShellWordTests {
  @Test(
    "a word is quoted where a shell would change it",
    arguments: [
      ("plain-1.2/x", "plain-1.2/x"), ("", "''"), ("a b", "'a b'"), ("it's", #"'it'\''s'"#),
      ("$HOME", "'$HOME'"),
      ("a\nb", "'a\nb'"), ("~", "'~'"), ("#", "'#'"), ("é", "'é'"),
    ])
  func quotes(word: String, quoted: String) {
    #expect(ShellWord.quoted(word) == quoted)
  }
}
