import Database

extension OwnStore {
  /// Tasks a second of the runs whose ids begin with `prefix`, from the first that was taken to the last end that was
  /// recorded, by the database's clock.
  func pace(ofRuns prefix: String) async throws -> Double {
    let rows = try await rows(
      """
      SELECT COUNT(*), MIN(t.started_at), MAX(t.ended_at) FROM ev_run r JOIN ev_task t ON t.run_key = r.run_key
      WHERE r.id LIKE \(prefix + "%") AND t.status = 'success'
      """)
    guard let row = rows.first, try row.int(0) > 0 else { throw Wrong("nothing was done") }
    let microseconds = max(1, try row.integer(2) - row.integer(1))
    return Double(try row.int(0)) / (Double(microseconds) / 1e6)
  }
}
