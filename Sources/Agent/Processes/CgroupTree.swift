import Foundation
import Glibc

/// The part of the cgroup hierarchy (version 2) in which an agent may make a cgroup for each step that has limits.
///
/// The agent needs a cgroup of its own that it may divide. Since one that is divided may hold no process itself, the agent
/// is in a leaf of it, `eventor-agent`. Under systemd it must have been put there (`Delegate=yes` and
/// `DelegateSubgroup=eventor-agent`, systemd 254): a service whose own cgroup is divided could not be started anew while
/// steps of it still run. Elsewhere it moves there by itself.
/// Source: the kernel's Documentation/admin-guide/cgroup-v2.rst, systemd's docs/CGROUP_DELEGATION.md.
public struct CgroupTree: Sendable {
  /// Why there is none, in a few words that can follow "no cgroup: ".
  public struct Unavailable: Error, Sendable, CustomStringConvertible {
    /// The reason.
    public let description: String
  }

  /// The directory in which the cgroups of steps are made.
  public let root: String
  /// The controllers that are on in them, such as `memory` and `cpu`.
  public let controllers: Set<String>

  private static let leaf = "eventor-agent"
  private static let prefix = "eventor-step."

  /// A tree that somebody has prepared: `controllers` are on for what is made in `root`.
  public init(root: String, controllers: Set<String>) {
    self.root = root
    self.controllers = controllers
  }

  /// Looks whether this process may divide its cgroup, and changes nothing. `controllers` are those it could turn on.
  ///
  /// - Parameters:
  ///   - mounts: The file with the mounted file systems.
  ///   - own: The file with the cgroups of this process.
  ///   - systemd: Is there if systemd manages this host.
  public static func find(
    mounts: String = "/proc/self/mounts", own: String = "/proc/self/cgroup",
    systemd: String = "/run/systemd/system"
  ) throws(Unavailable) -> CgroupTree {
    guard let mount = mountPoint(mounts) else {
      throw Unavailable(description: "there is no cgroup v2 file system")
    }
    let path = lines(of: own).first { $0.hasPrefix("0::") }.map { String($0.dropFirst(3)) }
    guard let path else { throw Unavailable(description: "this process is in no cgroup v2") }
    let current = mount + (path == "/" ? "" : path)
    // Since an earlier call, or because the service manager has put it there.
    let isInLeaf = current.hasSuffix("/" + leaf)
    let root = isInLeaf ? String(current.dropLast(leaf.utf8.count + 1)) : current
    guard access(root + "/cgroup.events", F_OK) == 0 else {
      throw Unavailable(description: "this process is in the root cgroup, which is not its own")
    }
    guard access(root, W_OK) == 0, access(root + "/cgroup.procs", W_OK) == 0,
      access(root + "/cgroup.subtree_control", W_OK) == 0
    else { throw Unavailable(description: "\(root) is not delegated to this user") }
    let others = lines(of: root + "/cgroup.procs").filter { $0 != String(getpid()) }
    guard isInLeaf || access(systemd, F_OK) != 0 else {
      throw Unavailable(description: "\(root) belongs to systemd, which has made no subgroup '\(leaf)' in it")
    }
    guard others.isEmpty || isInLeaf else {
      throw Unavailable(description: "\(root) holds other processes than this one")
    }
    let found = Set(words(of: root + "/cgroup.controllers")).intersection(["memory", "cpu"])
    guard !found.isEmpty else {
      throw Unavailable(description: "\(root) has neither the memory nor the cpu controller")
    }
    return CgroupTree(root: root, controllers: found)
  }

  /// Moves this process into a leaf of its cgroup, turns the controllers on, and removes what dead agents left.
  ///
  /// To be called before the keeper is launched, which is then in the leaf too.
  public static func prepare() throws(Unavailable) -> CgroupTree {
    let found = try find()
    let leaf = "\(found.root)/\(leaf)"
    if mkdir(leaf, 0o755) != 0, errno != EEXIST { throw failure("make \(leaf)") }
    try write("0", to: leaf + "/cgroup.procs")
    do throws(Unavailable) {
      let words = found.controllers.sorted().map { "+" + $0 }.joined(separator: " ")
      try write(words, to: found.root + "/cgroup.subtree_control")
    } catch {
      // As it was before: a service manager may look for its process there.
      try? write("0", to: found.root + "/cgroup.procs")
      rmdir(leaf)
      throw error
    }
    found.sweep()
    return found
  }

  /// The cgroup of the attempt `key`, if limits can be set in it; nil if it would make no difference.
  public func cgroup(for key: String, memory: Int64?, cores: Double?) -> StepCgroup? {
    var settings: [StepCgroup.Setting] = []
    if let memory, controllers.contains("memory") {
      settings.append(.init("memory.max", String(memory)))
      // One process less would leave a step that neither works nor ends.
      settings.append(.init("memory.oom.group", "1"))
      // Only where the kernel counts swap is there something to forbid.
      if access("\(root)/\(Self.leaf)/memory.swap.max", F_OK) == 0 {
        settings.append(.init("memory.swap.max", "0"))
      }
    }
    if let cores, controllers.contains("cpu") {
      settings.append(.init("cpu.max", "\(max(1_000, Int64((cores * 100_000).rounded()))) 100000"))
    }
    guard !settings.isEmpty else { return nil }
    let name = key.utf8.map { byte in
      let isPlain = (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
      return isPlain || byte == UInt8(ascii: "-") ? String(UnicodeScalar(byte)) : "."
    }.joined()
    return StepCgroup(path: "\(root)/\(Self.prefix)\(name)", settings: settings)
  }

  /// Removes the cgroups of steps in which no process is left. Those of steps that run stay, whoever started them.
  public func sweep() {
    for name in Self.directories(in: root) where name.hasPrefix(Self.prefix) {
      Self.remove("\(root)/\(name)")
    }
  }

  /// The kernel refuses to remove a cgroup as long as a process is in it, or in one that a step has made in it.
  private static func remove(_ path: String) {
    for name in directories(in: path) { remove("\(path)/\(name)") }
    rmdir(path)
  }

  private static func directories(in path: String) -> [String] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
    return names.filter { name in
      var status = stat()
      return lstat("\(path)/\(name)", &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }
  }

  // MARK: Files

  private static func mountPoint(_ mounts: String) -> String? {
    let points = lines(of: mounts).compactMap { line -> String? in
      let words = line.split(separator: " ")
      return words.count > 2 && words[2] == "cgroup2" ? String(words[1]) : nil
    }
    return points.first
  }

  private static func lines(of path: String) -> [String] {
    let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
    return text.split(separator: "\n").map(String.init)
  }

  private static func words(of path: String) -> [String] {
    lines(of: path).flatMap { $0.split(separator: " ").map(String.init) }
  }

  private static func write(_ text: String, to path: String) throws(Unavailable) {
    let descriptor = open(path, O_WRONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw failure("open \(path)") }
    defer { close(descriptor) }
    let count = Array(text.utf8).withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
    guard count == text.utf8.count else { throw failure("write '\(text)' to \(path)") }
  }

  private static func failure(_ what: String) -> Unavailable {
    Unavailable(description: "can't \(what): \(Errno.text(errno))")
  }
}
