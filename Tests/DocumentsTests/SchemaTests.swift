import Foundation
import Model
import Testing

@testable import Documents

@Suite("Help and schema come from the table that is read by")
struct SchemaTests {
  @Test("every key is explained, with a type and an example", arguments: Schema.Kind.allCases)
  func everyKey(_ kind: Schema.Kind) throws {
    let paths = Schema.paths(of: kind)
    #expect(paths.count > 8)
    #expect(Set(paths).count == paths.count)
    for path in paths {
      let text = try #require(Schema.describe(kind, path: path))
      #expect(text.hasPrefix("\(path): "))
      #expect(text.contains("  type:    "))
      #expect(text.contains("  example: \(path.split(separator: ".").last ?? ""):"))
    }
  }

  @Test("one key in full")
  func oneKey() {
    #expect(
      Schema.describe(.program, path: "steps.retry.backoff") == """
        steps.retry.backoff: What each further delay is multiplied by.
          type:    a number
          default: 1
          example: backoff: 2.0
        """)
    #expect(
      Schema.describe(.program, path: "steps.build.retry.backoff")?.hasPrefix("steps.build.retry.backoff:")
        == true)
    #expect(Schema.describe(.program, path: "associations[].delay") != nil)
    #expect(Schema.describe(.program, path: "steps.retry.nothing") == nil)
    #expect(Schema.describe(.program, path: "stops") == nil)
    #expect(Schema.describe(.program, path: "")?.hasPrefix("keys of a program:\n  program") == true)
    #expect(Schema.describe(.program, path: "steps.results")?.contains("does not have yet") == true)
    #expect(Schema.describe(.config, path: "lock_for")?.contains("default: 30s") == true)
  }

  @Test("an example of a key of a step is accepted, or refused with its sentence")
  func examples() throws {
    for entry in StepKeys.section.table.entries {
      let text = """
        program: x
        parameters: {l: [1]}
        events: [run_s1, s1_done, s1_failed]
        groups: {builders: {hosts: [h]}}
        resources: {license: 1}
        steps:
          s0: {}
          s1: {}
          t: {\(entry.example)}
        """
      let errors = said(text).filter { $0.contains(" error: ") }
      switch entry.name {
      case "at_once", "wait": #expect(errors.count == 1 && errors[0].contains("only beside 'foreach'"))
      case _ where entry.isRefused: #expect(errors.count == 1 && errors[0].contains("does not have yet"))
      default: #expect(errors.isEmpty, "\(entry.name)")
      }
    }
  }

  @Test("the schemas are JSON, and know every key that is not refused")
  func schemas() throws {
    let schema = try JSONDecoder().decode(JSONValue.self, from: Data(Schema.programJSONSchema().utf8))
    #expect(
      schema.value(
        at: "properties.steps.additionalProperties.properties.retry.properties.backoff".split(separator: "."))
        != nil)
    #expect(schema.value(at: ["required"[...], "0"[...]]) == .string("program"))
    guard case .object(let properties) = schema.value(at: ["properties"[...]]) else {
      Issue.record("no properties")
      return
    }
    let known = ProgramKeys.section.table.entries.filter { !$0.isRefused }.map(\.name)
    #expect(Set(properties.keys) == Set(known))
    #expect(
      schema.value(at: "properties.steps.additionalProperties.properties.results".split(separator: "."))
        == nil
    )
    let config = try JSONDecoder().decode(JSONValue.self, from: Data(Schema.configJSONSchema().utf8))
    #expect(config.value(at: "properties.databases.additionalProperties".split(separator: ".")) != nil)
  }
}
