// When steps must end: guards, by which a step is dead before its lock in the store expires even if its agent is stuck,
// stopped, killed or cut off from the store; and stops, which the agent asks for. A step that was told to end is
// followed until nothing of it is left, whoever is still there to ask for it.
//
// Times are microseconds of CLOCK_BOOTTIME, which goes on while the host sleeps: a lock in a database expires then too.
#include "keeper.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define NEVER INT64_MAX
// Between the first passes with SIGKILL, and the longest it grows to: a process may take a while to leave the kernel.
#define FIRST_PAUSE 5000
#define LONGEST_PAUSE 500000

static int64_t due_at(const struct step *step) {
  switch (step->stage) {
  case STAGE_LIVING:
    if (step->terminate_at > 0 && (step->kill_at <= 0 || step->terminate_at < step->kill_at)) {
      return step->terminate_at;
    }
    return step->kill_at > 0 ? step->kill_at : NEVER;
  case STAGE_TOLD: return step->kill_at > 0 ? step->kill_at : NEVER;
  case STAGE_DYING: return step->next_pass_at;
  }
  return NEVER;
}

static void list(struct keeper *keeper, struct step *step) {
  if (!step->is_due) {
    step->is_due = true;
    step->previous_due = NULL;
    step->next_due = keeper->first_due;
    if (step->next_due) step->next_due->previous_due = step;
    keeper->first_due = step;
  }
  int64_t at = due_at(step);
  if (at < keeper->next_due) keeper->next_due = at;
}

// The time of the next may now be too early: that costs one look at the list.
void deadlines_remove(struct keeper *keeper, struct step *step) {
  if (!step->is_due) return;
  step->is_due = false;
  if (step->previous_due) step->previous_due->next_due = step->next_due;
  else keeper->first_due = step->next_due;
  if (step->next_due) step->next_due->previous_due = step->previous_due;
}

void deadlines_set(struct keeper *keeper, struct step *step, int64_t terminate_at, int64_t kill_at) {
  // Who has been told to end can't be told otherwise; nor does anything remain to be guarded.
  if (step->stage != STAGE_LIVING || is_gone(step) || step->is_recorded) return;
  step->terminate_at = terminate_at;
  step->kill_at = kill_at;
  if (due_at(step) == NEVER) deadlines_remove(keeper, step);
  else list(keeper, step);
}

static void kill_cgroup(const char *path) {
  char file[4096];
  int length = snprintf(file, sizeof file, "%s/cgroup.kill", path);
  if (length <= 0 || (size_t)length >= sizeof file) return;
  int fd = open(file, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return;
  // It reaches those at once that a walk would have to catch while they fork.
  (void)!write(fd, "1", 1);
  close(fd);
}

struct tally deadlines_signal(struct step *step, int signal, bool then_continue) {
  struct tally tally = {0, 0};
  if (step->minding) {
    const char *cgroup = step->minding->request.cgroup;
    if (signal == SIGKILL && cgroup[0] != 0) kill_cgroup(cgroup);
    if (tree_signal(step->child, signal, then_continue, &tally) == 0) return tally;
  }
  evk_root root = {.ticket = step->ticket, .pid = step->state == STEP_RUNNING ? step->pid : 0,
                   .start_time = step->start_time};
  int found = evk_kill_tree(&root, 1, signal);
  if (then_continue) (void)evk_kill_tree(&root, 1, SIGCONT);
  tally.signalled = found > 0 ? found : 0;
  return tally;
}

static void pass(struct keeper *keeper, struct step *step, int64_t now) {
  struct tally tally = deadlines_signal(step, SIGKILL, false);
  bool is_main_over = step->state == STEP_ENDED;
  if (tally.signalled == 0 && is_main_over && (step->child == 0 || tally.denied > 0)) {
    // Without its minder, nobody is found any more; with it, those that are left are of other users.
    step->out_of_reach = tally.denied;
    if (!step->is_published) publish(keeper, step);
    deadlines_remove(keeper, step);
    keeper->must_look_at_waiters = true;
    return;
  }
  step->pause = step->pause == 0 ? FIRST_PAUSE : step->pause * 2;
  if (step->pause > LONGEST_PAUSE) step->pause = LONGEST_PAUSE;
  step->next_pass_at = now + step->pause;
}

static void die(struct keeper *keeper, struct step *step, int64_t now) {
  step->stage = STAGE_DYING;
  step->pause = 0;
  pass(keeper, step, now);
  if (step->is_due) list(keeper, step);
}

void deadlines_kill(struct keeper *keeper, struct step *step) {
  if (is_gone(step) || step->stage == STAGE_DYING) return;
  list(keeper, step);
  die(keeper, step, since_boot());
}

void deadlines_stop(struct keeper *keeper, struct step *step, int64_t kill_at) {
  if (is_gone(step) || step->stage == STAGE_DYING) return;
  // Its guard may want it sooner.
  if (step->kill_at <= 0 || kill_at < step->kill_at) step->kill_at = kill_at;
  if (step->stage == STAGE_LIVING) {
    step->stage = STAGE_TOLD;
    (void)deadlines_signal(step, SIGTERM, true);
  }
  list(keeper, step);
}

// A guard has run out. What had ended before is not cut off, though what it left behind goes as well: until its end is
// recorded somebody else may be about to start it again.
static void cut_off(struct keeper *keeper, struct step *step) {
  if (step->state == STEP_ENDED || step->is_published) return;
  step->cut_off = true;
  journal_note(&keeper->journal, &keeper->steps, step);
}

static void act(struct keeper *keeper, struct step *step, int64_t now) {
  if (step->stage == STAGE_LIVING) cut_off(keeper, step);
  if (step->stage != STAGE_DYING && step->kill_at > 0 && step->kill_at <= now) return die(keeper, step, now);
  if (step->stage == STAGE_LIVING) {
    step->stage = STAGE_TOLD;
    (void)deadlines_signal(step, SIGTERM, true);
    list(keeper, step);
  } else if (step->stage == STAGE_DYING) {
    pass(keeper, step, now);
  }
}

static void set_timer(struct keeper *keeper) {
  if (keeper->timer_set_to == keeper->next_due) return;
  int64_t at = keeper->next_due;
  struct itimerspec when = {.it_value = {.tv_sec = at / 1000000, .tv_nsec = at % 1000000 * 1000}};
  if (at == NEVER) when.it_value = (struct timespec){0, 0};
  // A time of 0 would switch it off.
  else if (at <= 0) when.it_value.tv_nsec = 1;
  if (timerfd_settime(keeper->timer, TFD_TIMER_ABSTIME, &when, NULL) == 0) keeper->timer_set_to = at;
}

void deadlines_run(struct keeper *keeper) {
  int64_t now = since_boot();
  if (keeper->next_due <= now) {
    // Who has ended in time is not cut off.
    take_reports(keeper);
    keeper->next_due = NEVER;
    for (struct step *step = keeper->first_due, *next; step; step = next) {
      next = step->next_due;
      if (due_at(step) <= now) act(keeper, step, now);
    }
    for (struct step *step = keeper->first_due; step; step = step->next_due) {
      int64_t at = due_at(step);
      if (at < keeper->next_due) keeper->next_due = at;
    }
  }
  set_timer(keeper);
}
