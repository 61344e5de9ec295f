import EventorCommand

// `eventor-examples NAME COMMAND`: with several programs in one executable, the first word names the program.
await EventorCommand.run([
  ClusterNotes.program, BuildAndTest.program, DataPipeline.program, NestedLoops.program, Nightly.program,
  Release.program, SimulationFarm.program, WordCount.program(),
])
