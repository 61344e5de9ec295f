extension Program {
  /// Everything wrong or doubtful in the program, errors and warnings, in the order of its parts.
  public func problems() -> [Problem] { [] }
}
