import EventorCommand
import Foundation

/// A release that waits for a person: what is verified goes out when somebody says so.
///
///     eventor-examples release run --run-id rel-1          # builds and verifies, then nothing is left to do: code 0
///     coordinator trigger rel-1 go_by_hand --store sqlite:release.eventor.db   # the run goes on where it stood …
///     eventor-examples release run --run-id rel-1 --continue                   # … and this publishes
///
/// Nobody need keep a process waiting: a run in which nothing is left to do ends, and an event from outside reopens one that
/// ended as success. The approval may also come while the verification is still running. It shows an event from outside, a
/// delay, a command among functions, and what must not happen twice. Works in ./release.work.
enum Release {
  static var program: EventProgram {
    var program = EventProgram("release")
    let version = program.parameter("version", default: "3.1.0")

    let verified = program.event("verified")
    // From outside. Without `external` it would be taken for an event that every run begins with.
    let goByHand = program.event("go_by_hand", external: true)
    // Both, in either order.
    let mayPublish = program.event("may_publish", when: verified && goByHand)
    let published = program.event("published")

    let build = program.step("build") { step in
      try writeNotes(on: step.value(of: version))
    }

    program.step("verify", after: build, triggers: .success(verified)) { step in
      guard try checksum(of: "release.work/notes") == step.result(of: build) else {
        throw StepFailure("the notes have changed since they were built")
      }
    }

    // Not twice, whatever is recovered; and when its host is lost in the middle, a person has to look.
    program.step(
      "publish", on: mayPublish, triggers: .success(published),
      options: StepOptions {
        $0.afterSuccess = .skip
        $0.rerunsWhenLost = false
      }
    ) { step in
      try publish(version: step.value(of: version))
    }

    // A step may be a command, too. It is started by an association: the mirrors have a second to take the release up.
    let announce = program.command("announce", ["echo", "release \(version.reference) is out"])
    program.associate(published, to: announce, after: .seconds(1))
    return program
  }

  static func writeNotes(on version: String) throws -> String {
    try FileManager.default.createDirectory(
      atPath: "release.work/public", withIntermediateDirectories: true)
    try "release \(version)\n".write(toFile: "release.work/notes", atomically: true, encoding: .utf8)
    return try checksum(of: "release.work/notes")
  }

  /// The bytes of a file as one number, which is enough for an example.
  static func checksum(of path: String) throws -> String {
    let bytes = try Data(contentsOf: URL(fileURLWithPath: path))
    return String(bytes.reduce(UInt32(5381)) { $0 &* 33 &+ UInt32($1) }, radix: 16)
  }

  static func publish(version: String) throws {
    let path = "release.work/public/\(version)"
    if FileManager.default.fileExists(atPath: path) { throw StepFailure("\(version) is out already") }
    try FileManager.default.copyItem(atPath: "release.work/notes", toPath: path)
  }
}
