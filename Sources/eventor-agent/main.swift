import CommandSupport

await CommandMain.run(AgentCommand.self)
