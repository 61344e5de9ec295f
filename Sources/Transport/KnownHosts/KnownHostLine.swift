import Foundation

/// One line of a `known_hosts` file: `[@MARKER] NAMES TYPE KEY [COMMENT]` (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT").
struct KnownHostLine {
  /// What is said of the key.
  enum Marker: String {
    case trusted = ""
    case authority = "@cert-authority"
    case revoked = "@revoked"
  }

  let marker: Marker
  let names: [Substring]
  let key: HostKey
  /// `FILE:LINE`.
  let place: String

  /// Reads a line; nil for comments, empty lines, and what can't be read, as ssh does.
  init?(_ text: Substring, place: String) {
    var fields = text.split(whereSeparator: { $0 == " " || $0 == "\t" })[...]
    guard let first = fields.first, !first.hasPrefix("#") else { return nil }
    var marker = Marker.trusted
    if first.hasPrefix("@") {
      guard let known = Marker(rawValue: String(first)) else { return nil }
      marker = known
      fields = fields.dropFirst()
    }
    guard fields.count >= 3, let blob = Data(base64Encoded: String(fields[fields.startIndex + 2])),
      let key = HostKey(blob: Array(blob)), key.type == fields[fields.startIndex + 1]
    else { return nil }
    self.marker = marker
    names = fields[fields.startIndex].split(separator: ",")
    self.key = key
    self.place = place
  }

  /// Whether the line is about `name`, which is `host`, or `[host]:port` for another port than 22.
  func isAbout(_ name: String) -> Bool {
    if names.count == 1, let matches = HostNameHash.matches(names[0], name) { return matches }
    return HostPattern.list(names, match: name.lowercased())
  }
}
