// swift-tools-version: 6.1
import PackageDescription

// Fault points (docs/architecture.md, "Tests") are compiled in only where this trait is on.
let strict: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .define("FAULT_POINTS", .when(traits: ["FaultPoints"])),
]

let package = Package(
  name: "eventor",
  products: [
    .executable(name: "coordinator", targets: ["coordinator"]),
    .executable(name: "eventor-agent", targets: ["eventor-agent"]),
    .executable(name: "eventor-bench", targets: ["eventor-bench"]),
    .library(name: "Eventor", targets: ["Eventor"]),
    .library(name: "EventorCommand", targets: ["EventorCommand"]),
    .library(name: "UpdateLoops", targets: ["UpdateLoops"]),
    .library(name: "Workload", targets: ["Workload"]),
  ],
  traits: [
    .trait(name: "FaultPoints", description: "Named places where tests crash, pause or cut off the engine.")
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
  ],
  targets: [
    // Bans everything: programs, events, steps, runs and their legal transitions are values.
    .target(name: "Model", swiftSettings: strict),
    // Bans cron lines, time zones and changes of clocks anywhere else; reads no clock itself.
    .target(name: "Calendars", swiftSettings: strict),
    // Bans SQL, processes and files: decisions, and the ports a store must offer.
    .target(name: "Engine", dependencies: ["Model"], swiftSettings: strict),
    // Bans executors, timers and retry loops anywhere else.
    .target(name: "Runtime", swiftSettings: strict),
    // Bans a second hash function, and keys: it hashes public bytes only.
    .target(name: "Digest", dependencies: ["CSodium"], swiftSettings: strict),
    // Bans keys and passwords in the clear anywhere else: the vault's encryption, its key files, memory for secrets.
    .target(name: "Secrets", dependencies: ["CSodium"], swiftSettings: strict),
    // Bans SSH anywhere else; knows hosts, keys, commands and files, and nothing of programs.
    .target(name: "Transport", dependencies: ["Runtime", "Digest", "CSSH2"], swiftSettings: strict),
    // Bans C clients and the domain from connections, statements, pool and migrator.
    .target(name: "Database", dependencies: ["Runtime", "Digest"], swiftSettings: strict),
    // Bans pointers of the database clients outside it.
    .target(
      name: "Drivers", dependencies: ["Database", "Runtime", "CSQLite", "CPostgres", "CMySQL"],
      swiftSettings: strict),
    // Bans the step engine's SQL anywhere else; can't name a driver.
    .target(
      name: "Storage", dependencies: ["Model", "Calendars", "Engine", "Database", "Digest"],
      swiftSettings: strict),
    // Bans the step engine from the documents that keep changing: their rules and SQL, on any driver.
    .target(name: "Workload", dependencies: ["Database", "Digest"], swiftSettings: strict),
    // Bans the step engine from update loops: which ids come next, and their SQL, on any driver.
    .target(name: "UpdateLoops", dependencies: ["Database", "Runtime"], swiftSettings: strict),
    // Bans parsing of files people write anywhere else.
    .target(
      name: "Documents", dependencies: ["Model", "Calendars", "Digest", "Yams"], swiftSettings: strict),
    // Bans opening a store: it is given one; claims, processes and locks live here.
    .target(
      name: "Agent",
      dependencies: [
        "Model", "Engine", "Runtime", "Digest", "CProcess", .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: strict),
    // Bans files and commands from programs written in Swift: their events, steps as functions, and runs.
    .target(
      name: "Eventor",
      dependencies: [
        "Model", "Engine", "Runtime", "Database", "Drivers", "Storage", "Agent",
        .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: strict),
    // Bans printing: the use cases behind the commands return values and text.
    .target(
      name: "Coordinator", dependencies: ["Model", "Engine", "Documents", "Secrets", "Transport"],
      resources: [.embedInCode("Examples")], swiftSettings: strict),
    // Bans a second terminal, log or exit code: what the executables share, and no command.
    .target(
      name: "CommandSupport",
      dependencies: [
        "Model", "Engine", "Runtime", "Database", "Drivers", "Storage", "Documents", "Agent",
        "Coordinator", "Secrets", .product(name: "Logging", package: "swift-log"),
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: strict),
    // Bans commands from the library: what the executable of a program written in Swift offers on a command line.
    .target(
      name: "EventorCommand",
      dependencies: [
        "Model", "Engine", "Storage", "Documents", "Agent", "Coordinator", "CommandSupport", "Eventor",
        .product(name: "Logging", package: "swift-log"),
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: strict),
    // Composition, argument parsing and the terminal; no rule of the domain.
    .executableTarget(
      name: "coordinator",
      dependencies: [
        "Model", "Engine", "Runtime", "Database", "Drivers", "Storage", "Documents", "Agent",
        "Coordinator", "CommandSupport", "Secrets", "Transport", "UpdateLoops", "Workload",
        .product(name: "Logging", package: "swift-log"),
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      path: "Sources/coordinator-cli",
      swiftSettings: strict),
    // The daemon of a node: composition and argument parsing; no rule of the domain.
    .executableTarget(
      name: "eventor-agent",
      dependencies: [
        "Model", "Engine", "Runtime", "Database", "Drivers", "Storage", "Documents", "Agent",
        "CommandSupport", .product(name: "Logging", package: "swift-log"),
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: strict),
    // Programs written in Swift, to read and to run: nothing but the library and its command.
    .executableTarget(name: "eventor-examples", dependencies: ["EventorCommand"], swiftSettings: strict),
    // Measures, beside the floor of the same run; no rule of the domain.
    .executableTarget(
      name: "eventor-bench",
      dependencies: [
        "Model", "Engine", "Runtime", "Database", "Drivers", "Storage", "Documents", "Agent",
        "CommandSupport", "Secrets", "UpdateLoops", "Eventor", "CFloor",
        .product(name: "Logging", package: "swift-log"),
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: strict),

    // System libraries, one module map each: who may import which is in the targets above.
    .systemLibrary(name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
    .systemLibrary(name: "CPostgres", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
    .systemLibrary(name: "CMySQL", pkgConfig: "libmariadb", providers: [.apt(["libmariadb-dev"])]),
    .systemLibrary(name: "CSodium", pkgConfig: "libsodium", providers: [.apt(["libsodium-dev"])]),
    .systemLibrary(name: "CSSH2", pkgConfig: "libssh2", providers: [.apt(["libssh2-1-dev"])]),
    // Bans fork and exec anywhere else: the keeper, which starts steps and outlives its agent.
    .target(name: "CProcess"),
    // Bans all of ours: what eventor-bench measures beside us, in bare loops on the C clients and posix_spawn.
    .target(name: "CFloor", dependencies: ["CSQLite", "CPostgres", "CMySQL"]),

    // Holds the files against the table of modules and the house rules.
    .testTarget(name: "ContractTests", swiftSettings: strict),
    // The protocol of locks as a small model, searched exhaustively: it knows none of our modules.
    .testTarget(name: "LockModelTests", swiftSettings: strict),
    // Random programs and what they must come to, by a second opinion that knows neither plan nor engine.
    .testTarget(
      name: "PropertyTests",
      dependencies: ["Model", "Engine", "Storage", "Database", "Drivers", "TestSupport"],
      swiftSettings: strict),
    // What people and programs read: JSON, tables, progress, recaps and graphs, by values alone.
    .testTarget(name: "RenderingTests", dependencies: ["Coordinator", "Model"], swiftSettings: strict),
    // An agent to be killed: launches a keeper, starts steps, and waits for the end; also measures.
    .executableTarget(
      name: "keeper-probe", dependencies: ["Agent"], path: "Tests/KeeperProbe", swiftSettings: strict),
    // The keeper with real processes.
    .testTarget(
      name: "ProcessTests",
      dependencies: ["Agent", "CProcess", "Engine", "Model", "Runtime", "keeper-probe"],
      swiftSettings: strict),
    // The values and rules of the domain, without files.
    .testTarget(name: "ModelTests", dependencies: ["Model"], swiftSettings: strict),
    // Cron lines and time zones against independent implementations.
    .testTarget(
      name: "CalendarsTests", dependencies: ["Calendars"], exclude: ["firings-2025.txt"],
      swiftSettings: strict),
    // Files people write: what they mean, what is wrong in them and where, and that none does harm.
    .testTarget(name: "DocumentsTests", dependencies: ["Documents", "Model"], swiftSettings: strict),
    // The databases tests run on, each test on a fresh store.
    .target(
      name: "TestSupport", dependencies: ["Database", "Drivers"], path: "Tests/TestSupport",
      swiftSettings: strict),
    // Measures wake-ups: not a test, and no part of the product.
    .executableTarget(
      name: "wake-probe", dependencies: ["Database", "Drivers", "TestSupport"], path: "Tests/WakeProbe",
      swiftSettings: strict),
    // Drivers, pool and migrator, one suite for all three databases.
    .testTarget(
      name: "DatabaseTests", dependencies: ["Database", "Drivers", "Runtime", "TestSupport"],
      swiftSettings: strict),
    // Programs in Swift to be run, killed and taken over: no part of the product.
    .executableTarget(
      name: "step-probe", dependencies: ["EventorCommand"], path: "Tests/StepProbe", swiftSettings: strict),
    // The command as people and scripts call it: answers, exit codes, what steps see, and every kind of bad input.
    .testTarget(
      name: "CommandTests",
      dependencies: [
        "coordinator", "eventor-agent", "eventor-bench", "step-probe", "Model", "Database", "Drivers",
        "TestSupport",
      ],
      swiftSettings: strict),
    // The library: what is built, what functions in process come to, its examples, and what its articles say.
    .testTarget(
      name: "EventorTests",
      dependencies: [
        "Eventor", "EventorCommand", "Model", "Documents", "Database", "Drivers", "TestSupport",
        "coordinator", "eventor-examples",
      ],
      swiftSettings: strict),
    // The rules of the engine on runs in memory: no store, no clock.
    .testTarget(name: "EngineTests", dependencies: ["Documents", "Engine", "Model"], swiftSettings: strict),
    // The step engine's store, one suite for all three databases, and what its statements cost under history.
    .testTarget(
      name: "StorageTests",
      dependencies: ["Database", "Documents", "Drivers", "Engine", "Model", "Storage", "TestSupport"],
      swiftSettings: strict),
    // Documents, ranges, turns and interruptions of the workload, one suite for all three databases.
    .testTarget(
      name: "WorkloadTests", dependencies: ["Database", "Drivers", "TestSupport", "Workload"],
      swiftSettings: strict),
    // Update loops, one suite for all three databases, and beside workers of another language.
    .testTarget(
      name: "UpdateLoopsTests", dependencies: ["Database", "Drivers", "TestSupport", "UpdateLoops"],
      swiftSettings: strict),
    // Every way in which a vault, a key or an export can be wrong, and the moments of a rotation.
    .testTarget(
      name: "SecretsTests", dependencies: ["Coordinator", "Documents", "Secrets"], swiftSettings: strict),
    // SSH with real servers on loopback, and with hostile ones.
    .testTarget(
      name: "TransportTests", dependencies: ["Transport", "Digest", "coordinator", "TestSupport"],
      swiftSettings: strict),
    // The coordinator, its database and its connections killed and cut off at every moment.
    .testTarget(
      name: "CrashTests", dependencies: ["Database", "Drivers", "Engine", "TestSupport"],
      swiftSettings: strict),
  ],
  swiftLanguageModes: [.v6]
)
