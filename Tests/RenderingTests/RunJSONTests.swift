import Coordinator
import Foundation
import Model
import Testing

@Suite("Runs as JSON")
struct RunJSONTests {
  @Test("the document has the keys of CLI.md in their order")
  func document() {
    let expected = #"""
      {"run": {"id": "01JRUN", "program": "nightly", "version": "sha256:0123456789abcdef", "status": "failure", "recovery": 0, "parameters": {"site": "lab \"1\"", "x": 9}, "started_at": "2026-11-21T02:00:00.123Z", "ended_at": "2026-11-21T02:03:05.123Z", "waiting_for": []},
       "tasks": [
        {"step": "s1", "sequence": "1", "recovery": 0, "attempt": 1, "host": "s1", "status": "success", "exit_code": 0, "signal": null, "result": null, "message": null, "skipped": false, "ready_at": "2026-11-21T02:00:00.123Z", "started_at": "2026-11-21T02:00:00.623Z", "ended_at": "2026-11-21T02:00:01.823Z", "max_rss_kib": null, "cpu_seconds": null, "log": null},
        {"step": "s2", "sequence": "1", "recovery": 0, "attempt": 1, "host": "s1", "status": "failure", "exit_code": null, "signal": "SIGKILL", "result": null, "message": null, "skipped": false, "ready_at": "2026-11-21T02:00:00.123Z", "started_at": "2026-11-21T02:00:00.623Z", "ended_at": "2026-11-21T02:00:01.823Z", "superseded": true, "max_rss_kib": null, "cpu_seconds": null, "log": null},
        {"step": "s2", "sequence": "1", "recovery": 0, "attempt": 2, "host": "s1", "status": "failure", "exit_code": 3, "signal": null, "result": {"a": 0.5, "b": [1, null]}, "message": "could not\u001b[2J link", "skipped": false, "ready_at": "2026-11-21T02:00:00.123Z", "started_at": "2026-11-21T02:00:00.623Z", "ended_at": "2026-11-21T02:00:01.823Z", "max_rss_kib": 2048, "cpu_seconds": 1.25, "log": "/var/log/s2"},
        {"step": "s3", "sequence": "1/2", "recovery": 0, "attempt": 1, "host": null, "status": "waiting", "exit_code": null, "signal": null, "result": null, "message": null, "skipped": false, "ready_at": null, "started_at": null, "ended_at": null, "max_rss_kib": null, "cpu_seconds": null, "log": null}],
       "loops": [
        {"loop": "sites", "sequence": "1", "status": "success", "iterations": 2, "ended": 2}],
       "events": [
        {"event": "run_s1", "sequence": "1", "recovery": 0, "triggered_at": "2026-11-21T02:00:00.123Z"}]}

      """#
    #expect(RunJSON.document(SampleReport.report) == expected)
  }

  @Test("Foundation reads back what was written")
  func parsed() throws {
    let document = RunJSON.document(SampleReport.report)
    let object = try #require(try JSONSerialization.jsonObject(with: Data(document.utf8)) as? [String: Any])
    #expect(Set(object.keys) == ["run", "tasks", "loops", "events"])
    let run = try #require(object["run"] as? [String: Any])
    #expect((run["parameters"] as? [String: Any])?["site"] as? String == "lab \"1\"")
    let tasks = try #require(object["tasks"] as? [[String: Any]])
    #expect(tasks.count == 4)
    #expect(tasks[2]["message"] as? String == "could not\u{1B}[2J link")
    #expect(tasks[3]["host"] is NSNull)
    #expect((object["events"] as? [Any])?.count == 1)
    let line = RunJSON.line(SampleReport.report)
    #expect(line.split(separator: "\n").count == 1)
    let again = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? NSDictionary
    #expect(again == object as NSDictionary)
  }

  @Test("lists and lone runs are documents, also when empty")
  func lists() throws {
    #expect(RunJSON.list([RunRecord]()) == "[]\n")
    let runs = RunJSON.list([SampleReport.run(.running), SampleReport.run(.cancelled, message: "by me@here")])
    let list = try #require(try JSONSerialization.jsonObject(with: Data(runs.utf8)) as? [[String: Any]])
    #expect(list.map { $0["message"] as? String } == [nil, "by me@here"])
    #expect(list[0]["waiting_for"] as? [String] == ["an agent on s9"])
    #expect(list[0]["created_by"] as? String == "me@here")
    #expect(RunJSON.document(SampleReport.run()).hasPrefix(#"{"run": {"id": "01JRUN""#))
  }

  @Test(
    "strings a terminal would act on are escaped, and come back whole",
    arguments: [
      "plain", "\u{1B}]0;x\u{07}", "\u{9B}31m", "a\u{202E}b", "tab\tline\nend\\ \"q\"", "日本 🎉 e\u{301}",
      "\u{E0041}",
    ])
  func strings(text: String) throws {
    var object = JSONObject()
    object.set("text", text)
    #expect(
      !object.line.unicodeScalars.contains {
        $0.value < 0x20 || (0x7F...0x9F).contains($0.value) || $0 == "\u{202E}"
      })
    let back = try JSONSerialization.jsonObject(with: Data(object.line.utf8)) as? [String: String]
    #expect(back == ["text": text])
  }

  @Test("a key set twice keeps its place")
  func keys() {
    var object: JSONObject = ["a": 1, "b": nil as String?]
    object.set("a", [true, false])
    #expect(object.line == #"{"a": [true, false], "b": null}"#)
    #expect(JSONObject().document == "{}\n")
  }
}
