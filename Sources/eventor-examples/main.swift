import EventorCommand

await EventorCommand.run([ClusterNotes.program])
