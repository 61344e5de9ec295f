// What the files of the keeper share. Nothing here is seen by Swift.
#pragma once

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "CProcess.h"

#include <stdbool.h>
#include <sys/resource.h>
#include <time.h>

// MARK: Steps the keeper knows (steps.c)

enum step_state { STEP_ANNOUNCED, STEP_RUNNING, STEP_NOT_STARTED, STEP_ENDED };

struct step {
  struct step *next_by_ticket;
  struct step *next_by_pid;
  uint64_t ticket;
  uint64_t start_time;
  struct timespec began;
  int64_t ended_epoch_us;
  int64_t wall_us;
  int64_t user_us;
  int64_t system_us;
  int64_t max_resident_kib;
  pid_t pid;
  int error, phase;
  int cause, value;
  bool core_dumped;
  // The disk had no room for its last line: it is tried again.
  bool unwritten;
  enum step_state state;
  char key[];
};

#define STEP_BUCKETS 4096
// More ends than this without EVK_RECORDED are forgotten; the journal alone has them then.
#define STEPS_KEPT 65536

struct steps {
  struct step *by_ticket[STEP_BUCKETS];
  struct step *by_pid[STEP_BUCKETS];
  size_t running;
  size_t finished;
  size_t unwritten;
};

struct step *steps_add(struct steps *steps, uint64_t ticket, const char *key);
struct step *steps_find(struct steps *steps, uint64_t ticket);
struct step *steps_find_pid(struct steps *steps, pid_t pid);
void steps_began(struct steps *steps, struct step *step, pid_t pid, uint64_t start_time);
void steps_finished(struct steps *steps, struct step *step, enum step_state state);
void steps_forget(struct steps *steps, struct step *step);

// MARK: Starting one (spawn.c)

struct spawn_request {
  evk_start_request head;
  const char *key, *directory, *log;
  char **arguments, **environment;
  gid_t *groups;
};

struct failure {
  int error, phase;
};

int spawn_prepare(void);
// The process, or -1 with `failure`.
pid_t spawn_step(const struct spawn_request *request, struct failure *failure);

// MARK: The journal (journal.c)

struct journal {
  int fd;
  const char *path;
  char boot_id[40];
  // The last write was cut short: the next line begins with a newline, so that only the torn one is lost.
  bool torn;
  // It began empty and every entry is in memory, so that it can be written anew without what is recorded.
  bool complete;
  uint64_t size;
  uint64_t rewrite_at;
};

int journal_open(const char *path, int *error);
int journal_adopt(struct journal *journal, int fd, const char *path);
int journal_announce(struct journal *journal, const struct step *step);
// Writes the line of the state the step is in; keeps `unwritten` right.
void journal_note(struct journal *journal, struct steps *steps, struct step *step);
void journal_retry(struct journal *journal, struct steps *steps);
void journal_recorded(struct journal *journal, struct steps *steps, const uint64_t *tickets, size_t count);

// MARK: The socket (wire.c)

struct inbox {
  unsigned char *bytes;
  size_t capacity, from, filled;
};

#define OUTBOX_ANSWERS 512

struct outbox {
  evk_answer answers[OUTBOX_ANSWERS];
  size_t sent_bytes;
  size_t count;
};

// Reads what there is: 1 if something came, 0 if nothing did, -1 if the agent is gone.
int inbox_read(struct inbox *inbox, int socket);
// The next whole request, 0 if there is none yet, -1 if it can't be one. It is valid until the next call.
int inbox_next(struct inbox *inbox, evk_request *head, const unsigned char **body, size_t *length);
bool inbox_has_next(const struct inbox *inbox);
void inbox_trim(struct inbox *inbox);
// Takes a start apart; the pointers lead into `body` and one block that `release_start` frees.
int parse_start(const unsigned char *body, size_t length, struct spawn_request *out);
void release_start(struct spawn_request *request);
// The tickets of a list, copied because the wire aligns nothing; to be freed. NULL if malformed.
uint64_t *parse_tickets(const unsigned char *body, size_t length, evk_ticket_list *head);

bool outbox_has_room(const struct outbox *outbox);
void outbox_add(struct outbox *outbox, const evk_answer *answer);
// -1 if the agent is gone.
int outbox_flush(struct outbox *outbox, int socket);
