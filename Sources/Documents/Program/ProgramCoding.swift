import Digest
import Foundation
public import Model

/// The form in which programs are kept in the database and told apart.
///
/// The text keeps the order in which steps and events were written, for that is the order in which they start when
/// nothing else decides. The version does not depend on it: a file whose keys were only moved about is the same.
public enum ProgramCoding {
  /// What is wrong with a text that should hold a program.
  public struct Failure: Error, Sendable, Hashable, CustomStringConvertible {
    /// What is wrong, in a sentence.
    public let description: String
  }

  /// `program` as JSON with sorted keys, always the same text for equal programs.
  public static func canonicalJSON(_ program: Program) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(program), as: UTF8.self)
  }

  /// The program that ``canonicalJSON(_:)`` wrote.
  public static func decode(_ json: String) throws -> Program {
    do {
      return try JSONDecoder().decode(Program.self, from: Data(json.utf8))
    } catch {
      throw Failure(description: "the stored program can't be read: \(error)")
    }
  }

  /// `sha256:` and the digest of the program in `canonicalJSON`, whatever the order of its named parts.
  ///
  /// A text that holds no program has the digest of its bytes.
  public static func version(of canonicalJSON: String) -> String {
    guard let program = try? decode(canonicalJSON), let version = try? version(of: program) else {
      return Digest(of: canonicalJSON.utf8).description
    }
    return version
  }

  /// The version of `program`.
  static func version(of program: Program) throws -> String {
    Digest(of: try canonicalJSON(program.orderedByName).utf8).description
  }
}
