public import Model

extension Program.Step {
  /// Every text of the step in which `${…}` may stand.
  public var templates: [String] {
    var texts: [String] = []
    switch action {
    case .run(let arguments): texts += arguments
    case .shell(let line): texts.append(line)
    case .function, .empty: break
    }
    texts += environment.values
    texts += [host, workingDirectory, user].compactMap { $0 }
    return texts + (precondition ?? [])
  }

  /// The steps whose results it refers to.
  public var referredResults: [String] {
    var names: [String] = []
    if case .function(let call) = action { names = call.reads }
    for text in templates {
      for case .result(let step, _) in Template(text).references where !names.contains(step) {
        names.append(step)
      }
    }
    return names
  }
}
