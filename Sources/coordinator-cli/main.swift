import CommandSupport

await CommandMain.run(CoordinatorCommand.self)
