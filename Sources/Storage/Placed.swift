import Database
import Model

/// Looking rows up by a name and a sequence, many at once.
enum Placed {
  /// Selects `columns` of the rows of `table` that have one of `names` in `column`, stand in one of `sequences`, and fulfil
  /// `condition`. May give a row more than once.
  ///
  /// Differs by necessity: where runs are short on average, PostgreSQL and SQLite take it for cheaper to read all rows of a
  /// run than to look each pair up, though this run may be a long one. So each pair is made to be looked up by itself.
  /// MySQL asks its index how many rows there would be.
  static func select(
    _ columns: String, from table: String, _ column: String, _ names: [String], in sequences: [String],
    of run: Int64, _ condition: SQL, _ dialect: Dialect
  ) -> SQL {
    switch dialect.kind {
    case .postgresql:
      """
      SELECT x.* FROM \(rows: names) n CROSS JOIN \(rows: sequences) s CROSS JOIN LATERAL (
        SELECT \(raw: columns) FROM \(raw: table) t
        WHERE t.run_key = \(run) AND t.\(raw: column) = n.column1 AND t.sequence = s.column1 AND \(condition) OFFSET 0) x
      """
    case .sqlite:
      """
      SELECT \(raw: columns) FROM \(rows: names) n CROSS JOIN \(rows: sequences) s CROSS JOIN \(raw: table) t
      WHERE t.run_key = \(run) AND t.\(raw: column) = n.column1 AND t.sequence = s.column1 AND \(condition)
      """
    case .mysql:
      """
      SELECT \(raw: columns) FROM \(raw: table) t
      WHERE t.run_key = \(run) AND t.\(raw: column) IN \(list: names) AND t.sequence IN \(list: sequences)
        AND \(condition)
      """
    }
  }
}
