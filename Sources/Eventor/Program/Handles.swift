import Model

/// An event of a program, as ``EventProgram/event(_:external:)`` made it.
public struct EventHandle: Sendable, Hashable {
  /// The event's name.
  public let name: String
}

/// A step or loop of a program: what others may wait for, and what an event may start.
public protocol ProgramNode: Sendable {
  /// The node's name.
  var name: String { get }
}

/// A step of a program, with the type of its result.
public struct StepHandle<Output: Codable & Sendable>: ProgramNode, Hashable {
  /// The step's name.
  public let name: String

  /// Its result, as it stands in the texts of commands: `${steps.NAME.result}`.
  public var reference: String { "${steps.\(name).result}" }
}

/// A loop of a program, with the type of its items.
public struct LoopHandle<Item: Codable & Sendable>: ProgramNode, Hashable {
  /// The loop's name.
  public let name: String
}

/// A parameter of a program, with the type of its values.
public struct ParameterHandle<Value: Codable & Sendable>: Sendable, Hashable {
  /// The parameter's name.
  public let name: String

  /// As it stands in the texts of commands: `${param.NAME}`.
  public var reference: String { "${param.\(name)}" }

  /// A value for it, to be given to a run.
  public func set(_ value: Value) -> ParameterSetting {
    ParameterSetting(name: name, value: { try JSON.value(of: value) })
  }
}

/// A secret parameter: its value is never stored, shown or logged.
public struct SecretHandle: Sendable, Hashable {
  /// The parameter's name.
  public let name: String

  /// As it stands in the environment of steps: `${param.NAME}`.
  public var reference: String { "${param.\(name)}" }

  /// The value for a run that the program drives itself.
  public func set(_ value: String) -> ParameterSetting { ParameterSetting(name: name, secret: value) }

  /// For a run that is left to agents: the secret called `secret` in the vault of each host that needs it. The store has only
  /// that name.
  public func set(fromVault secret: String) -> ParameterSetting {
    ParameterSetting(name: name, value: { .string("@secret:\(secret)") })
  }
}

/// A value for a parameter of a run: see ``ParameterHandle/set(_:)``.
public struct ParameterSetting: Sendable {
  let name: String
  var value: @Sendable () throws -> JSONValue = { .null }
  var secret: String?
}

/// A set of hosts of a program.
public struct GroupHandle: Sendable, Hashable {
  /// The group's name.
  public let name: String
}

/// Something of which there is only so much.
public struct ResourceHandle: Sendable, Hashable {
  /// The resource's name.
  public let name: String
}

/// The result of steps that give none.
public struct NoResult: Codable, Sendable, Hashable {}
