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

// How far it is told to end. From STAGE_TOLD on it ends only when nothing of it is left.
enum step_stage { STAGE_LIVING, STAGE_TOLD, STAGE_DYING };

struct step {
  struct step *next_by_ticket;
  struct step *next_by_child;
  struct step *next_due, *previous_due;
  struct step *next_owed;
  // What its minder works with, as long as that lives.
  struct minding *minding;
  uint64_t ticket;
  uint64_t start_time;
  int64_t ended_epoch_us;
  int64_t wall_us;
  int64_t user_us;
  int64_t system_us;
  int64_t max_resident_kib;
  // Microseconds since boot, 0 for never (deadlines.c).
  int64_t terminate_at, kill_at;
  int64_t next_pass_at, pause;
  // Its main process.
  pid_t pid;
  // The child of the keeper that stands for it: its minder; if somebody killed that, its main process. 0: none.
  pid_t child;
  int error, phase;
  int cause, value;
  int out_of_reach;
  enum step_state state;
  enum step_stage stage;
  // Lines of the journal that are written (enum line).
  unsigned written;
  bool core_dumped;
  bool out_of_memory;
  // Its guard, not the agent, told it to end, and it had not ended before.
  bool cut_off;
  // Its state is final, and said so to the journal and the agent.
  bool is_published;
  // The store has its end: it is kept only for what it left behind.
  bool is_recorded;
  // The disk had no room for one of its lines: it is tried again.
  bool is_unwritten;
  bool is_due, is_owed, owes_start, owes_end;
  char key[];
};

#define STEP_BUCKETS 4096
// More ends than this without EVK_RECORDED are forgotten; the journal alone has them then.
#define STEPS_KEPT 65536

struct steps {
  struct step *by_ticket[STEP_BUCKETS];
  struct step *by_child[STEP_BUCKETS];
  // Not published yet.
  size_t running;
  size_t finished;
  size_t unwritten;
};

struct step *steps_add(struct steps *steps, uint64_t ticket, const char *key);
struct step *steps_find(const struct steps *steps, uint64_t ticket);
struct step *steps_find_child(const struct steps *steps, pid_t pid);
// From now on `child` stands for the step; 0 for none.
void steps_set_child(struct steps *steps, struct step *step, pid_t child);
void steps_published(struct steps *steps, struct step *step);
void steps_forget(struct steps *steps, struct step *step);

// MARK: The minder of one step (minder.c, become.c, spawn.c)

struct spawn_request {
  evk_start_request head;
  const char *key, *directory, *log, *cgroup;
  char **arguments, **environment, **settings;
  gid_t *groups;
};

struct failure {
  int error, phase;
};

// Minders write their reports here; the descriptors after these two are the keeper's own.
#define REPORTS_FD 3
#define NULL_FD 4

struct minding {
  struct spawn_request request;
  struct failure failure;
  // The step's process, written by itself: whoever kills the minder at once leaves this. 0 where memory is not shared.
  pid_t main_process;
  int64_t began_us;
  // Descriptors of the minder; `failures` is for a child that has no memory in common with it.
  int log, cgroup, failures;
  void *stack;
  char name[16];
  unsigned char body[];
};

enum report_kind { REPORT_STARTED, REPORT_NOT_STARTED, REPORT_ENDED };

// Shorter than PIPE_BUF, so that the reports of many minders do not mix.
struct report {
  uint64_t ticket;
  uint64_t start_time;
  int64_t ended_epoch_us, wall_us, user_us, system_us, max_resident_kib;
  int32_t kind, pid, status, error, phase, out_of_memory;
};

// The life of a minder, on a stack of its own.
int mind(void *minding);
// Turns the calling process into the step's program, or says in `failure` why not and ends.
void become(struct minding *minding) __attribute__((noreturn));
// How a minder of `ticket` is called, so that it is found when nobody knows its number: at most 15 characters.
void minder_name(uint64_t ticket, char out[16]);

// The copy of a request with which a minder works; NULL with an errno in `error`.
struct minding *minding_make(const unsigned char *body, size_t length, int *error);
void minding_free(struct minding *minding);
// Its minder, or -1 with `failure`.
pid_t minder_start(struct minding *minding, struct failure *failure);

// Microseconds of CLOCK_BOOTTIME: since the host was started, sleep included.
int64_t since_boot(void);

// MARK: Processes (processes.c, tree.c)

