/// Gathers the lines of a journal, which may come in pieces, into its entries.
struct JournalParser {
  private var order: [UInt64] = []
  private var byTicket: [UInt64: KeeperJournal.Entry] = [:]
  private var rest: [UInt8] = []
  /// What the keeper says of itself.
  private(set) var greeting: KeeperJournal.Greeting?

  var entries: [KeeperJournal.Entry] { order.compactMap { byTicket[$0] } }

  /// Takes more of the file. What follows the last newline waits for the rest of its line.
  mutating func take(_ bytes: [UInt8]) {
    rest.append(contentsOf: bytes)
    guard let end = rest.lastIndex(of: UInt8(ascii: "\n")) else { return }
    for line in rest[..<end].split(separator: UInt8(ascii: "\n")) { take(line: line) }
    rest.removeSubrange(...end)
    if order.count > 2 * byTicket.count + 64 { order.removeAll { byTicket[$0] == nil } }
  }

  /// A line that makes no sense is a write the disk had no room for; the next one is good again.
  private mutating func take(line: ArraySlice<UInt8>) {
    let words = line.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
      .map { String(decoding: $0, as: UTF8.self) }
    guard words.count >= 3, let ticket = UInt64(words[2]) else { return }
    switch (words[0], words.count) {
    case ("A", 3):
      if byTicket[ticket] == nil { order.append(ticket) }
      byTicket[ticket] = KeeperJournal.Entry(key: words[1], ticket: ticket, identity: nil, state: .announced)
    case ("S", 6):
      guard let pid = Int32(words[3]), let start = UInt64(words[4]) else { return }
      byTicket[ticket]?.identity = ProcessIdentity(pid: pid, startTime: start, bootID: words[5])
      byTicket[ticket]?.state = .running
    case ("N", 5):
      guard let error = Int32(words[3]) else { return }
      let sentence = "it could not be started (\(words[4])): \(Errno.text(error))"
      byTicket[ticket]?.state = .notStarted(sentence)
      byTicket[ticket]?.wasWithheld = ["quitting", "cut_off"].contains(words[4])
    case ("G", 3):
      byTicket[ticket]?.wasCutOff = true
    case ("E", 11):
      guard var end = Self.end(words) else { return }
      end.wasCutOff = byTicket[ticket]?.wasCutOff ?? false
      byTicket[ticket]?.state = .ended(end)
    case ("K", 6):
      guard let agent = Int32(words[3]), let start = UInt64(words[4]) else { return }
      greeting = KeeperJournal.Greeting(
        name: words[1], keeper: Int32(truncatingIfNeeded: ticket),
        agent: ProcessIdentity(pid: agent, startTime: start, bootID: words[5]))
    case ("R", 3):
      byTicket[ticket] = nil
    default:
      break
    }
  }

  private static func end(_ words: [String]) -> ProcessEnd? {
    guard let value = Int32(words[5]), let resident = Int64(words[6]), let user = Int64(words[7]),
      let system = Int64(words[8]), let wall = Int64(words[10]), ["exit", "signal"].contains(words[4])
    else { return nil }
    return ProcessEnd(
      words[4] == "exit" ? .exited(value) : .signalled(value), maxResidentKiB: resident,
      userMicroseconds: user, systemMicroseconds: system, wallMicroseconds: wall)
  }
}
