public import ArgumentParser
import CommandSupport
import Coordinator
public import Documents
import Foundation
import Model

/// `coordinator example`.
struct ExampleCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "example",
    abstract: "Lists ready programs, or prints one.",
    discussion: """
      EXAMPLE
        coordinator example chain > chain.yaml && coordinator run chain.yaml
      """)

  @Argument(help: "The example's name.")
  var name: String?

  func run() throws {
    guard let name else {
      var table = Table([.init("example"), .init("shows")])
      for example in Examples.all { table.append([.init(example.name), .init(example.summary)]) }
      return Say.out(table.rendered(as: .table, on: Say.outProfile))
    }
    guard let example = Examples.named(name) else {
      throw CommandFailure(
        status: .notFound, what: "there is no example '\(name)'",
        mend: "`coordinator example` lists them: \(Examples.all.map(\.name).joined(separator: ", "))")
    }
    Say.out(example.text)
  }
}

/// `coordinator schema`.
struct SchemaCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "schema",
    abstract: "Says what a key of a file means, or prints the JSON schema for editors.",
    discussion: """
      EXAMPLE
        coordinator schema program > program.schema.json
        coordinator schema program steps.retry.backoff
      """)

  @Argument(help: "program or config.")
  var kind: Schema.Kind

  @Argument(help: "A key, such as steps.retry; without it the whole schema is printed.")
  var path: String?

  func run() throws {
    guard let path else {
      return Say.line(kind == .program ? Schema.programJSONSchema() : Schema.configJSONSchema())
    }
    guard let text = Schema.describe(kind, path: path) else {
      let near = Name.nearest(to: path, among: Schema.paths(of: kind)).map { "did you mean '\($0)'?" }
      throw CommandFailure(
        status: .notFound, what: "\(kind.rawValue) files have no key '\(path)'", mend: near ?? "")
    }
    Say.line(text)
  }
}

extension Schema.Kind: ExpressibleByArgument {}

/// `coordinator init`.
struct InitCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "init",
    abstract: "Writes a commented configuration, after four questions.",
    discussion: """
      Never overwrites a file. --yes asks nothing and takes the defaults.

      EXAMPLE
        coordinator init --yes && cat eventor.yaml
      """)

  @Argument(help: "The file to write.")
  var path = "eventor.yaml"

  @Flag(help: "Ask nothing, and take the defaults.")
  var yes = false

  func run() throws {
    guard !FileManager.default.fileExists(atPath: path) else {
      throw CommandFailure(
        status: .failed, what: "\(path) exists", why: "it is never overwritten", mend: "name another file")
    }
    var answers = InitialConfiguration()
    if !yes {
      guard Say.errorProfile.isTerminal else {
        throw CommandFailure(
          status: .usage, what: "init has questions", why: "nobody can be asked", mend: "add --yes")
      }
      for question in InitialConfiguration.questions {
        Say.aside("\(question.text) [\(answers[keyPath: question.answer])] ")
        if let answer = readLine()?.trimmingCharacters(in: .whitespaces), !answer.isEmpty {
          answers[keyPath: question.answer] = answer
        }
      }
    }
    let text = try answers.text()
    do {
      try Data(text.utf8).write(to: URL(fileURLWithPath: path), options: .withoutOverwriting)
      try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
    } catch {
      throw CommandFailure(
        status: .failed, what: "can't write \(path)", why: error.localizedDescription,
        mend: "choose a directory you may write to")
    }
    Say.line("wrote \(path)")
  }
}
