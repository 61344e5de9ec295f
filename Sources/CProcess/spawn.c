// Makes minders (minder.c): the keeper's side, which does not wait for them.
#include "keeper.h"
#include "raw.h"

#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define STACK_SIZE (32u << 10)
// Stacks that are kept for the next steps.
#define STACKS_KEPT 64

static void *stacks[STACKS_KEPT];
static size_t stack_count;

static size_t page_size(void) {
  return (size_t)sysconf(_SC_PAGESIZE);
}

static void *take_stack(void) {
  if (stack_count > 0) return stacks[--stack_count];
  // The lowest page stays forbidden: an overflow must not reach the keeper's memory.
  char *stack = mmap(NULL, STACK_SIZE + page_size(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (stack == MAP_FAILED) return NULL;
  if (mprotect(stack + page_size(), STACK_SIZE, PROT_READ | PROT_WRITE) == 0) return stack;
  munmap(stack, STACK_SIZE + page_size());
  return NULL;
}

static void give_stack_back(void *stack) {
  if (!stack) return;
  if (stack_count < STACKS_KEPT) {
    stacks[stack_count++] = stack;
  } else {
    munmap(stack, STACK_SIZE + page_size());
  }
}

void minder_name(uint64_t ticket, char out[16]) {
  static const char digits[] = "0123456789abcdefghijklmnopqrstuv";
  memcpy(out, "ev-", 3);
  // 60 of 64 bits: tickets go on from a random number, so no two that are alive share those.
  for (int i = 14; i >= 3; i--, ticket >>= 5) out[i] = digits[ticket & 31];
  out[15] = 0;
}

struct minding *minding_make(const unsigned char *body, size_t length, int *error) {
  // The request must stay until the step has become its program, long after its bytes have left the inbox.
  struct minding *minding = malloc(sizeof *minding + length);
  if (!minding) {
    *error = ENOMEM;
    return NULL;
  }
  memset(minding, 0, sizeof *minding);
  memcpy(minding->body, body, length);
  minding->log = minding->cgroup = minding->failures = -1;
  *error = parse_start(minding->body, length, &minding->request);
  if (*error != 0) {
    free(minding);
    return NULL;
  }
  minder_name(minding->request.head.ticket, minding->name);
  return minding;
}

void minding_free(struct minding *minding) {
  if (!minding) return;
  give_stack_back(minding->stack);
  release_start(&minding->request);
  free(minding);
}

pid_t minder_start(struct minding *minding, struct failure *failure) {
  *failure = (struct failure){.error = ENOMEM, .phase = EVK_PHASE_FORK};
  minding->stack = take_stack();
  if (!minding->stack) return -1;
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  minding->began_us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
  char *top = (char *)minding->stack + page_size() + STACK_SIZE;
  pid_t pid = clone(mind, top, (MINDERS_SHARE_MEMORY ? CLONE_VM : 0) | SIGCHLD, minding);
  if (pid < 0) failure->error = errno;
  return pid;
}
