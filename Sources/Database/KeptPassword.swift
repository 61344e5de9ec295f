import Glibc

/// Keeps a password where no Swift string could hold it, and shows it for the length of a call.
public protocol PasswordKeeper: AnyObject, Sendable {
  /// Shows the password as C reads text.
  func withCString<T, Failure: Error>(_ body: (UnsafePointer<CChar>) throws(Failure) -> T) throws(Failure)
    -> T
}

/// A password that is not in the text of a URL. What a store is does not depend on who keeps its password, so any two
/// of these are equal.
struct KeptPassword: Sendable, Hashable {
  let keeper: any PasswordKeeper

  static func == (left: KeptPassword, right: KeptPassword) -> Bool { true }

  func hash(into hasher: inout Hasher) {}
}

extension StoreURL {
  /// The same store, whose password `keeper` has.
  public func keeping(_ keeper: any PasswordKeeper) -> StoreURL {
    var url = self
    url.password = nil
    url.kept = KeptPassword(keeper: keeper)
    return url
  }

  /// Shows the password, nil if there is none, to a driver's call that connects.
  public func withPassword<T, Failure: Error>(
    _ body: (UnsafePointer<CChar>?) throws(Failure) -> T
  ) throws(Failure) -> T {
    if let kept { return try kept.keeper.withCString(body) }
    guard let password else { return try body(nil) }
    // `String.withCString` does not hand typed errors on.
    return try password.utf8CString.withUnsafeBufferPointer { (text) throws(Failure) in
      try body(text.baseAddress)
    }
  }

  /// `variables`, an environment, without those that hold the password.
  public func withoutPassword(_ variables: [String: String]) -> [String: String] {
    withPassword { password in
      guard let password, password.pointee != 0 else { return variables }
      return variables.filter { strstr($0.value, password) == nil }
    }
  }
}
