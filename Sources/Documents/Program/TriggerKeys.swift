import Model

/// The keys of `triggers`.
enum TriggerKeys {
  static let section = Section<Program.Triggers>(
    "triggers",
    [
      Key("success", \.success, .oneOrMany(.name), example: "success: [s1_done]", "Raised by success."),
      Key("failure", \.failure, .oneOrMany(.name), example: "failure: [s1_failed]", "Raised by failure."),
      Key("complete", \.complete, .oneOrMany(.name), example: "complete: [s1_over]", "Raised by either."),
      Key(
        "skipped", \.skipped, .oneOrMany(.name), example: "skipped: [s1_skipped]",
        "Raised, besides those of success, when the precondition was false."),
    ])
}
