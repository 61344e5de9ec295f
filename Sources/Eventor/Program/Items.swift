import Model

/// What a loop goes over, with the type of its items.
public struct Items<Item: Codable & Sendable>: Sendable {
  let model: @Sendable () throws -> Program.Items

  /// These items.
  public static func list(_ items: [Item]) -> Items {
    Items { .list(try items.map { try JSON.value(of: $0) }) }
  }

  /// The items of a parameter.
  public static func parameter(_ parameter: ParameterHandle<[Item]>) -> Items {
    Items { .reference(parameter.reference) }
  }

  /// The items of the list that `step` has given as its result.
  public static func result(of step: StepHandle<[Item]>) -> Items {
    Items { .reference("${steps.\(step.name).result}") }
  }
}

extension Items where Item == Int {
  /// Whole numbers, both ends included. They are not written out in advance, so there may be a million.
  public static func range(_ range: ClosedRange<Int>) -> Items {
    Items { .range(from: .value(range.lowerBound), to: .value(range.upperBound)) }
  }

  /// Whole numbers from `first` to the value of a parameter, both included.
  public static func range(from first: Int = 1, through last: ParameterHandle<Int>) -> Items {
    Items { .range(from: .value(first), to: .reference(last.reference)) }
  }
}

extension Items: ExpressibleByArrayLiteral {
  /// These items.
  public init(arrayLiteral elements: Item...) { self = .list(elements) }
}

/// When a loop is over.
public enum LoopEnd: Sendable, Hashable {
  /// When every iteration is over.
  case all
  /// When one iteration has succeeded, or all are over.
  case any
  /// When one iteration has failed, or all are over.
  case firstFailure

  var model: Program.ForEach.Wait {
    switch self {
    case .all: .all
    case .any: .any
    case .firstFailure: .firstFailure
    }
  }
}
