import Model

/// A report with one of everything.
enum SampleReport {
  static let begin = Timestamp(microseconds: 1_795_226_400_123_456)

  static func at(_ seconds: Double) -> Timestamp { begin + TimeSpan(seconds: seconds) }

  static func run(_ status: RunStatus = .failure, message: String? = nil) -> RunRecord {
    RunRecord(
      id: "01JRUN", program: "nightly", version: "sha256:0123456789abcdef", status: status, recovery: 0,
      isStandalone: false, parameters: ["x": .integer(9), "site": .string("lab \"1\"")], createdAt: at(-1),
      startedAt: at(0), endedAt: status.isOver ? at(185) : nil, createdBy: "me@here", message: message,
      waitingFor: status.isOver ? [] : ["an agent on s9"])
  }

  static func task(
    _ step: String, _ sequence: String = "1", _ status: TaskStatus = .success, attempt: Int = 1
  ) -> TaskRecord {
    TaskRecord(
      step: step, sequence: Sequence(sequence), recovery: 0, attempt: attempt, host: "s1", status: status,
      exitCode: status == .success ? 0 : nil, readyAt: at(0), startedAt: at(0.5),
      endedAt: status.isOver ? at(1.7) : nil)
  }

  static var report: RunReport {
    var failed = task("s2", "1", .failure, attempt: 2)
    failed.exitCode = 3
    failed.message = "could not\u{1B}[2J link"
    failed.result = .object(["b": .array([.integer(1), .null]), "a": .number(0.5)])
    failed.maxResidentKiB = 2048
    failed.cpuMicroseconds = 1_250_000
    failed.logPath = "/var/log/s2"
    var lost = task("s2", "1", .failure)
    lost.superseded = true
    lost.signal = "SIGKILL"
    let waiting = TaskRecord(
      step: "s3", sequence: Sequence("1/2"), recovery: 0, attempt: 1, host: nil, status: .waiting,
      dueAt: at(300))
    return RunReport(
      run: run(), tasks: [task("s1"), lost, failed, waiting],
      loops: [
        LoopRecord(loop: "sites", sequence: .first, recovery: 0, status: .success, iterations: 2, ended: 2)
      ],
      events: [
        EventRecord(event: "run_s1", sequence: .first, recovery: 0, triggeredAt: begin),
        EventRecord(event: "@ok:s1", sequence: .first, recovery: 0, triggeredAt: begin),
      ])
  }
}
