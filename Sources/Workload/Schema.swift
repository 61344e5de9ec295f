import Database

/// The tables of a workload.
///
/// `wl_workload` has one row, which each batch locks: it holds the parameters, the state, and how far the open run has
/// come. `claim` is the number of whoever works on it; a batch is written only while it still is the writer's.
enum Schema {
  static let migrator = Migrator(
    table: "wl_migration", migrations: [Migration(number: 1, name: "workload") { statements($0) }])

  /// The tables whose rows a new set-up deletes.
  static let contents = ["wl_document", "wl_history"]

  private static func statements(_ d: Dialect) -> [String] {
    [
      """
      CREATE TABLE IF NOT EXISTS wl_workload (
      id BIGINT NOT NULL PRIMARY KEY, version BIGINT NOT NULL, created_at BIGINT NOT NULL, total BIGINT NOT NULL,
      size BIGINT NOT NULL, updates BIGINT NOT NULL, compressible BIGINT NOT NULL, seed BIGINT NOT NULL,
      filled BIGINT, next_document BIGINT NOT NULL, runs BIGINT NOT NULL,
      run_updates BIGINT, run_done BIGINT, run_revisions BIGINT, run_started_at BIGINT, run_spent BIGINT,
      resumed_at BIGINT, claim BIGINT, holder \(d.keyText(255))
      )\(d.tableOptions)
      """,
      """
      CREATE TABLE IF NOT EXISTS wl_history (
      run BIGINT NOT NULL PRIMARY KEY, started_at BIGINT NOT NULL, spent BIGINT NOT NULL,
      first_document BIGINT NOT NULL, updates BIGINT NOT NULL, revisions BIGINT NOT NULL, errors BIGINT NOT NULL
      )\(d.tableOptions)
      """,
      """
      CREATE TABLE IF NOT EXISTS wl_document (
      id BIGINT NOT NULL PRIMARY KEY, rev \(d.keyText(64)) NOT NULL, updated_at BIGINT NOT NULL,
      data \(d.blob) NOT NULL
      )\(d.tableOptions)
      """,
    ]
  }
}
