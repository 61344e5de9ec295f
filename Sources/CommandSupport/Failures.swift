import Agent
public import ArgumentParser
import Coordinator
import Database
import Documents
import Engine
import Foundation
import Glibc
import Runtime
import Secrets

/// The exit codes of CLI.md.
public enum ExitStatus: Int32, Sendable {
  case success = 0
  case failed = 1
  case usage = 2
  case notFound = 3
  case database = 4
  case ssh = 5
  case cancelled = 6
  case timedOut = 7
  case incomplete = 8
  case bug = 70
}

/// Something a command can't do, as people are told it.
public struct CommandFailure: Error {
  /// The exit code.
  public let status: ExitStatus
  /// What can't be done.
  public let what: String
  /// Why.
  public var why: String
  /// How to mend it.
  public var mend: String

  /// A failure of these parts.
  public init(status: ExitStatus, what: String, why: String = "", mend: String = "") {
    self.status = status
    self.what = what
    self.why = why
    self.mend = mend
  }

  /// `WHAT: WHY; HOW TO MEND`.
  public var text: String {
    what + (why.isEmpty ? "" : ": " + why) + (mend.isEmpty ? "" : "; " + mend)
  }
}

/// An error of a tool of its own that says how it is to be reported: an executable that has the tool declares it.
public protocol ReportedFailure: Error, CustomStringConvertible {
  /// The exit code.
  var status: ExitStatus { get }
}

/// How errors reach people: one line on standard error, and the exit code.
public enum Failures {
  /// Says what went wrong and ends the process.
  public static func exit(with error: any Error, of command: any ParsableCommand.Type) -> Never {
    // What it means was said; the code may be a step's.
    if let code = error as? ExitCode { Glibc.exit(code.rawValue) }
    let (text, status) = describe(error, command)
    if status == .success { Say.out(text) } else { Say.aside(text) }
    Glibc.exit(status.rawValue)
  }

  private static func describe(_ error: any Error, _ command: any ParsableCommand.Type) -> (
    String, ExitStatus
  ) {
    switch error {
    case let failure as CommandFailure: return (line(failure.text), failure.status)
    case let failure as UsageFailure: return (line(failure.description), .usage)
    case let failure as DocumentError: return documents(failure)
    case let failure as StoreError:
      let status: ExitStatus =
        switch failure.kind {
        case .notFound: .notFound
        case .conflict: .failed
        case .invalid: .usage
        }
      return (line(failure.description), status)
    case let failure as SecretError: return (line(failure.description), failure.status)
    case let failure as any ReportedFailure: return (line(failure.description), failure.status)
    case let failure as DatabaseError: return (line(failure.oneLine), failure.status)
    case let failure as KeeperError: return (line("can't start steps: \(failure)"), .failed)
    case let column as Table.UnknownColumn: return (line("\(column)"), .usage)
    case let failure as Interrupts.NoPipe: return (line("\(failure)"), .failed)
    case is CancellationError: return (line("interrupted"), .cancelled)
    default: return parser(error, command)
    }
  }

  private static func documents(_ error: DocumentError) -> (String, ExitStatus) {
    switch error {
    case .unreadable(let path, let reason, let hint):
      let isMissing = !FileManager.default.fileExists(atPath: path)
      return (line("\(path): \(reason); \(hint)"), isMissing ? .notFound : .usage)
    case .invalid(let diagnostics):
      return (diagnostics.map { "\($0)\n" }.joined(), .usage)
    }
  }

  /// Errors of the argument parser: help and version on standard output, wrong usage on standard error.
  private static func parser(_ error: any Error, _ command: any ParsableCommand.Type) -> (String, ExitStatus)
  {
    let code = command.exitCode(for: error)
    let message = command.fullMessage(for: error)
    if code == .success {
      let isHelp = message.contains("USAGE:")
      return (message + (isHelp ? EnvironmentFlags.section(for: message) : "") + "\n", .success)
    }
    if code == .validationFailure {
      let text = message.hasPrefix("Error: ") ? "error: " + message.dropFirst(7) : message
      return (text + "\n", .usage)
    }
    return (line("internal error: \(error); please report it"), .bug)
  }

  private static func line(_ text: String) -> String {
    "error: " + text.split(whereSeparator: \.isNewline).joined(separator: " ") + "\n"
  }
}

extension DatabaseError {
  /// What, why and how to mend, without the statement.
  fileprivate var oneLine: String {
    "database: \(message) (\(code))" + (hint.isEmpty ? "" : "; \(hint)")
  }

  fileprivate var status: ExitStatus {
    switch kind {
    case .badURL, .unsupported: .usage
    case .unexpectedValue, .syntax, .uniqueViolation, .constraint: .bug
    default: .database
    }
  }
}

extension SecretError {
  fileprivate var status: ExitStatus {
    switch kind {
    case .noVault, .noSuchSecret: .notFound
    case .exists, .unwritable, .system: .failed
    case .interrupted: .cancelled
    default: .usage
    }
  }
}
