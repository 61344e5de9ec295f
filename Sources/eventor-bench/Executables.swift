import CommandSupport
import Foundation

/// The programs that belong together lie together.
enum Executables {
  /// The path of the one called `name`.
  static func path(of name: String) throws -> String {
    let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    let path = ((own as NSString).deletingLastPathComponent as NSString).appendingPathComponent(name)
    guard FileManager.default.isExecutableFile(atPath: path) else {
      throw CommandFailure(
        status: .notFound, what: "\(path) is missing", why: "what is measured lies beside eventor-bench",
        mend: "swift build -c release builds all of it")
    }
    return path
  }
}
