import CFloor
import Database
import Glibc

/// A transcript laid out for C: made before the clock starts.
final class FloorCalls {
  private var calls: [evf_call] = []
  private var values: [evf_value] = []
  private var texts: [UnsafeMutablePointer<CChar>] = []

  /// - Parameter numbers: For each statement of the transcript its number at the connection.
  init(_ transcript: Transcript, numbers: [Int32]) {
    for call in transcript.calls {
      calls.append(
        evf_call(
          statement: numbers[call.statement], count: Int32(call.values.count), first: Int64(values.count)))
      for value in call.values { values.append(bound(value)) }
    }
  }

  deinit { for text in texts { free(text) } }

  func replay(on connection: OpaquePointer) -> Int32 {
    evf_replay(connection, calls, calls.count, values, nil)
  }

  /// Numbers have their text too, as libpq sends nothing else.
  private func bound(_ value: Value) -> evf_value {
    switch value {
    case .null: make(EVF_NULL, "")
    case .integer(let number): make(EVF_INTEGER, String(number), integer: number)
    case .real(let number): make(EVF_REAL, number.description, real: number)
    case .text(let text): make(EVF_TEXT, text)
    // The step engine's statements have none.
    case .blob(let bytes): make(EVF_TEXT, String(decoding: bytes, as: UTF8.self))
    }
  }

  private func make(_ kind: evf_value_kind, _ text: String, integer: Int64 = 0, real: Double = 0) -> evf_value
  {
    let copy = strdup(text)
    if let copy { texts.append(copy) }
    return evf_value(
      kind: Int32(kind.rawValue), integer: integer, real: real, text: UnsafePointer(copy),
      length: text.utf8.count)
  }
}
