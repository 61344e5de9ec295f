import Model
import Transport

/// How checks of hosts are shown.
public enum HostCheckView {
  /// One line for people, with what to do on a second one where the host was not reached.
  public static func line(_ check: HostCheck) -> String {
    switch check.result {
    case .success(let finding):
      var parts = [
        "\(finding.peer.authentication)",
        "host key \(finding.peer.hostKey.type) \(finding.peer.hostKey.fingerprint)"
          + (finding.peer.isNewKey ? " (new, stored)" : ""),
        "\(milliseconds(finding.answering)) ms", finding.system,
      ]
      if let offset = finding.clockOffset, abs(offset) >= 1 {
        parts.append("clock \(offset > 0 ? "ahead" : "behind") by \(Int(abs(offset).rounded())) s")
      }
      parts += HostCheck.programs.map { name in
        guard let program = finding.programs[name] else { return "no \(name)" }
        return "\(name) \(program.version ?? "that can't be run") (\(program.path))"
      }
      switch finding.store {
      case .answers(let url, let milliseconds): parts.append("\(url) answers in \(milliseconds) ms")
      case .fails(let why): parts.append("no store: \(why)")
      case .unconfigured: parts.append("no store configured")
      case nil: break
      }
      return (check.lacksStore ? "FAIL  " : "ok    ") + "\(check.host): "
        + neutralised(parts.joined(separator: ", "), onOneLine: true)
    case .failure(let error):
      let text = "FAIL  \(check.host): \(error.what): \(error.why)"
      return neutralised(text, onOneLine: true)
        + (error.mend.isEmpty ? "" : "\n      " + neutralised(error.mend, onOneLine: true))
    }
  }

  /// The same for programs.
  public static func object(_ check: HostCheck) -> JSONObject {
    var object: JSONObject = ["host": check.host, "ok": check.isWell]
    switch check.result {
    case .success(let finding):
      let (peer, settings) = (finding.peer, finding.peer.settings)
      object.set("address", settings.hostName)
      object.set("port", settings.port)
      object.set("user", settings.user)
      object.set("through", settings.proxyJump.map(\.description))
      object.set("authentication", peer.authentication)
      object.set(
        "host_key",
        JSONObject([
          ("type", peer.hostKey.type), ("fingerprint", peer.hostKey.fingerprint), ("new", peer.isNewKey),
        ]))
      object.set("server", peer.greeting)
      object.set("connect_ms", milliseconds(finding.connecting))
      object.set("answer_ms", milliseconds(finding.answering))
      object.set("clock_offset_ms", finding.clockOffset.map { Int(($0 * 1000).rounded()) })
      object.set("system", finding.system)
      for name in HostCheck.programs {
        object.set(
          name.replacing("-", with: "_"),
          finding.programs[name].map { JSONObject([("path", $0.path), ("version", $0.version)]) })
      }
      switch finding.store {
      case .answers(let url, let milliseconds):
        object.set(
          "store", JSONObject([("url", url), ("answer_ms", milliseconds), ("error", nil as String?)]))
      case .fails(let why):
        object.set(
          "store", JSONObject([("url", nil as String?), ("answer_ms", nil as Int?), ("error", why)]))
      case .unconfigured, nil: object.set("store", nil as String?)
      }
      object.set("notes", settings.notes)
    case .failure(let error):
      object.set(
        "error",
        JSONObject([
          ("kind", error.kind.rawValue), ("what", error.what), ("why", error.why), ("mend", error.mend),
        ]))
    }
    return object
  }

  private static func milliseconds(_ duration: Duration) -> Int {
    Int((duration / .milliseconds(1)).rounded())
  }
}
