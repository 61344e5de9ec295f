public import ArgumentParser
import Foundation

/// Every option has an environment variable: `--max-concurrent` is `EVENTOR_MAX_CONCURRENT`.
///
/// The names come from the parser's own description of its commands, so none can be forgotten.
public enum EnvironmentFlags {
  /// Variables that steps are given must not act on a coordinator that a step calls.
  private static let renamed = ["run-id": "EVENTOR_USE_RUN_ID"]
  private static let excluded: Set<String> = ["help", "version", "generate-completion-script"]

  /// The variable that stands for option `name`.
  public static func variable(for name: String) -> String {
    renamed[name] ?? "EVENTOR_" + name.uppercased().replacingOccurrences(of: "-", with: "_")
  }

  /// `arguments` with the options that only the environment gives at their end, or before `--` if there is one.
  public static func completed(_ arguments: [String], for command: any ParsableCommand.Type) -> [String] {
    let environment = ProcessInfo.processInfo.environment
    let rest = arguments.firstIndex(of: "--").map { arguments[$0...] } ?? []
    let arguments = Array(arguments.dropLast(rest.count))
    guard environment.keys.contains(where: { $0.hasPrefix("EVENTOR_") && $0 != "EVENTOR_CONFIG" }),
      let options = options(of: arguments, command)
    else { return arguments + rest }
    var completed = arguments
    for option in options {
      let flag = "--" + option.name
      guard !excluded.contains(option.name),
        !arguments.contains(where: { $0 == flag || $0.hasPrefix(flag + "=") }),
        let value = environment[variable(for: option.name)], !value.isEmpty
      else { continue }
      if !option.isFlag {
        completed.append(flag + "=" + value)
      } else if ["1", "true", "yes", "on"].contains(value.lowercased()) {
        completed.append(flag)
      }
    }
    return completed + rest
  }

  /// The lines that a help text ends with.
  public static func section(for help: String) -> String {
    var lines: [String] = []
    for match in help.matches(of: /(?m)^  (?:-\w, )?--([a-z-]+)/) {
      let name = String(match.1)
      if !excluded.contains(name) { lines.append("  \(variable(for: name))  --\(name)") }
    }
    return lines.isEmpty ? "" : "\n\nENVIRONMENT:\n" + lines.joined(separator: "\n")
  }

  private struct Option {
    let name: String
    let isFlag: Bool
  }

  /// The options of the command that `arguments` name, by the parser's description of itself.
  private static func options(of arguments: [String], _ command: any ParsableCommand.Type) -> [Option]? {
    guard let type = command.leaf(for: arguments) else { return nil }
    let help = type.helpMessage(columns: 10_000)
    return help.matches(of: /(?m)^  (?:-\w, )?--([a-z-]+)( <)?/).map {
      Option(name: String($0.1), isFlag: $0.2 == nil)
    }
  }
}

extension ParsableCommand {
  /// The subcommand that the words of `arguments` lead to.
  fileprivate static func leaf(for arguments: [String]) -> (any ParsableCommand.Type)? {
    var current: any ParsableCommand.Type = self
    for word in arguments {
      guard let next = current.configuration.subcommands.first(where: { $0._commandName == word }) else {
        break
      }
      current = next
    }
    return current
  }
}
