import Agent
import ArgumentParser
import CommandSupport
import Coordinator
import Database
import Documents
import Drivers
import Foundation
import Glibc
import Secrets
import Storage

/// `coordinator doctor`.
struct DoctorCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor",
    abstract: "Says everything that is wrong with this set-up, each with its mend.",
    discussion: """
      EXAMPLE
        coordinator doctor --store postgresql://eventor@db/eventor
      """)

  @Flag(help: "Print one JSON document.")
  var json = false

  @OptionGroup var storeOptions: StoreOptions

  private struct Finding {
    let name: String
    let isWell: Bool
    let text: String
    var mend = ""
  }

  func run() async throws {
    var findings = [configurationFinding()]
    if let vault = vaultFinding() { findings.append(vault) }
    findings += await storeFindings()
    findings += directoryFindings()
    findings.append(shellFinding())
    findings.append(limitFinding())
    if json {
      let rows = findings.map { finding in
        JSONObject([
          ("check", finding.name), ("ok", finding.isWell), ("message", finding.text), ("mend", finding.mend),
        ])
      }
      Say.out(JSONObject([("checks", rows)]).document)
    } else {
      for finding in findings {
        Say.line("\(finding.isWell ? "ok   " : "WRONG") \(finding.name): \(finding.text)")
        if !finding.mend.isEmpty { Say.line("      \(finding.mend)") }
      }
    }
    if findings.contains(where: { !$0.isWell }) { throw ExitCode(ExitStatus.failed.rawValue) }
  }

  private func configurationFinding() -> Finding {
    let path = Configuration.locate(
      explicit: storeOptions.config, environment: ProcessInfo.processInfo.environment, home: Places.home,
      currentDirectory: FileManager.default.currentDirectoryPath)
    guard let path else {
      return Finding(
        name: "configuration", isWell: true, text: "none; defaults are used (`coordinator init` writes one)")
    }
    do {
      let configuration = try Configuration.read(path: path)
      let holdsPassword = configuration.databases.values.contains { ((try? StoreURL($0))?.password) != nil }
      let mode = (try? FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int) ?? 0
      if holdsPassword, mode & 0o077 != 0 {
        return Finding(
          name: "configuration", isWell: false, text: "\(path) holds a password and others may read it",
          mend: "chmod 600 \(path)")
      }
      return Finding(name: "configuration", isWell: true, text: path)
    } catch {
      return Finding(
        name: "configuration", isWell: false, text: "\(error)".split(separator: "\n").joined(separator: " "),
        mend: "`coordinator schema config` says what may stand in it")
    }
  }

  /// Nothing where there is no vault and nothing refers to one. Asks for no key: whether it fits is seen at the store.
  private func vaultFinding() -> Finding? {
    guard let configuration = try? storeOptions.configuration() else { return nil }
    let file = VaultFile(besideConfiguration: configuration.file, home: Places.home)
    let uses = SecretChecks.uses(in: configuration)
    do throws(SecretError) {
      let vault = try file.read()
      if case .file(let path) = vault.source, storeOptions.key.keyFd == nil {
        _ = try KeyFile(storeOptions.key.offer.file ?? path).keys()
      }
      let wrong = Set(uses.keys).union(vault.entries.keys).sorted().filter {
        vault.entries[$0]?.keyID != vault.keyID
      }
      let count = vault.entries.count
      return Finding(
        name: "secrets", isWell: wrong.isEmpty,
        text: wrong.isEmpty
          ? "\(count) in \(file.path)"
          : "missing, or encrypted with a former key: \(wrong.joined(separator: ", "))",
        mend: wrong.isEmpty ? "" : "coordinator secret set NAME")
    } catch {
      if error.kind == .noVault, uses.isEmpty { return nil }
      return Finding(name: "secrets", isWell: false, text: "\(error.what): \(error.why)", mend: error.mend)
    }
  }

  private func storeFindings() async -> [Finding] {
    do {
      let url = try await storeOptions.url().url
      if url.kind == .sqlite, let path = url.path, !url.isMemory,
        !FileManager.default.fileExists(atPath: path)
      {
        return [Finding(name: "store", isWell: true, text: "\(url) is not there yet; the first run makes it")]
      }
      let pool = Pool(url: url, driver: Drivers.driver(for: url), size: 1)
      let before = ContinuousClock.now
      let clock = try await pool.run { session in
        let rows = try session.query("SELECT \(raw: session.dialect.now)")
        return try rows.first?.integer(0) ?? 0
      }
      let took = (ContinuousClock.now - before) / .milliseconds(1)
      let offset = Double(clock) / 1_000_000 - Date().timeIntervalSince1970
      var findings = [
        Finding(name: "store", isWell: true, text: "\(url) answers in \(Int(took.rounded())) ms")
      ]
      // Decisions use the database's clock alone; a wrong one here only makes ages look odd.
      findings.append(
        Finding(
          name: "clock", isWell: abs(offset) < 5,
          text: abs(offset) < 5 ? "agrees with the store's" : "differs from the store's by \(Int(offset)) s",
          mend: abs(offset) < 5 ? "" : "let NTP keep this host's clock"))
      let store = SQLStore(pool: pool)
      try await store.migrate()
      let faults = try await store.check()
      findings.append(
        Finding(
          name: "consistency", isWell: faults.isEmpty,
          text: faults.first.map { "\($0)" + (faults.count > 1 ? ", and \(faults.count - 1) more" : "") }
            ?? "everything fits together",
          mend: faults.isEmpty ? "" : "`coordinator db check` lists all"))
      findings += try await store.lateSchedules().map { late in
        Finding(
          name: "schedule", isWell: false, text: ScheduleView.text(late, now: Say.now),
          mend: "`coordinator schedule list` shows them all")
      }
      await pool.close()
      return findings
    } catch let failure as DatabaseError {
      return [
        Finding(
          name: "store", isWell: false, text: "\(failure.message) (\(failure.code))", mend: failure.hint)
      ]
    } catch {
      return [Finding(name: "store", isWell: false, text: (error as? CommandFailure)?.text ?? "\(error)")]
    }
  }

  private func directoryFindings() -> [Finding] {
    guard let options = try? StepRunningOptions.parse([]),
      let configuration = try? storeOptions.configuration()
    else {
      return []
    }
    let places = [
      ("log directory", options.logDirectory(configuration)),
      ("work directory", options.workDirectory(configuration)),
    ]
    return places.map { name, path in
      var existing = path
      while !FileManager.default.fileExists(atPath: existing), existing != "/" {
        existing = (existing as NSString).deletingLastPathComponent
      }
      guard access(existing, W_OK | X_OK) == 0 else {
        return Finding(
          name: name, isWell: false, text: "\(path) can't be written to",
          mend: "make it writable, or choose another: log_dir, work_dir")
      }
      var status = statvfs()
      if statvfs(existing, &status) == 0 {
        let free = UInt64(status.f_bavail) * UInt64(status.f_frsize)
        if free < 100 << 20 {
          return Finding(
            name: name, isWell: false, text: "only \(free >> 20) MiB are free at \(path)", mend: "make room")
        }
      }
      return Finding(name: name, isWell: true, text: path)
    }
  }

  private func shellFinding() -> Finding {
    let isThere = access("/bin/sh", X_OK) == 0
    return Finding(
      name: "shell", isWell: isThere, text: isThere ? "/bin/sh" : "/bin/sh can't be run",
      mend: isThere ? "" : "steps with shell: need it")
  }
  /// Nothing is wrong without cgroups; what they would add is told.
  private func limitFinding() -> Finding {
    let support = LimitSupport.onThisHost
    let how = "memory by \(support.memory.rawValue), cpu by \(support.cpu.rawValue)"
    guard let reason = support.reason else { return Finding(name: "limits", isWell: true, text: how) }
    return Finding(
      name: "limits", isWell: true, text: "\(how); no cgroup: \(reason)",
      mend:
        "limits of all processes of a step together need a cgroup of the agent's own (systemd: Delegate=yes)")
  }
}
