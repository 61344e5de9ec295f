import Foundation
import Glibc
import Model
import Testing

@testable import Agent

@Suite("Limits of a step", .timeLimit(.minutes(2)))
struct LimitTests {
  @Test("on cores leave it no more than that, and those it had if they are fewer")
  func cores() async throws {
    try await World.with { world in
      let all = LimitSupport.onThisHost.cores
      for limit in [1, max(1, all - 1), all, all + 1] {
        var request = world.sh("grep Cpus_allowed: /proc/self/status", log: "log\(limit)")
        request.coreLimit = limit
        #expect(await world.keeper.run(request).cause == .exited(0))
        let mask = try world.output("log\(limit)").split(separator: "\t").last.map(String.init) ?? ""
        let bits = mask.compactMap(\.hexDigitValue).reduce(0) { $0 + $1.nonzeroBitCount }
        #expect(bits == min(limit, all))
      }
    }
  }

  @Test("in a cgroup are written there before it starts, and it is in it")
  func cgroup() async throws {
    // A directory that looks like a cgroup, since not every host has one to give.
    try await World.with { world in
      let tree = CgroupTree(root: world.directory, controllers: ["memory", "cpu"])
      var request = world.sh("cat \(world.directory)/eventor-step.run.1.1/cgroup.procs; echo; exit 3")
      request.cgroup = tree.cgroup(for: request.key, memory: 1 << 30, cores: 1.5)
      #expect(await world.keeper.run(request).cause == .exited(3))
      #expect(try world.output() == "0\n")
      let path = "\(world.directory)/eventor-step.run.1.1"
      #expect(try text(of: path + "/memory.max") == "1073741824")
      #expect(try text(of: path + "/memory.oom.group") == "1")
      #expect(try text(of: path + "/cpu.max") == "150000 100000")
      #expect(access(path + "/memory.swap.max", F_OK) != 0)
      // A kernel that has killed something for it says so here.
      try "low 0\noom 1\noom_kill 2\n".write(
        toFile: path + "/memory.events", atomically: false, encoding: .utf8)
      let end = await world.keeper.run(request)
      #expect(end.ranOutOfMemory)
      try "oom 0\noom_kill 0\n".write(toFile: path + "/memory.events", atomically: false, encoding: .utf8)
      #expect(await !world.keeper.run(request).ranOutOfMemory)
    }
  }

