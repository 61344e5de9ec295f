import CommandSupport

/// What is being done, for whoever waits: on standard error, beside the answer.
enum Progress {
  static func say(_ text: String) { Say.aside(text + "\n") }
}
