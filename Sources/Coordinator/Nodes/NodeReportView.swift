import Transport

/// How the hosts of an `agent` command are shown.
public enum NodeReportView {
  /// One line for people: what was done, or how the agent stands, and where its log is.
  public static func line(_ host: String, _ result: Result<NodeReport, any Error>) -> String {
    switch result {
    case .success(let report):
      var parts = [report.changes.isEmpty ? standing(report) : report.changes.joined(separator: ", ")]
      if !report.changes.isEmpty, report.state != .stopped { parts.append(standing(report)) }
      parts.append("log \(report.log)")
      parts += report.notes
      if let complaint = report.complaint { parts.append(complaint) }
      return neutralised("ok    \(host): " + parts.joined(separator: "; "), onOneLine: true)
    case .failure(let error):
      let (what, why, mend) = parts(of: error)
      return neutralised("FAIL  \(host): \(what)" + (why.isEmpty ? "" : ": \(why)"), onOneLine: true)
        + (mend.isEmpty ? "" : "\n      " + neutralised(mend, onOneLine: true))
    }
  }

  private static func standing(_ report: NodeReport) -> String {
    let program = "eventor-agent \(report.version ?? "of unknown version")"
    guard report.state != .stopped else { return "\(program) is installed and does not run" }
    let age = report.age.map { " for \(duration($0))" } ?? ""
    let pid = report.pid.map { ", pid \($0)" } ?? ""
    return "\(program) runs\(age) as host \(report.name)\(pid), \(report.state.rawValue)"
  }

  /// The same for programs.
  public static func object(_ host: String, _ result: Result<NodeReport, any Error>) -> JSONObject {
    var object: JSONObject = ["host": host]
    switch result {
    case .success(let report):
      object.set("ok", true)
      object.set("state", report.state.rawValue)
      object.set("changed", report.changes)
      object.set("name", report.name)
      object.set("account", report.account)
      object.set("pid", report.pid)
      object.set("running_s", report.age)
      object.set("version", report.version)
      object.set("log", report.log)
      object.set("notes", report.notes)
      object.set("complaint", report.complaint)
    case .failure(let error):
      let (what, why, mend) = parts(of: error)
      object.set("ok", false)
      object.set(
        "error", JSONObject([("kind", kind(of: error)), ("what", what), ("why", why), ("mend", mend)]))
    }
    return object
  }

  private static func parts(of error: any Error) -> (what: String, why: String, mend: String) {
    guard let error = error as? any ExplainedError else { return ("\(error)", "", "") }
    return (error.what, error.why, error.mend)
  }

  private static func kind(of error: any Error) -> String {
    (error as? any ExplainedError)?.kindName ?? "failed"
  }

  private static func duration(_ seconds: Int) -> String {
    switch seconds {
    case ..<120: "\(seconds)s"
    case ..<7200: "\(seconds / 60)m"
    case ..<172_800: "\(seconds / 3600)h"
    default: "\(seconds / 86_400)d"
    }
  }
}