  @Test("in a cgroup that can't be made keep it from starting")
  func refused() async throws {
    try await World.with { world in
      var request = world.sh("echo ran")
      let tree = CgroupTree(root: "\(world.directory)/none", controllers: ["cpu"])
      request.cgroup = tree.cgroup(for: request.key, memory: 1, cores: 1)
      #expect(
        await world.keeper.run(request).sentence
          == "cannot start 'sh': cannot set its limits in the cgroup '\(world.directory)/none/eventor-step.run.1.1': "
          + "no such file or directory; the agent must be allowed to make it")
      #expect(tree.cgroup(for: request.key, memory: 1, cores: nil) == nil)
    }
  }

  @Test("a real cgroup, where this host has one, goes with the last of its processes and is killed as one")
  func real() async throws {
    let mounts = try String(contentsOfFile: "/proc/self/mounts", encoding: .utf8)
    let lines = mounts.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
    let mount = lines.first { $0.count > 2 && $0[2] == "cgroup2" }?[1]
    guard let mount, access(mount, W_OK) == 0, mkdir("\(mount)/eventor-test-\(getpid())", 0o755) == 0 else {
      // Then there is nothing to be had for steps either, and the reason is told.
      #expect(LimitSupport.onThisHost.reason != nil)
      return
    }
    let root = "\(mount)/eventor-test-\(getpid())"
    defer { rmdir(root) }
    try await World.with { world in
      let token = Wild.token()
      var request = world.sh(
        "cat /proc/self/cgroup; setsid env -i /bin/sh -c 'trap \"\" TERM; sleep 1000; :' \(token) & echo ready; wait"
      )
      request.cgroup = StepCgroup(path: "\(root)/eventor-step.a", settings: [])
      let step = try await world.start(request)
      try await until { begins("ready", in: "\(world.directory)/log") }
      #expect(try world.output().contains("/eventor-test-\(getpid())/eventor-step.a\n"))
      world.keeper.killTree(step.handle.ticket, SIGKILL)
      #expect(await step.end.value.cause == .signalled(SIGKILL))
      #expect(Wild.processes(with: token) == [])
      try await until { access("\(root)/eventor-step.a", F_OK) != 0 }
      // What dead agents left is swept, what is used is not.
      try #require(mkdir("\(root)/eventor-step.b", 0o755) == 0)
      try #require(mkdir("\(root)/eventor-step.b/made-by-step", 0o755) == 0)
      request = world.request(["sleep", "1000"])
      request.cgroup = StepCgroup(path: "\(root)/eventor-step.c", settings: [])
      let other = try await world.start(request)
      CgroupTree(root: root, controllers: []).sweep()
      #expect(access("\(root)/eventor-step.b", F_OK) != 0)
      #expect(LocalProcess.isAlive(other.handle.identity))
      world.keeper.killTree(other.handle.ticket, SIGKILL)
      #expect(await other.end.value.cause == .signalled(SIGKILL))
      try await until { access("\(root)/eventor-step.c", F_OK) != 0 }
    }
  }

  @Test("a cgroup is used if it is this process's own and delegated; else the reason is told")
  func finding() async throws {
    try await World.withDirectory { directory in
      let (mounts, own, root) = ("\(directory)/mounts", "\(directory)/own", "\(directory)/mount/unit")
      func reason() -> String {
        do throws(CgroupTree.Unavailable) {
          let tree = try CgroupTree.find(mounts: mounts, own: own, systemd: directory + "/systemd")
          return "\(tree.root) \(tree.controllers.sorted())"
        } catch { return error.description }
      }
      func write(_ name: String, _ text: String) throws {
        try text.write(toFile: name, atomically: false, encoding: .utf8)
      }
      try write(mounts, "proc /proc proc rw 0 0\n")
      try write(own, "1:name=systemd:/unit\n0::/unit\n")
      #expect(reason() == "there is no cgroup v2 file system")
      try write(mounts, "proc /proc proc rw 0 0\ncgroup2 \(directory)/mount cgroup2 rw 0 0\n")
      #expect(reason() == "this process is in the root cgroup, which is not its own")
      try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
      try write(root + "/cgroup.events", "")
      #expect(reason() == "\(root) is not delegated to this user")
      for file in ["cgroup.subtree_control", "cgroup.controllers"] { try write("\(root)/\(file)", "") }
      try write(root + "/cgroup.procs", "\(getpid())\n1\n")
      #expect(reason() == "\(root) holds other processes than this one")
      try write(root + "/cgroup.procs", "\(getpid())\n")
      #expect(reason() == "\(root) has neither the memory nor the cpu controller")
      try write(root + "/cgroup.controllers", "cpuset cpu io memory pids\n")
      #expect(reason() == "\(root) [\"cpu\", \"memory\"]")
      try write(directory + "/systemd", "")
      #expect(reason() == "\(root) belongs to systemd, which has made no subgroup 'eventor-agent' in it")
      // In the leaf of a tree that was prepared before, others are expected.
      try write(own, "0::/unit/eventor-agent\n")
      try write(root + "/cgroup.procs", "1\n")
      #expect(reason() == "\(root) [\"cpu\", \"memory\"]")
      try write(own, "4:memory:/x\n")
      #expect(reason() == "this process is in no cgroup v2")
    }
  }

  @Test("that this host can't keep are told, and only those")
  func shortcomings() {
    func found(_ support: LimitSupport, _ cores: Double) -> [Problem] {
      var program = Program(name: "p")
      var step = Program.Step(name: "solve")
      step.limits = Program.Limits()
      step.limits?.memory = 1 << 30
      step.limits?.cpu = cores
      program.steps = [Program.Step(name: "other"), step]
      return support.shortcomings(of: program)
    }
    let without = LimitSupport(controllers: [], reason: "there is none", cores: 8)
    for fine in [1, 2, 8, 9.5] { #expect(found(without, fine) == []) }
    #expect(found(without, 7.5).count == 1)
    #expect(
      found(without, 0.5) == [
        .warning(
          "steps.solve.limits.cpu",
          "limits.cpu 0.5 is enforced as 1 on this host: a part of a core needs cgroup v2 delegation (there is none)"
        )
      ])
    let with = LimitSupport(controllers: ["memory", "cpu"], reason: nil, cores: 8)
    #expect(found(with, 0.5) == [] && with.cpu == .cgroup && with.reason == nil)
    let half = LimitSupport(controllers: ["memory"], reason: nil, cores: 8)
    #expect(half.reason == "no cpu controller is delegated" && half.memory == .cgroup)
    #expect(half.cpu == .wholeCores)
  }
}
