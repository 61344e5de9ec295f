import Database
public import Engine
import Model

/// Resources of which something outside knows how many are free (rule 12, `sensor:`).
///
/// A sensor is asked as long as somebody holds or waits for its resource, once every `every` over the whole cluster: the
/// row decides whose turn it is. Index: ev_resource_sensed.
extension SQLStore {
  /// Takes the turn of sensors that are to be asked now; those of scope `host` only on their host.
  public func takeSensorTurns(host: String) async throws -> [SensorTurn] {
    try await write { session in
      let now = try session.clock()
      let rows = try session.query(
        """
        SELECT resource_key, name, sensor, sensor_every FROM ev_resource
        WHERE sensor_due <= \(now) AND sensor IS NOT NULL AND (scope <> 'host' OR owner = \(host))
        ORDER BY sensor_due LIMIT 8\(raw: session.dialect.forUpdateSkipLocked)
        """)
      var turns: [SensorTurn] = []
      for row in rows {
        let key = try row.integer(0)
        let every = TimeSpan(microseconds: try row.optionalInteger(3) ?? 30_000_000)
        let isWanted =
          try !session.query("SELECT 1 FROM ev_ticket WHERE resource_key = \(key) LIMIT 1").isEmpty
          || !session.query("SELECT 1 FROM ev_hold WHERE resource_key = \(key) LIMIT 1").isEmpty
        // With nobody there its turn is over until somebody needs it again.
        let next: Int64? = isWanted ? now + every.microseconds : nil
        try session.execute("UPDATE ev_resource SET sensor_due = \(next) WHERE resource_key = \(key)")
        guard isWanted, let command = try JSONText.decode([String].self, row.optionalText(2)) else {
          continue
        }
        turns.append(SensorTurn(resource: key, name: try row.text(1), command: command, every: every))
      }
      return turns
    }
  }

  /// Records what a sensor said; nil if it failed, which lets nothing more start.
  public func record(sensor: Int64, free: Int?, message: String?) async throws {
    try await write { session in
      try session.execute(
        """
        UPDATE ev_resource SET sensor_at = \(raw: session.dialect.now), sensor_free = \(free),
          sensor_message = \(message)
        WHERE resource_key = \(sensor)
        """)
      guard free ?? 0 > 0, self.caller != nil, let after = Self.afterCommit else { return }
      let rows = try session.query(
        """
        SELECT DISTINCT a.waiter FROM ev_ticket k JOIN ev_member m ON m.queue = k.queue
        JOIN ev_agent a ON a.agent_key = m.agent_key
        WHERE k.resource_key = \(sensor) AND a.stopped_at IS NULL AND a.waiter IS NOT NULL
        """)
      after.ring(try rows.map { try $0.text(0) })
    }
  }
}
