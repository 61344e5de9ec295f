// The steps the keeper knows, found by ticket and by the child that stands for them.
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
  steps->running++;
  return step;
}

struct step *steps_find(const struct steps *steps, uint64_t ticket) {
  struct step *step = steps->by_ticket[bucket(ticket)];
  while (step && step->ticket != ticket) step = step->next_by_ticket;
  return step;
}

struct step *steps_find_child(const struct steps *steps, pid_t pid) {
  struct step *step = steps->by_child[bucket((uint64_t)pid)];
  while (step && step->child != pid) step = step->next_by_child;
  return step;
}

// Once it is waited for, its number may belong to another process.
void steps_set_child(struct steps *steps, struct step *step, pid_t child) {
  if (step->child > 0) {
    struct step **link = &steps->by_child[bucket((uint64_t)step->child)];
    while (*link != step) link = &(*link)->next_by_child;
    *link = step->next_by_child;
  }
  step->child = child;
  if (child <= 0) return;
  step->next_by_child = steps->by_child[bucket((uint64_t)child)];
  steps->by_child[bucket((uint64_t)child)] = step;
}

void steps_published(struct steps *steps, struct step *step) {
  step->is_published = true;
  steps->running--;
  steps->finished++;
}

void steps_forget(struct steps *steps, struct step *step) {
  struct step **link = &steps->by_ticket[bucket(step->ticket)];
  while (*link != step) link = &(*link)->next_by_ticket;
  *link = step->next_by_ticket;
  steps_set_child(steps, step, 0);
  if (step->is_unwritten) steps->unwritten--;
  if (step->is_published) steps->finished--;
  else steps->running--;
  minding_free(step->minding);
  free(step);
}
