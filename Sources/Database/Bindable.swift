/// What can stand for a `?` in a statement.
public protocol Bindable {
  /// The value as the database stores it.
  var databaseValue: Value { get }
}

extension Value: Bindable {
  /// Itself.
  @inlinable public var databaseValue: Value { self }
}

extension Int: Bindable {
  /// An integer.
  @inlinable public var databaseValue: Value { .integer(Int64(self)) }
}

extension Int64: Bindable {
  /// An integer.
  @inlinable public var databaseValue: Value { .integer(self) }
}

/// Stored as 0 or 1: MySQL has no boolean column and SQLite no boolean at all.
extension Bool: Bindable {
  /// 0 or 1.
  @inlinable public var databaseValue: Value { .integer(self ? 1 : 0) }
}

extension Double: Bindable {
  /// A real number.
  @inlinable public var databaseValue: Value { .real(self) }
}

extension String: Bindable {
  /// Text.
  @inlinable public var databaseValue: Value { .text(self) }
}

extension [UInt8]: Bindable {
  /// Bytes.
  @inlinable public var databaseValue: Value { .blob(self) }
}

extension Optional: Bindable where Wrapped: Bindable {
  /// NULL for nil.
  @inlinable public var databaseValue: Value { map { $0.databaseValue } ?? .null }
}

/// Enumerations with a raw value bind as it, once they declare the conformance.
extension Bindable where Self: RawRepresentable, RawValue: Bindable {
  /// The raw value's.
  @inlinable public var databaseValue: Value { rawValue.databaseValue }
}
