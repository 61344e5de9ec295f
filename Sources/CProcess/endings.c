// What becomes of steps: what their minders report, and who of our children has ended.
#include "keeper.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

// MARK: Telling

void answer(struct keeper *keeper, const struct step *step, uint32_t kind) {
  if (!keeper->has_agent) return;
  outbox_add(&keeper->outbox, &(evk_answer){
    .ticket = step->ticket, .kind = kind, .pid = step->pid, .start_time = step->start_time,
    .error = step->error, .phase = step->phase, .cause = step->cause, .value = step->value,
    .core_dumped = step->core_dumped, .max_resident_kib = step->max_resident_kib,
    .user_us = step->user_us, .system_us = step->system_us, .wall_us = step->wall_us,
    .cut_off = step->cut_off, .out_of_memory = step->out_of_memory, .out_of_reach = step->out_of_reach});
}

// An agent that does not read must not keep us from waiting for its steps, nor from guarding them: what it has to be
// told stays with the step until there is room.
static void owe(struct keeper *keeper, struct step *step) {
  if (!keeper->has_agent || step->is_owed) return;
  step->is_owed = true;
  step->next_owed = NULL;
  if (keeper->last_owed) keeper->last_owed->next_owed = step;
  else keeper->first_owed = step;
  keeper->last_owed = step;
}

bool is_gone(const struct step *step) {
  return step->is_published && step->child == 0;
}

// Beyond the limit only the journal remembers, and can no longer be written anew from memory.
static void let_go(struct keeper *keeper, struct step *step) {
  if (!is_gone(step) || step->is_owed || step->is_due) return;
  if (!step->is_recorded) {
    if (keeper->steps.finished <= STEPS_KEPT || step->is_unwritten) return;
    keeper->journal.complete = false;
  }
  steps_forget(&keeper->steps, step);
}

void tell_owed(struct keeper *keeper) {
  struct step *step;
  while ((step = keeper->first_owed) && outbox_has_room(&keeper->outbox)) {
    if (step->owes_start) {
      step->owes_start = false;
      answer(keeper, step, EVK_STARTED);
    } else if (step->owes_end) {
      step->owes_end = false;
      answer(keeper, step, step->state == STEP_NOT_STARTED ? EVK_NOT_STARTED : EVK_ENDED);
    }
    if (step->owes_end) continue;
    keeper->first_owed = step->next_owed;
    if (!keeper->first_owed) keeper->last_owed = NULL;
    step->is_owed = false;
    let_go(keeper, step);
  }
}

void forget_owed(struct keeper *keeper) {
  struct step *step;
  while ((step = keeper->first_owed)) {
    keeper->first_owed = step->next_owed;
    step->is_owed = step->owes_start = step->owes_end = false;
    let_go(keeper, step);
  }
  keeper->last_owed = NULL;
}

void publish(struct keeper *keeper, struct step *step) {
  steps_published(&keeper->steps, step);
  journal_note(&keeper->journal, &keeper->steps, step);
  step->owes_end = true;
  owe(keeper, step);
}

void not_started(struct keeper *keeper, struct step *step, struct failure failure) {
  step->error = failure.error;
  step->phase = failure.phase;
  step->state = STEP_NOT_STARTED;
  deadlines_remove(keeper, step);
  publish(keeper, step);
}

// MARK: Learning

static void started(struct keeper *keeper, struct step *step, const struct report *report) {
  step->pid = report->pid;
  step->start_time = report->start_time;
  step->state = STEP_RUNNING;
  journal_note(&keeper->journal, &keeper->steps, step);
  step->owes_start = true;
  owe(keeper, step);
  // It was told to end before it was there.
  if (step->stage == STAGE_TOLD) (void)deadlines_signal(step, SIGTERM, true);
}

static void ended(struct keeper *keeper, struct step *step, int status) {
  step->cause = WIFSIGNALED(status) ? EVK_SIGNALLED : EVK_EXITED;
  step->value = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
  step->core_dumped = WIFSIGNALED(status) && WCOREDUMP(status);
  step->state = STEP_ENDED;
  // One that was told to end ends when nothing of it is left.
  if (step->stage == STAGE_LIVING) publish(keeper, step);
}

