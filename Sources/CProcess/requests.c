// What is asked of the keeper.
#include "keeper.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static bool agent_hung_up(const struct keeper *keeper) {
  struct pollfd polled = {.fd = keeper->socket, .events = POLLRDHUP};
  return poll(&polled, 1, 0) > 0 && (polled.revents & (POLLHUP | POLLRDHUP | POLLERR)) != 0;
}

static void refuse(struct keeper *keeper, uint64_t ticket, int error, int phase) {
  struct step step = {
    .ticket = ticket, .error = error, .phase = phase, .cut_off = phase == EVK_PHASE_CUT_OFF};
  answer(keeper, &step, EVK_NOT_STARTED);
}

static bool is_over(int64_t moment) { return moment > 0 && moment <= since_boot(); }

static bool has_run_out(const evk_start_request *head) {
  return is_over(head->start_before) || is_over(head->terminate_at > 0 ? head->terminate_at : head->kill_at);
}

// Why what was announced must not be started any more; EVK_PHASE_NONE: it may.
static struct failure obstacle(struct keeper *keeper, const evk_start_request *head) {
  // Requests may have queued before the agent died, and whoever takes over counts what is not announced as never
  // started. So this comes after the announcement: either that was read, or the agent is seen to be gone here.
  if (agent_hung_up(keeper)) keeper->agent_left = true;
  if (keeper->agent_left) return (struct failure){.error = ESHUTDOWN, .phase = EVK_PHASE_QUITTING};
  // Writing the announcement may have taken a while.
  if (has_run_out(head)) return (struct failure){.error = ETIMEDOUT, .phase = EVK_PHASE_CUT_OFF};
  return (struct failure){.error = 0, .phase = EVK_PHASE_NONE};
}

// Announced and given to a minder; 0, or an errno with `phase`.
static int begin(struct keeper *keeper, struct minding *minding, int *phase) {
  const struct spawn_request *request = &minding->request;
  *phase = EVK_PHASE_FORK;
  if (steps_find(&keeper->steps, request->head.ticket)) return EEXIST;
  struct step *step = steps_add(&keeper->steps, request->head.ticket, request->key);
  if (!step) return ENOMEM;
  // What cannot be announced is not started: nobody would know of it after a crash.
  int error = journal_announce(&keeper->journal, step);
  if (error != 0) {
    *phase = EVK_PHASE_JOURNAL;
    steps_forget(&keeper->steps, step);
    return error;
  }
  struct failure failure = obstacle(keeper, &request->head);
  if (failure.phase != EVK_PHASE_NONE) {
    step->cut_off = failure.phase == EVK_PHASE_CUT_OFF;
    minding_free(minding);
    not_started(keeper, step, failure);
    return 0;
  }
  // Before it is there: nothing that runs is unguarded.
  deadlines_set(keeper, step, request->head.terminate_at, request->head.kill_at);
  pid_t minder = minder_start(minding, &failure);
  if (minder < 0) {
    minding_free(minding);
    not_started(keeper, step, failure);
  } else {
    step->minding = minding;
    steps_set_child(&keeper->steps, step, minder);
  }
  return 0;
}

static void start(struct keeper *keeper, const unsigned char *body, size_t length) {
  evk_start_request head = {0};
  if (length >= sizeof head) memcpy(&head, body, sizeof head);
  // Known already: then it need not even be announced.
  if (keeper->agent_left || keeper->is_quitting) {
    return refuse(keeper, head.ticket, ESHUTDOWN, EVK_PHASE_QUITTING);
  }
  if (has_run_out(&head)) return refuse(keeper, head.ticket, ETIMEDOUT, EVK_PHASE_CUT_OFF);
  int error = 0, phase = EVK_PHASE_FORK;
  struct minding *minding = minding_make(body, length, &error);
  if (minding) error = begin(keeper, minding, &phase);
  if (error == 0) return;
  minding_free(minding);
  refuse(keeper, head.ticket, error, phase);
}

