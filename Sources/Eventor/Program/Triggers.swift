import Model

/// The events that the end of a step or loop raises: `.success(tested).failure(broken)`.
public struct Triggers: Sendable, Hashable {
  var model = Program.Triggers()

  /// These events, by what raises them: for lists that are made elsewhere.
  public init(
    success: [EventHandle] = [], failure: [EventHandle] = [], complete: [EventHandle] = [],
    skipped: [EventHandle] = []
  ) {
    model.success = success.map(\.name)
    model.failure = failure.map(\.name)
    model.complete = complete.map(\.name)
    model.skipped = skipped.map(\.name)
  }

  /// `events` are raised by success.
  public static func success(_ events: EventHandle...) -> Triggers {
    Triggers().adding(events, to: \.success)
  }

  /// `events` are raised by failure, which is then handled.
  public static func failure(_ events: EventHandle...) -> Triggers {
    Triggers().adding(events, to: \.failure)
  }

  /// `events` are raised by either.
  public static func complete(_ events: EventHandle...) -> Triggers {
    Triggers().adding(events, to: \.complete)
  }

  /// `events` are raised by success too.
  public func success(_ events: EventHandle...) -> Triggers { adding(events, to: \.success) }

  /// `events` are raised by failure too, which is then handled.
  public func failure(_ events: EventHandle...) -> Triggers { adding(events, to: \.failure) }

  /// `events` are raised by either too.
  public func complete(_ events: EventHandle...) -> Triggers { adding(events, to: \.complete) }

  /// `events` are raised where the step's precondition was false.
  public func skipped(_ events: EventHandle...) -> Triggers { adding(events, to: \.skipped) }

  private func adding(
    _ events: [EventHandle], to list: WritableKeyPath<Program.Triggers, [String]>
  ) -> Triggers {
    var triggers = self
    triggers.model[keyPath: list] += events.map(\.name)
    return triggers
  }
}
