// The steps the keeper knows, found by ticket and by process id.
#include "keeper.h"

#include <stdlib.h>
#include <string.h>

static size_t bucket(uint64_t number) {
  return (number * 0x9e3779b97f4a7c15ull) >> 52;
}

struct step *steps_add(struct steps *steps, uint64_t ticket, const char *key) {
  size_t length = strlen(key) + 1;
  struct step *step = calloc(1, sizeof *step + length);
  if (!step) return NULL;
  memcpy(step->key, key, length);
  step->ticket = ticket;
  step->state = STEP_ANNOUNCED;
  step->next_by_ticket = steps->by_ticket[bucket(ticket)];
  steps->by_ticket[bucket(ticket)] = step;
  return step;
}

struct step *steps_find(struct steps *steps, uint64_t ticket) {
  struct step *step = steps->by_ticket[bucket(ticket)];
  while (step && step->ticket != ticket) step = step->next_by_ticket;
  return step;
}

struct step *steps_find_pid(struct steps *steps, pid_t pid) {
  struct step *step = steps->by_pid[bucket((uint64_t)pid)];
  while (step && step->pid != pid) step = step->next_by_pid;
  return step;
}

void steps_began(struct steps *steps, struct step *step, pid_t pid, uint64_t start_time) {
  step->pid = pid;
  step->start_time = start_time;
  step->state = STEP_RUNNING;
  step->next_by_pid = steps->by_pid[bucket((uint64_t)pid)];
  steps->by_pid[bucket((uint64_t)pid)] = step;
  steps->running++;
}

// Its number may belong to another process from now on, so it is found by ticket only.
void steps_finished(struct steps *steps, struct step *step, enum step_state state) {
  if (step->state == STEP_RUNNING) {
    struct step **link = &steps->by_pid[bucket((uint64_t)step->pid)];
    while (*link != step) link = &(*link)->next_by_pid;
    *link = step->next_by_pid;
    steps->running--;
  }
  step->state = state;
  steps->finished++;
}

void steps_forget(struct steps *steps, struct step *step) {
  struct step **link = &steps->by_ticket[bucket(step->ticket)];
  while (*link != step) link = &(*link)->next_by_ticket;
  *link = step->next_by_ticket;
  if (step->unwritten) steps->unwritten--;
  if (step->state == STEP_ENDED || step->state == STEP_NOT_STARTED) steps->finished--;
  free(step);
}
