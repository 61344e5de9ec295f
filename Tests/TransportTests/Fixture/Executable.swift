import Foundation

/// The built executables: in `EVENTOR_TEST_BIN`, or beside the bundle of the tests.
enum Executable {
  static var folder: String {
    if let folder = ProcessInfo.processInfo.environment["EVENTOR_TEST_BIN"] { return folder }
    let bundle = Bundle.main.executableURL ?? URL(fileURLWithPath: CommandLine.arguments[0])
    return bundle.deletingLastPathComponent().path
  }

  static var coordinator: String { folder + "/coordinator" }
}
