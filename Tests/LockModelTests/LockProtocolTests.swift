import Testing

@Suite("The protocol of locks")
struct LockProtocolTests {
  @Test(
    "in every world that can come to be nothing is broken, and there is a way to the end",
    arguments: Setting.searched)
  func protocolHolds(_ setting: Setting) {
    let result = Search(setting).run()
    #expect(result.finding == nil, "\(result.finding?.text ?? "")")
    for kind in setting.promised {
      #expect(result.kinds & kind.bit != 0, "\(kind) never happened: the setting is not what it says")
    }
  }

  @Test("without a safeguard the search finds what it is there for", arguments: BrokenVariant.all)
  func everySafeguardIsNeeded(_ variant: BrokenVariant) throws {
    let result = Search(variant.setting, .without(variant.safeguard)).run()
    let finding = try #require(result.finding, "\(result.worlds) worlds, and nothing wrong in any")
    #expect(finding.what == variant.finding, "\(finding.text)")
  }

  @Test("each safeguard has its broken variant")
  func variantsAreComplete() {
    #expect(BrokenVariant.all.map(\.safeguard.rawValue).sorted() == Safeguard.allCases.map(\.rawValue))
  }

  @Test(
    "what the protocol relies on is needed: without it two processes may run", arguments: Assumption.allCases)
  func everyAssumptionIsNeeded(_ assumption: Assumption) throws {
    let setting = Setting.stopped.with {
      $0.slowAnswers = false
      $0.broken = assumption
    }
    let finding = try #require(Search(setting).run().finding)
    let expected: [Breach] = [.twoProcesses, .startAfterTheEnd]
    #expect(expected.map(\.sentence).contains(finding.what), "\(finding.text)")
  }
}
