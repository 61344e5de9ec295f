import Database

/// Rings on PostgreSQL: one statement notifies all channels.
struct PostgresBell: Bell {
  /// A `NOTIFY` makes its transaction one that writes, so that COMMIT would wait for the disk; nothing is lost without.
  /// `set_config(…, true)` holds for this transaction only, which is this statement.
  func ring(_ addresses: [WakeAddress], on session: any Session) throws(DatabaseError) {
    let channels = addresses.map(\.name).joined(separator: " ")
    _ = try session.query(
      """
      SELECT set_config('synchronous_commit', 'off', true), pg_notify(channel, '')
      FROM unnest(string_to_array(\(channels), ' ')) channel
      """)
  }
}
