import Model

/// A condition over events: `e1 && (e2 || e3)`. There is no `not`, as an event can't be taken back.
public struct EventCondition: Sendable, Hashable, CustomStringConvertible {
  let expression: Expression

  /// True once `event` is triggered in the sequence.
  public init(_ event: EventHandle) { expression = .event(event.name) }

  private init(_ expression: Expression) { self.expression = expression }

  /// True once all of `conditions` are.
  public static func all(_ conditions: [EventCondition]) -> EventCondition {
    EventCondition(.all(conditions.map(\.expression)))
  }

  /// True once any of `conditions` is.
  public static func any(_ conditions: [EventCondition]) -> EventCondition {
    EventCondition(.any(conditions.map(\.expression)))
  }

  /// True once all of `events` are triggered.
  public static func all(_ events: [EventHandle]) -> EventCondition {
    .all(events.map { EventCondition($0) })
  }

  /// True once any of `events` is triggered.
  public static func any(_ events: [EventHandle]) -> EventCondition {
    .any(events.map { EventCondition($0) })
  }

  /// As a program file has it: `e1 and (e2 or e3)`.
  public var description: String { expression.description }

  /// True once both are.
  public static func && (left: EventCondition, right: EventCondition) -> EventCondition {
    .all([left, right])
  }

  /// True once either is.
  public static func || (left: EventCondition, right: EventCondition) -> EventCondition {
    .any([left, right])
  }
}

/// True once both events are triggered in the sequence.
public func && (left: EventHandle, right: EventHandle) -> EventCondition {
  EventCondition(left) && EventCondition(right)
}

/// True once either event is triggered in the sequence.
public func || (left: EventHandle, right: EventHandle) -> EventCondition {
  EventCondition(left) || EventCondition(right)
}

/// True once the event is triggered and the condition holds.
public func && (left: EventHandle, right: EventCondition) -> EventCondition { EventCondition(left) && right }

/// True once the event is triggered or the condition holds.
public func || (left: EventHandle, right: EventCondition) -> EventCondition { EventCondition(left) || right }

/// True once the condition holds and the event is triggered.
public func && (left: EventCondition, right: EventHandle) -> EventCondition { left && EventCondition(right) }

/// True once the condition holds or the event is triggered.
public func || (left: EventCondition, right: EventHandle) -> EventCondition { left || EventCondition(right) }
