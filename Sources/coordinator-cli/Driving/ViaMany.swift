import ArgumentParser
import CommandSupport
import Coordinator
import Foundation
import Glibc
import Model
import Runtime
import Transport

/// `--via HOST --via HOST…`: a command that only reports, carried out on several hosts at once. Each answers in a block
/// of its own, in the order they were named; with `--json` in a line of its own.
struct ViaMany {
  let hosts: [Destination]
  let words: [String]
  let client: SSHClient

  /// What came from one host.
  private struct Answer {
    var code: Int32
    var output = ""
    var errors = ""
  }

  /// The most that is kept of what one host says, in bytes.
  private static let limit = 16 << 20
  private static let width = 16

  /// Carries it out; returns 5 if a host could not be reached, else the exit code of the first that ended otherwise than
  /// with 0.
  func run() async throws -> Int32 {
    guard
      words == ["--version"]
        || ((try? CoordinatorCommand.parseAsRoot(words)) as? any Reporting)?.isFinite == true
    else {
      throw CommandFailure(
        status: .usage, what: "--via \(hosts.map(\.description).joined(separator: " --via "))",
        why: "several hosts are for commands that only report and end by themselves",
        mend:
          "name one host, or use status, runs, tasks, logs, why, agent list, doctor, db status and their like"
      )
    }
    for host in hosts { _ = try client.settings(for: host) }
    let working = Task { [self] in
      var codes: [Int32] = []
      await FanOut.run(hosts, width: Self.width) { host in
        await answer(of: host)
      } each: { host, answer in
        codes.append(answer.code)
        tell(host, answer, isFirst: codes.count == 1)
      }
      return codes
    }
    let interrupts = try Interrupts([SIGINT, SIGTERM, SIGHUP]) { _, _ in working.cancel() }
    defer { interrupts.stop() }
    let codes = await working.value
    let worst = [ExitStatus.cancelled.rawValue, ExitStatus.ssh.rawValue].first(where: codes.contains)
    return worst ?? codes.first { $0 != 0 } ?? 0
  }

  private func answer(of host: Destination) async -> Answer {
    do {
      return try await client.withSession(host) { session in
        let call = RemoteCoordinator(host: host, session: session)
        let prepared = try await call.prepare(ViaFiles(words), for: words)
        let result: Result<RemoteOutcome, any Error>
        do {
          result = .success(try await session.gather(prepared.command, limit: Self.limit))
        } catch {
          result = .failure(error)
        }
        // In a task of its own, for this one may have been cancelled.
        await Task { await call.tidy(prepared) }.value
        let outcome = try result.get()
        var errors = session.peer.settings.notes.map { "warning: \($0)\n" }.joined()
        errors += String(decoding: outcome.error, as: UTF8.self)
        if outcome.isCut { errors += "warning: only the first \(Self.limit >> 20) MiB are shown\n" }
        return Answer(
          code: Int32(truncatingIfNeeded: outcome.end.code),
          output: String(decoding: outcome.output, as: UTF8.self), errors: errors)
      }
    } catch let failure as CommandFailure {
      return Answer(code: failure.status.rawValue, errors: "error: \(failure.text)\n")
    } catch is CancellationError {
      return Answer(code: ExitStatus.cancelled.rawValue, errors: "error: interrupted\n")
    } catch {
      let status = (error as? any ReportedFailure)?.status ?? .failed
      return Answer(code: status.rawValue, errors: "error: \(error)\n")
    }
  }

  // MARK: Telling

  private var wantsJSON: Bool {
    words.contains("--json") || words.contains("--output=json")
      || zip(words, words.dropFirst()).contains { $0 == ("--output", "json") }
  }

  private func tell(_ host: Destination, _ answer: Answer, isFirst: Bool) {
    guard !wantsJSON else { return Say.line(Self.line(host, answer)) }
    Say.out((isFirst ? "" : "\n") + "==> \(host) <==\n")
    let isTerminal = Say.outProfile.isTerminal
    Say.out(isTerminal ? neutralised(answer.output) : answer.output)
    if !answer.output.isEmpty, !answer.output.hasSuffix("\n") { Say.out("\n") }
    for line in answer.errors.split(whereSeparator: \.isNewline) {
      Say.aside("\(host): \(neutralised(String(line), onOneLine: true))\n")
    }
  }

  /// `{"host": …, "exit_code": …, "error": …, "output": …}`: the document is that of the host, the order of its keys too.
  private static func line(_ host: Destination, _ answer: Answer) -> String {
    let errors = answer.errors.trimmingCharacters(in: .whitespacesAndNewlines)
    let object = JSONObject([
      ("host", host.description), ("exit_code", Int(answer.code)), ("error", errors.isEmpty ? nil : errors),
    ])
    return object.line.dropLast() + ", \"output\": \(document(answer.output))}"
  }

  /// A document on one line: no string in it has a line end of its own. What is none becomes a string.
  private static func document(_ text: String) -> String {
    if text.isEmpty { return "null" }
    guard (try? JSONDecoder().decode(JSONValue.self, from: Data(text.utf8))) != nil else {
      return JSONObject.Content.plain(.string(text)).line
    }
    return text.split(whereSeparator: \.isNewline).map { $0.trimmingPrefix { $0 == " " } }
      .joined(separator: " ")
  }
}

/// A command that only looks, so that it may be asked of many hosts at once.
protocol Reporting: ParsableCommand {
  /// Whether it ends by itself, and doesn't go on to show what changes.
  var isFinite: Bool { get }
}

extension Reporting {
  var isFinite: Bool { true }
}

extension StatusCommand: Reporting { var isFinite: Bool { !watch } }
extension LogsCommand: Reporting { var isFinite: Bool { !follow } }
extension RunsCommand: Reporting {}
extension TasksCommand: Reporting {}
extension WhyCommand: Reporting {}
extension DiffCommand: Reporting {}
extension ValidateCommand: Reporting {}
extension GraphCommand: Reporting {}
extension ProgramCommand.List: Reporting {}
extension ProgramCommand.Show: Reporting {}
extension ScheduleCommand.List: Reporting {}
extension AgentsCommand.List: Reporting {}
extension AgentsCommand.Status: Reporting {}
extension SSHCommand.Check: Reporting {}
extension DoctorCommand: Reporting {}
extension DatabaseCommand.Status: Reporting {}
extension DatabaseCommand.Check: Reporting {}
extension DatabaseCommand.Ping: Reporting {}
extension SecretCommand.List: Reporting {}
extension LoopCommand.List: Reporting {}
extension LoopCommand.Stats: Reporting {}
extension WorkloadCommand.Info: Reporting {}
