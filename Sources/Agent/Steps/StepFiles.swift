import Engine
import Foundation
import Glibc
import Model

/// The files through which a step gives back a result and triggers, read when it has ended. A function of a Swift program
/// has three more.
struct StepFiles: Sendable {
  let result: String
  let triggers: String
  /// What a function is told.
  let context: String
  /// Why a function has failed.
  let failure: String
  /// What a function says of itself while it runs.
  let note: String

  /// The most a step may write to its result file, in bytes.
  static let resultLimit = 1 << 20
  private static let triggerLimit = 1 << 20

  /// Why a file can't be made or read, in a sentence.
  struct Failure: Error {
    let message: String
  }

  init(of key: TaskKey, in directory: String) {
    let base = "\(directory)/\(key.run)/\(key.number).\(key.attempt)"
    result = base + ".result"
    triggers = base + ".triggers"
    context = base + ".context"
    failure = base + ".failure"
    note = base + ".note"
  }

  /// Where a function answers.
  var functionFiles: FunctionContext.Files {
    FunctionContext.Files(result: result, triggers: triggers, failure: failure, note: note)
  }

  /// Makes their directory, which is nobody else's, and the files that can't be left to the step.
  ///
  /// Most steps give nothing back, and a file that is made and removed for each of them is dear: ext4 goes over all inodes
  /// that were freed a moment ago before it takes another.
  ///
  /// - Parameters:
  ///   - user: As whom the step runs; nil: as its agent.
  ///   - isShared: Whether steps of the run are others' processes. Those can't make files, and may come by those of their
  ///     neighbours: then all are made beforehand, empty, each for its step's user alone.
  ///   - isNamed: Whether the step names its files: then they are made too.
  ///   - function: What a function is told, which has all its files from the start; nil for other steps.
  func make(
    for user: String?, isShared: Bool, isNamed: Bool, function: FunctionContext? = nil
  ) throws(Failure) {
    try makeDirectory(isShared ? 0o711 : 0o700)
    let owner = user.flatMap { getpwnam($0) }.map { ($0.pointee.pw_uid, $0.pointee.pw_gid) }
    let own = [result, triggers]
    let areMade = isShared || isNamed || function != nil
    // Nothing of an earlier run of the name is taken for this one's.
    if !areMade { for path in own { unlink(path) } }
    for path in (areMade ? own : []) + (function == nil ? [] : [context, failure, note]) {
      let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
      guard descriptor >= 0 else {
        throw Failure(message: "can't make \(path): \(String(cString: strerror(errno)))")
      }
      defer { close(descriptor) }
      if let (uid, gid) = owner, fchown(descriptor, uid, gid) != 0 {
        throw Failure(message: "can't give \(path) to the step's user: \(String(cString: strerror(errno)))")
      }
    }
    if let function { try write(function) }
  }

  /// Makes the run's directory, below one through which every user may pass to those of shared runs.
  private func makeDirectory(_ mode: mode_t) throws(Failure) {
    let directory = (result as NSString).deletingLastPathComponent
    // It may be there with the rights that an earlier run of the name, or an earlier version, has given it.
    func make() -> Bool { (mkdir(directory, mode) == 0 || errno == EEXIST) && chmod(directory, mode) == 0 }
    if make() { return }
    do {
      let above = (directory as NSString).deletingLastPathComponent
      try FileManager.default.createDirectory(
        atPath: above, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o711])
    } catch {
      throw Failure(
        message: "can't make the directory \(directory) for the step's files: \(error.localizedDescription)")
    }
    guard make() else {
      let why = String(cString: strerror(errno))
      throw Failure(message: "can't make the directory \(directory) for the step's files: \(why)")
    }
  }

  private func write(_ function: FunctionContext) throws(Failure) {
    do {
      let file = try FileHandle(forWritingTo: URL(fileURLWithPath: context))
      try file.write(contentsOf: JSONEncoder().encode(function))
      try file.close()
    } catch {
      throw Failure(message: "can't write \(context): \(error.localizedDescription)")
    }
  }

  /// Why the function failed, in its own words; nil if it has not said.
  func readFailure() -> String? {
    guard let bytes = try? read(failure, limit: Self.triggerLimit, "failure"), !bytes.isEmpty else {
      return nil
    }
    return String(decoding: bytes.filter { $0 != 0 }, as: UTF8.self)
  }

  /// What the step wrote to its result file: JSON, or text as it is; nil if nothing.
  func readResult() throws(Failure) -> JSONValue? {
    guard let bytes = try read(result, limit: Self.resultLimit, "result"), !bytes.isEmpty else { return nil }
    guard let text = String(validating: bytes, as: UTF8.self), !bytes.contains(0) else {
      throw Failure(message: "its result file holds bytes that are no UTF-8 text")
    }
    if let value = try? JSONDecoder().decode(JSONValue.self, from: Data(bytes)) { return value }
    // A line written by echo is meant without its newline.
    return .string(text.hasSuffix("\n") ? String(text.dropLast()) : text)
  }

  /// The lines `EVENT [SEQUENCE]` of its trigger file.
  func readTriggers(of plan: Plan) throws(Failure) -> [FileTrigger] {
    guard let bytes = try read(triggers, limit: Self.triggerLimit, "trigger") else { return [] }
    var found: [FileTrigger] = []
    for line in String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline) {
      let words = line.split(whereSeparator: \.isWhitespace).map(String.init)
      guard let event = words.first else { continue }
      guard plan.isRaisable(event) else {
        let near = Name.nearest(to: event, among: plan.program.events.map(\.name))
        throw Failure(
          message: "its trigger file names the event '\(event)', which the program does not have"
            + (near.map { "; did you mean '\($0)'?" } ?? ""))
      }
      guard words.count <= 2,
        words.count < 2
          || words[1].split(separator: "/").allSatisfy({ Sequence.isValidFromOutside(String($0)) })
      else {
        throw Failure(message: "its trigger file has the line '\(line)', which is not EVENT [SEQUENCE]")
      }
      found.append(FileTrigger(event: event, sequence: words.count == 2 ? Sequence(words[1]) : nil))
    }
    return found
  }

  /// Removes the files. Their directory stays as long as the run goes on: its next step may be about to use it.
  func remove() {
    unlink(result)
    unlink(triggers)
    for path in [context, failure, note] { unlink(path) }
  }

  /// Removes the directory of a run whose steps have all been recorded.
  static func remove(run: String, in directory: String) { rmdir("\(directory)/\(run)") }

  private func read(_ path: String, limit: Int, _ what: String) throws(Failure) -> [UInt8]? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
    guard descriptor >= 0 else {
      if errno == ENOENT { return nil }
      throw Failure(message: "can't read its \(what) file: \(String(cString: strerror(errno)))")
    }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    while bytes.count <= limit {
      let filled = bytes.count
      bytes.append(contentsOf: repeatElement(0, count: min(limit + 1, max(4096, filled * 2)) - filled))
      let count = bytes.withUnsafeMutableBytes { buffer in
        Glibc.read(descriptor, buffer.baseAddress?.advanced(by: filled), buffer.count - filled)
      }
      let error = errno
      bytes.removeLast(bytes.count - filled - max(0, count))
      if count < 0 && error == EINTR { continue }
      guard count >= 0 else {
        throw Failure(message: "can't read its \(what) file: \(String(cString: strerror(error)))")
      }
      if count == 0 { break }
    }
    guard bytes.count <= limit else { throw Failure(message: "its \(what) file is larger than 1 MiB") }
    return bytes
  }
}
