import Testing

@Suite("Module boundaries")
struct ModuleBoundaryTests {
  let manifest: Manifest
  let sources: [Repository.File]

  init() throws {
    manifest = Manifest(text: try Repository.text(of: "Package.swift"))
    sources = try Repository.swiftSources()
  }

  @Test("every import is one that the table allows and that Package.swift declares")
  func importsKeepToTheTable() {
    #expect(!sources.isEmpty)
    for file in sources {
      guard let target = manifest.targets.first(where: { $0.path == "Sources/\(file.module)" }),
        let allowed = ModuleTable.allowed(in: target.name)
      else {
        Issue.record("\(file.path): the table has no row for Sources/\(file.module)")
        continue
      }
      for (index, line) in file.lines.enumerated() {
        for module in importedModules(in: line) {
          let place = "\(file.path):\(index + 1): \(target.name)"
          #expect(allowed.contains(module), "\(place) must not import \(module)")
          #expect(
            ModuleTable.systemModules.contains(module) || target.dependencies.contains(module),
            "\(place) imports \(module), which is not among its dependencies in Package.swift")
        }
      }
    }
  }

  @Test("the dependencies in Package.swift are those of the table")
  func manifestEqualsTheTable() {
    // CProcess and CFloor are our own code in C, and what the tests share isn't part of the program.
    let swiftTargets = manifest.targets.filter {
      $0.kind == .library && !["CProcess", "CFloor"].contains($0.name) && $0.path.hasPrefix("Sources/")
    }
    #expect(Set(swiftTargets.map(\.name)) == Set(ModuleTable.mayImport.keys))
    for target in swiftTargets {
      #expect(
        target.dependencies == ModuleTable.mayImport[target.name],
        "Package.swift:\(target.line): \(target.name) differs from the table")
    }
    // Helpers of tests are no part of the product.
    let executables = manifest.targets.filter { $0.kind == .executable && !$0.path.hasPrefix("Tests/") }
    #expect(Set(executables.map(\.name)) == ModuleTable.executables)
    for target in executables {
      let allowed = ModuleTable.composition.union(ModuleTable.inC[target.name] ?? [])
      let extra = target.dependencies.subtracting(allowed).sorted()
      #expect(extra.isEmpty, "Package.swift:\(target.line): \(target.name) may not depend on these")
    }
  }

  @Test("a comment line above every target says what it bans")
  func targetsAreExplained() {
    for target in manifest.targets {
      #expect(target.isExplained, "Package.swift:\(target.line): \(target.name) has no comment line above it")
    }
  }

  @Test(
    "an import is found whatever stands around it",
    arguments: [
      ("import X", ["X"]),
      ("  import X // why", ["X"]),
      ("@testable import X", ["X"]),
      ("public import X", ["X"]),
      ("@preconcurrency internal import X", ["X"]),
      ("internal @preconcurrency import X", ["X"]),
      ("@_spi(Tests) import X", ["X"]),
      ("import struct X.Y", ["X"]),
      ("private import func X.y", ["X"]),
      ("import X; import Y", ["X", "Y"]),
      ("// import X", []),
      ("let important = 1", []),
      ("important(X)", []),
    ])
  func importsAreFound(line: String, modules: [String]) {
    #expect(importedModules(in: line) == modules)
  }

  @Test("targets are read from a manifest with their dependencies and comments")
  func manifestIsRead() {
    let read = Manifest(
      text: """
        let package = Package(
          products: [.library(name: "P", targets: ["A"])],
          targets: [
            // Bans all.
            .target(name: "A", swiftSettings: strict),
            .target(
              name: "B", dependencies: ["A", .target(name: "C"), .product(name: "Q", package: "q")]),
            // Bans a second one.
            .executableTarget(name: "d", dependencies: ["B"], path: "Sources/e"),
            // System libraries.
            .systemLibrary(name: "F", pkgConfig: "f", providers: [.apt(["f-dev"])]),
            .systemLibrary(name: "G"),
            .testTarget(name: "H"),
          ]
        )
        """)
    #expect(
      read.targets == [
        .init(kind: .library, name: "A", path: "Sources/A", dependencies: [], line: 5, isExplained: true),
        .init(
          kind: .library, name: "B", path: "Sources/B", dependencies: ["A", "C", "Q"], line: 6,
          isExplained: false),
        .init(
          kind: .executable, name: "d", path: "Sources/e", dependencies: ["B"], line: 9, isExplained: true),
        .init(kind: .system, name: "F", path: "Sources/F", dependencies: [], line: 11, isExplained: true),
        .init(kind: .system, name: "G", path: "Sources/G", dependencies: [], line: 12, isExplained: true),
        .init(kind: .test, name: "H", path: "Tests/H", dependencies: [], line: 13, isExplained: false),
      ])
  }
}
