/// A program file that the command carries with it.
public struct Example: Sendable, Hashable {
  /// What it is asked for by: the name of its file without `.yaml`.
  public let name: String
  /// What it shows, in a sentence: the first line of its comment.
  public let summary: String
  /// The file, as it is written to be run.
  public let text: String

  init(_ name: String, _ bytes: [UInt8]) {
    self.name = name
    text = String(decoding: bytes, as: UTF8.self)
    summary = String(text.prefix { !$0.isNewline }.trimmingPrefix("#").trimmingPrefix(while: \.isWhitespace))
  }
}

/// The program files that the command carries with it: those of `Examples`, embedded by the build.
public enum Examples {
  /// All of them, in the order in which they are best read.
  public static let all: [Example] = [
    Example("chain", PackageResources.chain_yaml),
    Example("build-and-test", PackageResources.build_and_test_yaml),
    Example("nightly", PackageResources.nightly_yaml),
    Example("data-pipeline", PackageResources.data_pipeline_yaml),
    Example("simulation-farm", PackageResources.simulation_farm_yaml),
    Example("nested-loops", PackageResources.nested_loops_yaml),
    Example("branches", PackageResources.branches_yaml),
    Example("follow-up", PackageResources.follow_up_yaml),
    Example("release", PackageResources.release_yaml),
    Example("cluster-notes", PackageResources.cluster_notes_yaml),
  ]

  /// The one called `name`, which may be written with its `.yaml`; nil if there is none.
  public static func named(_ name: String) -> Example? {
    all.first { $0.name == name || $0.name + ".yaml" == name }
  }
}
