import EventorCommand

/// Programs whose functions do what they are told, for tests of what becomes of them.
await EventorCommand.run([
  Probe.acts("acts", StepOptions()), Probe.acts("child-acts", .child), Probe.seed, Probe.watched,
  Probe.broken,
])
