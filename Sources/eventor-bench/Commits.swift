import Database

/// What one commit costs: the smallest change of one row, by itself, through the C client.
enum Commits {
  /// Milliseconds of each of `count` commits, one after the other.
  static func time(_ count: Int, in own: OwnStore) async throws -> [Double] {
    let floor = try await Floor.open(own.url)
    try await floor.script("CREATE TABLE floor_commit (id BIGINT NOT NULL PRIMARY KEY, n BIGINT NOT NULL)")
    try await floor.script("INSERT INTO floor_commit (id, n) VALUES (1, 0)")
    let update = try await floor.prepare("UPDATE floor_commit SET n = n + 1 WHERE id = 1")
    // The first ones pay for what the others find done.
    _ = try await floor.time(update, times: min(count, 10))
    return try await floor.time(update, times: count)
  }

  /// The same in a store of its own.
  static func time(_ count: Int, at place: StorePlace) async throws -> [Double] {
    try await OwnStore.with(place) { try await time(count, in: $0) }
  }
}
