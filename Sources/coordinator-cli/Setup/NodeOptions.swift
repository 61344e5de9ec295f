import ArgumentParser
public import CommandSupport
public import Coordinator
import Foundation
import Model
import Transport

/// Which hosts an `agent` command is for, and whose agents are meant there.
struct NodeOptions: ParsableArguments {
  @OptionGroup var hosts: HostsOptions

  @Flag(help: "The login user's own agent, which needs no root.")
  var user = false

  @Option(help: "How long an agent's first report, or its end, is waited for.")
  var wait = "60s"

  func validate() throws {
    if TimeSpan(wait).map({ $0 <= .zero }) ?? true {
      throw ValidationError("--wait \(wait): write a duration such as 60s")
    }
    let twice = Dictionary(grouping: hosts.hosts) { $0 }.first { $0.value.count > 1 }
    if let twice { throw ValidationError("\(twice.key) is named twice") }
  }

  var patience: Duration { .microseconds((TimeSpan(wait) ?? TimeSpan(seconds: 60)).microseconds) }

  /// Does `work` on each host and tells what came of it: a line for each, in the order they were named. With
  /// `inTurn` one after the other, and those after one that failed are left as they are.
  ///
  /// - Throws: `ExitCode`, that of the first failure, if there was one.
  func serve(
    inTurn: Bool = false,
    _ work:
      @escaping @Sendable (String, SSHClient, @escaping @Sendable (String) -> Void) async throws ->
      NodeReport
  ) async throws {
    let client = try hosts.client()
    let isWatched = Say.errorProfile.isTerminal
    let progress: @Sendable (String) -> Void = { if isWatched { Say.aside("      \($0)\n") } }
    var results: [(host: String, result: Result<NodeReport, any Error>)] = []
    func tell(_ host: String, _ result: Result<NodeReport, any Error>) {
      results.append((host, result))
      if !hosts.json { Say.line(NodeReportView.line(host, result)) }
    }
    if inTurn {
      for host in hosts.hosts {
        if results.contains(where: { $0.result.isFailure }) {
          tell(host, .failure(NodeFailure(.failed, what: "left as it was, for one before it failed")))
          continue
        }
        tell(host, await Self.result { try await work(host, client, progress) })
      }
    } else {
      await FanOut.run(hosts.hosts, width: hosts.parallel) { host in
        await Self.result { try await work(host, client, progress) }
      } each: { host, result in
        tell(host, result)
      }
    }
    if hosts.json {
      Say.out(
        JSONObject([("hosts", results.map { NodeReportView.object($0.host, $0.result) })]).document)
    }
    for case (_, .failure(let error)) in results { throw ExitCode(Self.status(of: error).rawValue) }
  }

  private static func result(_ body: () async throws -> NodeReport) async -> Result<NodeReport, any Error> {
    do { return .success(try await body()) } catch { return .failure(error) }
  }

  private static func status(of error: any Error) -> ExitStatus {
    (error as? any ReportedFailure)?.status ?? (error is CancellationError ? .cancelled : .failed)
  }
}

extension Result {
  fileprivate var isFailure: Bool {
    if case .failure = self { true } else { false }
  }
}

extension NodeFailure: ReportedFailure {
  /// The exit code it leads to.
  public var status: ExitStatus {
    switch kind {
    case .usage: .usage
    case .notFound: .notFound
    case .database: .database
    case .timedOut: .timedOut
    case .cannotRun, .failed: .failed
    }
  }
}
