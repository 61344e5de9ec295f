public import Model

/// What may stand as a value in a ``JSONObject``.
public protocol JSONRenderable: Sendable {
  /// The value as JSON.
  var jsonValue: JSONObject.Content { get }
}

extension JSONObject: JSONRenderable {
  /// The object itself.
  public var jsonValue: Content { .object(self) }
}

extension JSONObject.Content: JSONRenderable {
  /// The value itself.
  public var jsonValue: JSONObject.Content { self }
}

extension JSONValue: JSONRenderable {
  /// The value itself.
  public var jsonValue: JSONObject.Content { .plain(self) }
}

extension String: JSONRenderable {
  /// The text.
  public var jsonValue: JSONObject.Content { .plain(.string(self)) }
}

extension Bool: JSONRenderable {
  /// `true` or `false`.
  public var jsonValue: JSONObject.Content { .plain(.bool(self)) }
}

extension Int: JSONRenderable {
  /// The number.
  public var jsonValue: JSONObject.Content { .plain(.integer(Int64(self))) }
}

extension Int64: JSONRenderable {
  /// The number.
  public var jsonValue: JSONObject.Content { .plain(.integer(self)) }
}

extension Double: JSONRenderable {
  /// The number; `null` if it is not finite.
  public var jsonValue: JSONObject.Content { .plain(.number(self)) }
}

extension Timestamp: JSONRenderable {
  /// RFC 3339 in UTC.
  public var jsonValue: JSONObject.Content { description.jsonValue }
}

extension Sequence: JSONRenderable {
  /// The text.
  public var jsonValue: JSONObject.Content { text.jsonValue }
}

extension TaskStatus: JSONRenderable {
  /// The name of the state.
  public var jsonValue: JSONObject.Content { rawValue.jsonValue }
}

extension RunStatus: JSONRenderable {
  /// The name of the state.
  public var jsonValue: JSONObject.Content { rawValue.jsonValue }
}

extension LoopStatus: JSONRenderable {
  /// The name of the state.
  public var jsonValue: JSONObject.Content { rawValue.jsonValue }
}

extension Optional: JSONRenderable where Wrapped: JSONRenderable {
  /// The value, or `null`.
  public var jsonValue: JSONObject.Content { self?.jsonValue ?? .plain(.null) }
}

extension Array: JSONRenderable where Element: JSONRenderable {
  /// The values in order.
  public var jsonValue: JSONObject.Content { .list(map(\.jsonValue)) }
}

extension Dictionary: JSONRenderable where Key == String, Value: JSONRenderable {
  /// An object with sorted keys.
  public var jsonValue: JSONObject.Content {
    var object = JSONObject()
    for (key, value) in sorted(by: { $0.key < $1.key }) { object.set(key, value) }
    return .object(object)
  }
}