// MARK: Lists of tickets

static void recorded(struct keeper *keeper, const uint64_t *tickets, size_t count) {
  journal_recorded(&keeper->journal, &keeper->steps, tickets, count);
  for (size_t i = 0; i < count; i++) {
    struct step *step = steps_find(&keeper->steps, tickets[i]);
    if (!step || !step->is_recorded) continue;
    // What it has left behind may stay now, unless it is being ended.
    if (step->stage == STAGE_LIVING) deadlines_remove(keeper, step);
    if (is_gone(step) && !step->is_due && !step->is_owed) steps_forget(&keeper->steps, step);
  }
}

static void signal_trees(struct keeper *keeper, const uint64_t *tickets, const evk_ticket_list *list) {
  for (size_t i = 0; i < list->count; i++) {
    struct step *step = steps_find(&keeper->steps, tickets[i]);
    if (!step || is_gone(step)) continue;
    if (list->signal == SIGKILL) deadlines_kill(keeper, step);
    else (void)deadlines_signal(step, (int)list->signal, false);
  }
}

static void serve_tickets(struct keeper *keeper, uint32_t kind, const unsigned char *body, size_t length) {
  evk_ticket_list list;
  uint64_t *tickets = parse_list(body, length, sizeof *tickets, &list);
  if (!tickets) return;
  if (kind == EVK_RECORDED) recorded(keeper, tickets, list.count);
  else signal_trees(keeper, tickets, &list);
  free(tickets);
}

static void serve_deadlines(struct keeper *keeper, uint32_t kind, const unsigned char *body, size_t length) {
  evk_ticket_list list;
  evk_deadline *deadlines = parse_list(body, length, sizeof *deadlines, &list);
  if (!deadlines) return;
  for (size_t i = 0; i < list.count; i++) {
    struct step *step = steps_find(&keeper->steps, deadlines[i].ticket);
    if (!step) continue;
    if (kind == EVK_STOP) deadlines_stop(keeper, step, deadlines[i].kill_at);
    else deadlines_set(keeper, step, deadlines[i].terminate_at, deadlines[i].kill_at);
  }
  free(deadlines);
}

// MARK: Everything with a prefix

static void stop_all(struct keeper *keeper, const unsigned char *body, size_t length, bool is_agent) {
  evk_stop_all head;
  if (length < sizeof head) return;
  memcpy(&head, body, sizeof head);
  const char *prefix = (const char *)body + sizeof head;
  size_t room = length - sizeof head, prefix_length = strnlen(prefix, room);
  if (prefix_length == room) return;
  for (size_t i = 0; i < STEP_BUCKETS; i++) {
    for (struct step *step = keeper->steps.by_ticket[i], *next; step; step = next) {
      next = step->next_by_ticket;
      if (strncmp(step->key, prefix, prefix_length) == 0) deadlines_stop(keeper, step, head.kill_at);
    }
  }
  if (!is_agent) return;
  struct waiter *waiter = malloc(sizeof *waiter + prefix_length + 1);
  if (!waiter) return;
  memcpy(waiter->prefix, prefix, prefix_length + 1);
  waiter->ticket = head.ticket;
  waiter->next = keeper->waiters;
  keeper->waiters = waiter;
  keeper->must_look_at_waiters = true;
}

void serve(struct keeper *keeper, const evk_request *head, const unsigned char *body, size_t length, bool is_agent) {
  switch (head->kind) {
  case EVK_START:
    if (is_agent) start(keeper, body, length);
    break;
  case EVK_QUIT:
    if (is_agent) keeper->is_quitting = true;
    break;
  case EVK_KILL_TREE: case EVK_RECORDED:
    serve_tickets(keeper, head->kind, body, length);
    break;
  case EVK_GUARD: case EVK_STOP:
    serve_deadlines(keeper, head->kind, body, length);
    break;
  case EVK_STOP_ALL:
    stop_all(keeper, body, length, is_agent);
    break;
  default:
    break;
  }
}
