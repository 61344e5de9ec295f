import CommandSupport

await CommandMain.run(BenchCommand.self)
