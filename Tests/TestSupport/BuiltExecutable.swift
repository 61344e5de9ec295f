import Foundation

/// The built executables: in the directory `EVENTOR_TEST_BIN`, else beside the bundle of the tests.
public enum BuiltExecutable {
  /// The path of the executable called `name`; the bare name where it is not found.
  public static func path(of name: String) -> String {
    let named = ProcessInfo.processInfo.environment["EVENTOR_TEST_BIN"].map { URL(fileURLWithPath: $0) }
    // The bundle is a file or a directory, by the version of the tools.
    let bundle = Bundle.main.executableURL ?? URL(fileURLWithPath: CommandLine.arguments[0])
    let candidates = [
      named, bundle.deletingLastPathComponent(), Bundle.main.bundleURL.deletingLastPathComponent(),
    ]
    let paths = candidates.compactMap { $0?.appendingPathComponent(name).path }
    return paths.first { FileManager.default.isExecutableFile(atPath: $0) } ?? name
  }
}
