import Database
import Digest
public import Engine
import Foundation
import Model
import Synchronization

/// Where a ready task waits for an agent: the queue of its host, or that of all groups with the same members.
struct Queue: Hashable {
  let name: String
  let hosts: [String]
  let labels: [String: String]

  /// The queue of one host; every agent knows its name, so it needs no row.
  static func host(_ host: String) -> String { "h:" + host }

  /// The queue of a group, named after its members: hosts in any order, or labels.
  init(_ group: Program.Group) {
    hosts = Set(group.hosts).sorted()
    labels = group.match ?? [:]
    let content =
      hosts.joined(separator: " ") + "|"
      + labels.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: "\u{1f}")
    name = "g:" + Digest(of: content.utf8).hexadecimal.prefix(40)
  }

  init(name: String, hosts: [String], labels: [String: String]) {
    self.name = name
    self.hosts = hosts
    self.labels = labels
  }

  /// Whether an agent of `host` with `own` labels is a member. `*` matches any value of a label.
  func fits(host: String, labels own: [String: String]) -> Bool {
    if !hosts.isEmpty, !hosts.contains(host) { return false }
    if hosts.isEmpty, labels.isEmpty { return false }
    return labels.allSatisfy { key, value in own[key].map { value == "*" || value == $0 } ?? false }
  }
}

/// Group queues known to be in the store for good: a transaction that has made or seen them is committed.
final class QueueCache: Sendable {
  private let names = Mutex<Set<String>>([])

  func knows(_ name: String) -> Bool { names.withLock { $0.contains(name) } }

  func note(_ name: String) { names.withLock { _ = $0.insert(name) } }
}

extension SQLStore {
  /// The queue of a task placed by a transition; nil in a standalone run.
  func queue(of placement: Placement, in run: LockedRun, _ session: any Session) throws -> String? {
    guard !run.isStandalone else { return nil }
    switch placement {
    case .host(let host): return Queue.host(host)
    case .group(let name):
      guard let group = run.plan.program.groups.first(where: { $0.name == name }) else { return nil }
      let queue = Queue(group)
      try make(queue, session)
      return queue.name
    }
  }

  /// Makes the row of a group's queue, by which agents learn of it, unless it is known to be there, and makes those that
  /// work already its members: until the slowest has looked, another could take all attempts of a task.
  private func make(_ queue: Queue, _ session: any Session) throws {
    let after = Self.afterCommit
    if queues.knows(queue.name) || after?.knows(queue: queue.name) == true { return }
    // Not before it is committed: this very transaction may have made it, and come to nothing.
    after?.note(queue: queue.name)
    if try !session.query("SELECT 1 FROM ev_queue WHERE name = \(queue.name)").isEmpty { return }
    try session.insert(
      into: "ev_queue", columns: ["name", "hosts", "labels"],
      rows: [
        [.text(queue.name), .text(queue.hosts.hostColumn), .text(try JSONText.encode(queue.labels))]
      ], ignoringConflicts: true)
    // One that has been silent for long finds it when it looks again.
    let agents = try session.query(
      """
      SELECT a.agent_key, a.host, a.labels FROM ev_seat s JOIN ev_agent a ON a.agent_key = s.agent_key
      WHERE a.embedded = 0 AND \(raw: Fleet.isLive("a", session.dialect)) ORDER BY a.agent_key
      """)
    let members = try agents.filter { row in
      let labels = try JSONText.decode([String: String].self, row.optionalText(2)) ?? [:]
      return queue.fits(host: try row.text(1), labels: labels)
    }
    try session.insert(
      into: "ev_member", columns: ["queue", "agent_key"],
      rows: members.map { [.text(queue.name), .integer(try $0.integer(0))] }, ignoringConflicts: true)
  }

  /// Learns of queues made since the agent last did, and becomes a member of those it fits.
  public func joinQueues(agent: Int64) async throws -> AgentQueues {
    try await write { session in
      guard
        let row = try session.query("SELECT host, labels FROM ev_agent WHERE agent_key = \(agent)").first
      else { throw StoreError(.notFound, "agent \(agent) is not in the store any more") }
      let host = try row.text(0)
      let labels = try JSONText.decode([String: String].self, row.optionalText(1)) ?? [:]
      var names = [Queue.host(host)]
      // They are counted, not known by the greatest number: one with a lower number may be committed later.
      var count: Int64 = 0
      for row in try session.query("SELECT queue_no, name, hosts, labels FROM ev_queue ORDER BY queue_no") {
        count += 1
        let queue = Queue(
          name: try row.text(1), hosts: try row.text(2).hostList,
          labels: try JSONText.decode([String: String].self, row.text(3)) ?? [:])
        if queue.fits(host: host, labels: labels) { names.append(queue.name) }
      }
      try session.insert(
        into: "ev_member", columns: ["queue", "agent_key"], rows: names.map { [.text($0), .integer(agent)] },
        ignoringConflicts: true)
      return AgentQueues(names: names, count: count)
    }
  }

  /// Agents that take from a queue: they live, are not draining, and said where they can be woken.
  ///
  /// Kept for a moment, so that a run of a thousand short steps does not ask a thousand times.
  func waiters(of queue: String, _ session: any Session) throws -> [Waiters.Entry] {
    try waiting.entries(of: queue) {
      try session.query(
        """
        SELECT a.agent_key, a.waiter FROM ev_member m JOIN ev_agent a ON a.agent_key = m.agent_key
        WHERE m.queue = \(queue) AND a.stopped_at IS NULL AND a.waiter IS NOT NULL
          AND a.heartbeat_at > \(raw: session.dialect.now) - 2 * COALESCE(a.lock_for, 30000000)
        ORDER BY a.agent_key
        """
      ).map { Waiters.Entry(agent: try $0.integer(0), address: try $0.text(1)) }
    }
  }
}

/// Who is to be woken for a queue, as it was a moment ago.
final class Waiters: Sendable {
  struct Entry: Sendable, Hashable {
    let agent: Int64
    let address: String
  }
  /// An address that is a second old is at worst one missed wake-up: the poll finds what it would have told.
  private static let age = Duration.seconds(1)
  private let known = Mutex<[String: (entries: [Entry], until: ContinuousClock.Instant)]>([:])

  func entries(of queue: String, else ask: () throws -> [Entry]) rethrows -> [Entry] {
    let now = ContinuousClock.now
    if let found = known.withLock({ $0[queue] }), found.until > now { return found.entries }
    let entries = try ask()
    known.withLock { known in
      if known.count > 256 { known.removeAll() }
      known[queue] = (entries, now + Self.age)
    }
    return entries
  }
}
