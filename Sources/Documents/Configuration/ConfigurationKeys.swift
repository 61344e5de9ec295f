import Model

/// The keys of a configuration file.
enum ConfigurationKeys {
  static let section = Section<Configuration>(
    "config",
    [
      Key(
        "store", optional: \.store, .text,
        default: "sqlite: beside the program file, or in the home directory",
        example: "store: postgresql://eventor@db1/eventor",
        "The database: a URL, or a tag under databases."),
      Key(
        "databases", \.databases, .map(of: .text),
        example: "databases: {prod: postgresql://eventor:secret:prod@db1/eventor, lab: secret:lab}",
        "URLs of databases by tag; secret:NAME stands for a password, or a whole URL, of the vault."),
      Key(
        "log_dir", optional: \.logDirectory, .text, default: "under the work directory",
        example: "log_dir: /var/log/eventor", "Where the output of steps is kept."),
      Key(
        "work_dir", optional: \.workDirectory, .text, default: "~/.local/state/eventor",
        example: "work_dir: /var/lib/eventor", "Where agents keep what they need while steps run."),
      Key(
        "max_concurrent", optional: \.maxConcurrent, .integer, default: "4 x cores",
        example: "max_concurrent: 8",
        "Steps at once on this host."),
      Key(
        "lock_for", optional: \.lockFor, .duration, default: "30s", example: "lock_for: 1m",
        "How long an agent's lock on a task lasts unless it is renewed."),
      Key(
        "poll", optional: \.poll, .duration, default: "1s", example: "poll: 5s",
        "How often an idle agent looks for work when nothing wakes it."),
      Key(
        "host", optional: \.host, .text, default: "the short host name", example: "host: s1",
        "The name of this host, as steps name it."),
      Key(
        "retention", optional: \.retention, .duration, default: "for ever", example: "retention: 30d",
        "How long ended runs are kept; agents remove older ones."),
      Key(
        "labels", \.labels, .map(of: .text), example: "labels: {os: linux, cpu: x86}",
        "Labels of this host's agent: groups with match find it by them."),
      Key(
        "grace", optional: \.grace, .duration, default: "5s", example: "grace: 1m",
        "How long an agent that is told to stop waits for running steps before it hands them over."),
    ])
}