static void take_report(struct keeper *keeper, const struct report *report) {
  struct step *step = steps_find(&keeper->steps, report->ticket);
  if (!step || step->is_published) return;
  switch (report->kind) {
  case REPORT_STARTED:
    if (step->state == STEP_ANNOUNCED) started(keeper, step, report);
    break;
  case REPORT_NOT_STARTED:
    not_started(keeper, step, (struct failure){.error = report->error, .phase = report->phase});
    break;
  case REPORT_ENDED:
    step->wall_us = report->wall_us;
    step->ended_epoch_us = report->ended_epoch_us;
    step->max_resident_kib = report->max_resident_kib;
    step->user_us = report->user_us;
    step->system_us = report->system_us;
    step->out_of_memory = report->out_of_memory;
    ended(keeper, step, report->status);
    break;
  default:
    break;
  }
}

void take_reports(struct keeper *keeper) {
  struct report reports[64];
  ssize_t size;
  do {
    size = read(keeper->reports, reports, sizeof reports);
    for (size_t i = 0; size > 0 && i < (size_t)size / sizeof *reports; i++) take_report(keeper, &reports[i]);
  } while (size == (ssize_t)sizeof reports || (size < 0 && errno == EINTR));
}

static void gone(struct keeper *keeper, struct step *step) {
  steps_set_child(&keeper->steps, step, 0);
  keeper->must_look_at_waiters = true;
  if (!step->is_published) publish(keeper, step);
  deadlines_remove(keeper, step);
  let_go(keeper, step);
}

static bool is_child(pid_t pid) {
  siginfo_t info;
  return pid > 0 && waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

// Somebody has killed the minder: what it had falls to us, who are a reaper too, but what the step starts from now on
// can no longer be told from that of others if it hides.
static void minder_killed(struct keeper *keeper, struct step *step, const struct minding *minding) {
  evk_root root = {.ticket = step->ticket};
  if (step->is_published) {
    if (step->stage != STAGE_LIVING) (void)evk_kill_tree(&root, 1, SIGKILL);
    return gone(keeper, step);
  }
  if (step->state == STEP_ANNOUNCED && minding->failure.phase == EVK_PHASE_NONE && is_child(minding->main_process)) {
    struct report report = {.pid = minding->main_process};
    report.start_time = evk_process_start_time(report.pid);
    started(keeper, step, &report);
  }
  if (step->state == STEP_RUNNING && is_child(step->pid)) return steps_set_child(&keeper->steps, step, step->pid);
  steps_set_child(&keeper->steps, step, 0);
  if (step->state == STEP_RUNNING) {
    // The minder had waited for it and was killed before it could say so.
    ended(keeper, step, SIGKILL);
  } else if (step->state == STEP_ANNOUNCED) {
    // Whether it was started is unknown, so it must not have been.
    (void)evk_kill_tree(&root, 1, SIGKILL);
    not_started(keeper, step, (struct failure){.error = EOWNERDEAD, .phase = EVK_PHASE_FORK});
  }
  // One that was told to end is looked for by its mark.
  if (step->stage == STAGE_LIVING || step->is_published) gone(keeper, step);
}

static void child_ended(struct keeper *keeper, struct step *step, int status, const struct rusage *usage) {
  if (step->minding) {
    // It has written its last report, perhaps a moment ago.
    take_reports(keeper);
    struct minding *minding = step->minding;
    step->minding = NULL;
    if (WIFSIGNALED(status)) minder_killed(keeper, step, minding);
    else gone(keeper, step);
    return minding_free(minding);
  }
  struct timespec epoch;
  clock_gettime(CLOCK_REALTIME, &epoch);
  step->ended_epoch_us = (int64_t)epoch.tv_sec * 1000000 + epoch.tv_nsec / 1000;
  step->max_resident_kib = usage->ru_maxrss;
  step->user_us = (int64_t)usage->ru_utime.tv_sec * 1000000 + usage->ru_utime.tv_usec;
  step->system_us = (int64_t)usage->ru_stime.tv_sec * 1000000 + usage->ru_stime.tv_usec;
  steps_set_child(&keeper->steps, step, 0);
  ended(keeper, step, status);
  // What carries its mark is looked for as long as it is being ended.
  if (step->stage == STAGE_LIVING) gone(keeper, step);
}

void reap(struct keeper *keeper) {
  for (;;) {
    int status;
    struct rusage usage;
    pid_t pid = wait4(-1, &status, WNOHANG | __WALL, &usage);
    if (pid < 0 && errno == EINTR) continue;
    if (pid <= 0) break;
    struct step *step = steps_find_child(&keeper->steps, pid);
    // An orphan of a step whose minder was killed, otherwise.
    if (step) child_ended(keeper, step, status, &usage);
  }
  keeper->must_reap = false;
}
