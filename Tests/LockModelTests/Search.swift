/// Looks at every world that can come to be, nearest first, so that what it finds is found on a shortest way.
struct Search {
  /// What a search came to.
  struct Result {
    /// Worlds seen.
    var worlds = 0
    /// Moves between them.
    var moves = 0
    /// Moves from the first world to the farthest.
    var depth = 0
    /// The kinds of moves that were possible somewhere, as bits.
    var kinds: UInt64 = 0
    /// What was broken, and how it came to that; nothing if the protocol holds.
    var finding: Finding?
  }

  /// A way to something that must not be.
  struct Finding {
    let what: String
    let trace: [String]

    var text: String {
      "\(what):\n" + trace.enumerated().map { "\($0.offset). \($0.element)\n" }.joined()
    }
  }

  let setting: Setting
  let rules: Rules

  init(_ setting: Setting, _ rules: Rules = .all) {
    self.setting = setting
    self.rules = rules
  }

  /// Searches. Where nothing is broken it also looks whether every world can come to its end.
  func run(checkingEnds: Bool = true) -> Result {
    var table = WorldTable()
    var graph = MoveGraph()
    var expansion = Expansion(setting, rules)
    defer {
      table.deallocate()
      graph.deallocate()
      expansion.deallocate()
    }
    var result = Result()
    _ = table.number(of: PackedWorld(expansion.first))
    graph.parents.append(0)
    var (number, levelEnd) = (0, 1)
    while number < table.count {
      if number == levelEnd {
        result.depth += 1
        levelEnd = table.count
      }
      expansion.expand(table[number].world)
      var index = 0
      while index < expansion.count {
        result.kinds |= expansion.move(index).kind.bit
        let breach = expansion.breach(index)
        if breach != .none {
          let last = line(expansion.move(index).description, expansion.world(index))
          let trace = narrate(table, graph, to: number, &expansion) + [last]
          result.finding = Finding(what: breach.sentence, trace: trace)
          result.worlds = table.count
          result.moves += index + 1
          return result
        }
        let known = table.count
        let target = table.number(of: PackedWorld(expansion.world(index)))
        if target == known { graph.parents.append(UInt32(truncatingIfNeeded: number)) }
        if checkingEnds { graph.add(to: target, expansion.move(index).nature) }
        index += 1
      }
      result.moves += expansion.count
      if checkingEnds { graph.close() }
      number += 1
    }
    result.worlds = table.count
    if checkingEnds, let stuck = Endings(table, graph).firstStuck(setting) {
      let trace = narrate(table, graph, to: stuck.world, &expansion)
      result.finding = Finding(what: stuck.what, trace: trace)
    }
    return result
  }

  // MARK: Traces

  private func narrate(
    _ table: WorldTable, _ graph: MoveGraph, to end: Int, _ expansion: inout Expansion
  ) -> [String] {
    var way = [end]
    while let first = way.last, first != 0 { way.append(Int(graph.parents[first])) }
    way.reverse()
    var lines = [line("at first", table[way[0]].world)]
    for (from, to) in zip(way, way.dropFirst()) {
      expansion.expand(table[from].world)
      let index = (0..<expansion.count).first { PackedWorld(expansion.world($0)) == table[to] } ?? 0
      lines.append(line(expansion.move(index).description, table[to].world))
    }
    return lines
  }

  private func line(_ move: String, _ world: World) -> String {
    "\(move)\n      \(world.description(setting))"
  }
}