struct process {
  pid_t pid, parent, session;
  uint64_t start_time;
  // Of its name as much as a minder's has.
  char name[16];
  char state;
  bool has_threads;
  bool belongs, is_minder;
};

bool read_process(pid_t pid, struct process *out);
ssize_t read_file(const char *path, char *out, size_t room);

struct tally {
  int signalled, denied;
};

// Signals everything that descends from a minder that is our child. 0, or an errno if that can't be told.
int tree_signal(pid_t minder, int signal, bool then_continue, struct tally *tally);

// MARK: The journal (journal.c)

struct journal {
  int fd;
  const char *path;
  // The line with the name of the control socket.
  char greeting[192];
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
void journal_greet(struct journal *journal, const char *name, pid_t agent);
int journal_announce(struct journal *journal, struct step *step);
// Writes what of the step is not written yet; keeps `is_unwritten` right.
void journal_note(struct journal *journal, struct steps *steps, struct step *step);
void journal_retry(struct journal *journal, struct steps *steps);
void journal_recorded(struct journal *journal, struct steps *steps, const uint64_t *tickets, size_t count);

// MARK: The sockets (wire.c, control.c)

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
// What follows an evk_ticket_list, copied because the wire aligns nothing; to be freed. NULL if malformed.
void *parse_list(const unsigned char *body, size_t length, size_t item, evk_ticket_list *head);

bool outbox_has_room(const struct outbox *outbox);
void outbox_add(struct outbox *outbox, const evk_answer *answer);
// -1 if the agent is gone.
int outbox_flush(struct outbox *outbox, int socket);

// Earlier agents' successors, which come through the control socket.
#define CLIENTS 8

struct client {
  int socket;
  struct inbox inbox;
};

struct control {
  int listener;
  struct client clients[CLIENTS];
};

// Listens under a name of its own, which it writes to `name`; without a listener if that can't be.
void control_open(struct control *control, char name[64]);
void control_accept(struct control *control);
void control_close(struct client *client);

// MARK: The keeper (keeper.c, requests.c, endings.c, deadlines.c)

// Somebody who waits until nothing of the steps with a prefix is left.
struct waiter {
  struct waiter *next;
  uint64_t ticket;
  char prefix[];
};

struct keeper {
  int socket, signals, reports, timer;
  struct journal journal;
  struct steps steps;
  struct inbox inbox;
  struct outbox outbox;
  struct control control;
  // Steps the agent has to be told of, oldest first.
  struct step *first_owed, *last_owed;
  // Steps with a deadline, or being ended; the earliest of their times, or one before it; what the timer is set to.
  struct step *first_due;
  int64_t next_due, timer_set_to;
  struct waiter *waiters;
  // The socket is open.
  bool has_agent;
  // The agent has closed its end; what it had sent is still read, but nothing new is started for it.
  bool agent_left;
  bool is_quitting;
  // A child has ended that was not waited for yet.
  bool must_reap;
  // Something has gone that a waiter may have waited for.
  bool must_look_at_waiters;
};

// Carries out what the agent asked for, or, with `is_agent` false, one of its successors.
void serve(struct keeper *keeper, const evk_request *head, const unsigned char *body, size_t length, bool is_agent);

// Takes in what minders report, then who has ended.
void take_reports(struct keeper *keeper);
void reap(struct keeper *keeper);
void not_started(struct keeper *keeper, struct step *step, struct failure failure);
// Tells the journal and the agent what became of it.
void publish(struct keeper *keeper, struct step *step);
// The agent is told of as many as the outbox has room for.
void tell_owed(struct keeper *keeper);
void forget_owed(struct keeper *keeper);
// Nothing of it is left, as far as can be known.
bool is_gone(const struct step *step);
void answer(struct keeper *keeper, const struct step *step, uint32_t kind);

void deadlines_set(struct keeper *keeper, struct step *step, int64_t terminate_at, int64_t kill_at);
void deadlines_stop(struct keeper *keeper, struct step *step, int64_t kill_at);
void deadlines_kill(struct keeper *keeper, struct step *step);
// It needs none any more.
void deadlines_remove(struct keeper *keeper, struct step *step);
// Signals all of it once.
struct tally deadlines_signal(struct step *step, int signal, bool then_continue);
// Does what is due, and sets the timer for what is next.
void deadlines_run(struct keeper *keeper);
