/// Schedules, but for their cron lines and time zones, which need a calendar.
extension Validation {
  mutating func checkSchedules() {
    guard let schedules = program.schedule else { return }
    var seen: Set<String> = []
    for (position, schedule) in schedules.enumerated() {
      let path = "schedule[\(position)]"
      if !Name.isValid(schedule.name) || schedule.name.utf8.count > Program.Schedule.maximumNameLength {
        error(
          path + ".name",
          "'\(schedule.name)' is not a valid name of a schedule; use 1 to \(Program.Schedule.maximumNameLength) "
            + "of A-Z a-z 0-9 _ . -")
      }
      if !seen.insert(schedule.name).inserted {
        error(path + ".name", "two schedules are called '\(schedule.name)'")
      }
      expectEvent(schedule.event, at: path + ".event")
      if let limit = schedule.lateAfter, limit <= .zero {
        error(path + ".late_after", "'late_after' must be more than 0")
      }
    }
    guard !schedules.isEmpty, let parameter = program.parametersNoScheduleCanGive.first else { return }
    error(
      "schedule",
      "no schedule could start a run: parameter '\(parameter.name)' is required; give it a default")
  }
}
