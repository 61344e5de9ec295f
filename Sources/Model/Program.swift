/// A program: a graph of events and steps, as its author wrote it.
///
/// The value is what a file or the Swift library says, names not yet resolved; ``Plan`` is the form that runs.
public struct Program: Sendable, Hashable, Codable {
  /// The program's name.
  public var name: String
  /// Free text.
  public var description: String?
  /// What may be set from outside, in the order written.
  public var parameters: [Parameter] = []
  /// Settings of the whole program.
  public var config = Config()
  /// Named sets of hosts with properties their member steps inherit.
  public var groups: [Group] = []
  /// What steps acquire before they start.
  public var resources: [Resource] = []
  /// The events.
  public var events: [Event] = []
  /// The steps.
  public var steps: [Step] = []
  /// The loops.
  public var loops: [Loop] = []
  /// The long form of `on`.
  public var associations: [Association] = []
  /// What a new run triggers; nil: every event that nothing raises, in sequence `1`.
  public var start: [Start]?
  /// When runs start by themselves. Nil where there is nothing, as in programs stored before there were schedules:
  /// an empty list would be other content, and another version.
  public var schedule: [Schedule]?

  /// An empty program called `name`.
  public init(name: String) { self.name = name }

  /// `config:` of a program.
  public struct Config: Sendable, Hashable, Codable {
    /// Tasks of one run at once over all hosts; 0 is no limit.
    public var maxConcurrent = 0
    /// Whether an unhandled failure keeps new tasks from starting.
    public var stopOnFailure = true
    /// What the names of a step's environment variables begin with.
    public var environmentPrefix = "EVENTOR_"
    /// Where steps without a place of their own run.
    public var defaultHost: String?
    /// The longest a run may take.
    public var timeout: TimeSpan?
    /// The longest a run may wait for its first task to start.
    public var queueTimeout: TimeSpan?

    /// The defaults.
    public init() {}
  }

  /// A value that may be set when a run starts.
  public struct Parameter: Sendable, Hashable, Codable {
    /// What a value may be.
    public enum Kind: String, Sendable, Codable, CaseIterable {
      case string, integer, number, boolean, list, object, any
    }
    /// The name, used as `${param.NAME}`.
    public var name: String
    /// The type values must have.
    public var kind: Kind
    /// The value without `--param`; nil when there is none.
    public var defaultValue: JSONValue?
    /// Whether a run can't start without a value.
    public var required = false
    /// The only values allowed, if said.
    public var choices: [JSONValue]?
    /// What it is for.
    public var description: String?
    /// Whether the value is kept from argv, logs, status and the database.
    public var secret = false

    /// A parameter called `name`.
    public init(name: String, kind: Kind, defaultValue: JSONValue? = nil) {
      self.name = name
      self.kind = kind
      self.defaultValue = defaultValue
    }
  }

  /// A named set of hosts; its properties apply to member steps that don't say otherwise.
  public struct Group: Sendable, Hashable, Codable {
    /// The name.
    public var name: String
    /// The hosts any of which may take a member's task.
    public var hosts: [String] = []
    /// Labels that an agent must have to take a member's task, instead of a list of hosts.
    public var match: [String: String]?
    /// Added to the environment of member steps.
    public var environment: [String: String] = [:]
    /// Working directory of member steps.
    public var workingDirectory: String?
    /// User of member steps.
    public var user: String?
    /// Timeout of member steps.
    public var timeout: TimeSpan?
    /// Tasks of the group at once over all runs and hosts; 0 is no limit.
    public var maxConcurrent = 0

    /// A group called `name`.
    public init(name: String) { self.name = name }
  }

  /// Something of which there is only so much.
  public struct Resource: Sendable, Hashable, Codable {
    /// Over what the capacity is counted.
    public enum Scope: String, Sendable, Codable, CaseIterable {
      /// One run.
      case program
      /// All runs on one host.
      case host
      /// All runs in the database.
      case cluster
    }
    /// The name.
    public var name: String
    /// How much there is.
    public var capacity: Int
    /// Over what it is counted.
    public var scope: Scope
    /// A command that prints how many are free outside; both that and the capacity must allow.
    public var sensor: [String]?
    /// How often the sensor is asked; nil is 30 s.
    public var every: TimeSpan?

    /// A resource called `name`.
    public init(name: String, capacity: Int, scope: Scope) {
      self.name = name
      self.capacity = capacity
      self.scope = scope
    }
  }

  /// What asks outside how many of a resource are free.
  public struct Sensor: Sendable, Hashable {
    /// The command.
    public let command: [String]
    /// How often it is asked.
    public let every: TimeSpan
  }

  /// Something that happens at most once per sequence.
  public struct Event: Sendable, Hashable, Codable {
    /// The name.
    public var name: String
    /// The condition that triggers it, if it is an expression event.
    public var when: Expression?
    /// Whether it is raised from outside.
    public var external = false

    /// An event called `name`.
    public init(name: String, when: Expression? = nil, external: Bool = false) {
      self.name = name
      self.when = when
      self.external = external
    }
  }

  /// What an event starts, perhaps after a delay.
  public struct Association: Sendable, Hashable, Codable {
    /// The event.
    public var event: String
    /// Events, steps and loops it starts.
    public var targets: [String]
    /// How long after the event.
    public var delay: TimeSpan

    /// `event` starts `targets` after `delay`.
    public init(event: String, targets: [String], delay: TimeSpan = .zero) {
      self.event = event
      self.targets = targets
      self.delay = delay
    }
  }

  /// An event that a new run triggers.
  public struct Start: Sendable, Hashable, Codable {
    /// The event.
    public var event: String
    /// In which sequence.
    public var sequence: Sequence

    /// Triggers `event` in `sequence`.
    public init(event: String, sequence: Sequence = .first) {
      self.event = event
      self.sequence = sequence
    }
  }
}

extension Program.Resource {
  /// Its sensor with the pause between two readings, if it has one.
  public var sensing: Program.Sensor? {
    sensor.map { Program.Sensor(command: $0, every: every ?? TimeSpan(seconds: 30)) }
  }
}

extension Program {
  /// The program with its named parts in the order of their names: the same for two files that differ only in the
  /// order of keys. Versions are digests of this form.
  public var orderedByName: Program {
    var ordered = self
    ordered.parameters.sort { $0.name < $1.name }
    ordered.groups.sort { $0.name < $1.name }
    ordered.resources.sort { $0.name < $1.name }
    ordered.events.sort { $0.name < $1.name }
    ordered.steps.sort { $0.name < $1.name }
    ordered.loops.sort { $0.name < $1.name }
    ordered.schedule?.sort { $0.name < $1.name }
    return ordered
  }
}
