// The keeper's life: forked by evk_start, it serves the agent as long as there is one and waits for the
// steps as long as there are any. One thread, one loop, no signal handler.
#include "keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// After so many requests the ended steps have their turn.
#define REQUESTS_IN_A_ROW 8

struct keeper {
  int socket, signals;
  struct journal journal;
  struct steps steps;
  struct inbox inbox;
  struct outbox outbox;
  // The socket is open.
  bool has_agent;
  // The agent has closed its end; what it had sent is still read, but nothing new is started for it.
  bool agent_left;
  bool is_quitting;
  // A child has ended that was not waited for yet.
  bool must_reap;
};

static int64_t microseconds(struct timeval time) {
  return (int64_t)time.tv_sec * 1000000 + time.tv_usec;
}

static void lose_agent(struct keeper *keeper) {
  if (!keeper->has_agent) return;
  close(keeper->socket);
  keeper->has_agent = false;
  keeper->outbox.count = 0;
  keeper->outbox.sent_bytes = 0;
  free(keeper->inbox.bytes);
  keeper->inbox = (struct inbox){0};
}

static void answer(struct keeper *keeper, const struct step *step, uint32_t kind) {
  if (!keeper->has_agent) return;
  outbox_add(&keeper->outbox, &(evk_answer){
    .ticket = step->ticket, .kind = kind, .pid = step->pid, .start_time = step->start_time,
    .error = step->error, .phase = step->phase, .cause = step->cause, .value = step->value,
    .core_dumped = step->core_dumped, .max_resident_kib = step->max_resident_kib,
    .user_us = step->user_us, .system_us = step->system_us, .wall_us = step->wall_us});
}

// Beyond the limit only the journal remembers, and can no longer be written anew from memory.
static void bound(struct keeper *keeper, struct step *step) {
  if (keeper->steps.finished <= STEPS_KEPT || step->unwritten) return;
  keeper->journal.complete = false;
  steps_forget(&keeper->steps, step);
}

static void not_started(struct keeper *keeper, struct step *step, struct failure failure) {
  step->error = failure.error;
  step->phase = failure.phase;
  steps_finished(&keeper->steps, step, STEP_NOT_STARTED);
  journal_note(&keeper->journal, &keeper->steps, step);
  answer(keeper, step, EVK_NOT_STARTED);
  bound(keeper, step);
}

static bool agent_hung_up(const struct keeper *keeper) {
  struct pollfd polled = {.fd = keeper->socket, .events = POLLRDHUP};
  return poll(&polled, 1, 0) > 0 && (polled.revents & (POLLHUP | POLLRDHUP | POLLERR)) != 0;
}

static void refuse(struct keeper *keeper, uint64_t ticket, int error, int phase) {
  struct step step = {.ticket = ticket, .error = error, .phase = phase};
  answer(keeper, &step, EVK_NOT_STARTED);
}

static void start(struct keeper *keeper, const unsigned char *body, size_t length) {
  struct spawn_request request;
  int error = parse_start(body, length, &request);
  uint64_t ticket = request.head.ticket;
  if (error != 0) return refuse(keeper, ticket, error, EVK_PHASE_FORK);
  // Requests may have queued before the agent died. Whoever takes over counts what was not announced as never
  // started, so nothing is announced any more once the agent is gone.
  if (agent_hung_up(keeper)) keeper->agent_left = true;
  struct step *step = NULL;
  if (keeper->agent_left || keeper->is_quitting) {
    refuse(keeper, ticket, ESHUTDOWN, EVK_PHASE_QUITTING);
  } else if (steps_find(&keeper->steps, ticket)) {
    refuse(keeper, ticket, EEXIST, EVK_PHASE_FORK);
  } else if (!(step = steps_add(&keeper->steps, ticket, request.key))) {
    refuse(keeper, ticket, ENOMEM, EVK_PHASE_FORK);
  } else if ((error = journal_announce(&keeper->journal, step)) != 0) {
    // What cannot be announced is not started: nobody would know of it after a crash.
    refuse(keeper, ticket, error, EVK_PHASE_JOURNAL);
    steps_forget(&keeper->steps, step);
  } else {
    clock_gettime(CLOCK_MONOTONIC, &step->began);
    struct failure failure;
    pid_t pid = spawn_step(&request, &failure);
    if (pid < 0) {
      not_started(keeper, step, failure);
    } else {
      // Not waited for yet, so the number is still its own even if it has ended.
      steps_began(&keeper->steps, step, pid, evk_process_start_time(pid));
      journal_note(&keeper->journal, &keeper->steps, step);
      answer(keeper, step, EVK_STARTED);
    }
  }
  release_start(&request);
}

static void signal_groups(struct keeper *keeper, const evk_ticket_list *list, const uint64_t *tickets) {
  for (size_t i = 0; i < list->count; i++) {
    const struct step *step = steps_find(&keeper->steps, tickets[i]);
    // Not waited for, so nobody else can have its number; its group has it as well.
    if (step && step->state == STEP_RUNNING) (void)kill(-step->pid, (int)list->signal);
  }
}

static void signal_trees(struct keeper *keeper, const evk_ticket_list *list, const uint64_t *tickets) {
  if (list->count == 0) return;
  evk_root *roots = calloc(list->count, sizeof *roots);
  if (!roots) return signal_groups(keeper, list, tickets);
  for (size_t i = 0; i < list->count; i++) {
    const struct step *step = steps_find(&keeper->steps, tickets[i]);
    roots[i].ticket = tickets[i];
    if (!step) continue;
    roots[i].start_time = step->start_time;
    if (step->state == STEP_RUNNING) roots[i].pid = step->pid;
  }
  // Where /proc cannot be read, the process groups can still be reached.
  if (evk_kill_tree(roots, list->count, (int)list->signal) < 0) signal_groups(keeper, list, tickets);
  free(roots);
}

static void serve(struct keeper *keeper, const evk_request *head, const unsigned char *body, size_t length) {
  if (head->kind == EVK_START) return start(keeper, body, length);
  if (head->kind == EVK_QUIT) {
    keeper->is_quitting = true;
    return;
  }
  evk_ticket_list list;
  uint64_t *tickets = parse_tickets(body, length, &list);
  if (!tickets) return;
  if (head->kind == EVK_SIGNAL) signal_groups(keeper, &list, tickets);
  if (head->kind == EVK_KILL_TREE) signal_trees(keeper, &list, tickets);
  if (head->kind == EVK_RECORDED) journal_recorded(&keeper->journal, &keeper->steps, tickets, list.count);
  free(tickets);
}

static void serve_some(struct keeper *keeper) {
  for (int i = 0; i < REQUESTS_IN_A_ROW && keeper->has_agent && outbox_has_room(&keeper->outbox); i++) {
    evk_request head;
    const unsigned char *body;
    size_t length;
    int got = inbox_next(&keeper->inbox, &head, &body, &length);
    // Nothing after a request that makes no sense can be trusted.
    if (got < 0) return lose_agent(keeper);
    if (got == 0) break;
    serve(keeper, &head, body, length);
  }
  if (keeper->has_agent) inbox_trim(&keeper->inbox);
}

static void reap(struct keeper *keeper) {
  while (!keeper->has_agent || outbox_has_room(&keeper->outbox)) {
    int status;
    struct rusage usage;
    pid_t pid = wait4(-1, &status, WNOHANG, &usage);
    if (pid < 0 && errno == EINTR) continue;
    if (pid <= 0) {
      keeper->must_reap = false;
      return;
    }
    struct step *step = steps_find_pid(&keeper->steps, pid);
    // An orphan of a step, which fell to us as their reaper.
    if (!step) continue;
    struct timespec now, epoch;
    clock_gettime(CLOCK_MONOTONIC, &now);
    clock_gettime(CLOCK_REALTIME, &epoch);
    step->wall_us = (int64_t)(now.tv_sec - step->began.tv_sec) * 1000000
      + (now.tv_nsec - step->began.tv_nsec) / 1000;
    step->ended_epoch_us = (int64_t)epoch.tv_sec * 1000000 + epoch.tv_nsec / 1000;
    step->cause = WIFSIGNALED(status) ? EVK_SIGNALLED : EVK_EXITED;
    step->value = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
    step->core_dumped = WIFSIGNALED(status) && WCOREDUMP(status);
    step->max_resident_kib = usage.ru_maxrss;
    step->user_us = microseconds(usage.ru_utime);
    step->system_us = microseconds(usage.ru_stime);
    steps_finished(&keeper->steps, step, STEP_ENDED);
    journal_note(&keeper->journal, &keeper->steps, step);
    answer(keeper, step, EVK_ENDED);
    bound(keeper, step);
  }
}

static void drain_signals(struct keeper *keeper) {
  struct signalfd_siginfo info[16];
  while (read(keeper->signals, info, sizeof info) > 0) {
  }
  keeper->must_reap = true;
}

// Everything is told and written, and no step is left.
static bool is_done(const struct keeper *keeper) {
  if (keeper->steps.running > 0 || keeper->steps.unwritten > 0) return false;
  if (!keeper->has_agent) return true;
  return keeper->is_quitting && keeper->outbox.count == 0 && !inbox_has_next(&keeper->inbox);
}

static void live(struct keeper *keeper) {
  keeper->must_reap = true;
  while (!is_done(keeper)) {
    bool has_room = outbox_has_room(&keeper->outbox);
    bool has_work = keeper->has_agent && has_room && inbox_has_next(&keeper->inbox);
    struct pollfd polled[2] = {
      {.fd = keeper->signals, .events = POLLIN},
      {.fd = keeper->has_agent ? keeper->socket : -1,
       .events = (short)((has_room ? POLLIN : 0) | (keeper->outbox.count > 0 ? POLLOUT : 0))},
    };
    bool must_go_on = has_work || (keeper->must_reap && (has_room || !keeper->has_agent));
    int timeout = must_go_on ? 0 : keeper->steps.unwritten > 0 ? 1000 : -1;
    if (poll(polled, 2, timeout) < 0 && errno != EINTR) {
      // Only memory can be short here; a moment later there may be some.
      (void)poll(NULL, 0, 10);
      continue;
    }
    if (polled[0].revents) drain_signals(keeper);
    if (polled[1].revents & (POLLHUP | POLLERR)) keeper->agent_left = true;
    // With requests waiting there is no hurry to read more, and memory stays bounded.
    if ((polled[1].revents & (POLLIN | POLLHUP | POLLERR)) && !inbox_has_next(&keeper->inbox)) {
      if (inbox_read(&keeper->inbox, keeper->socket) < 0) lose_agent(keeper);
    }
    if (keeper->must_reap) reap(keeper);
    serve_some(keeper);
    if (keeper->has_agent && keeper->outbox.count > 0) {
      // An agent that has gone hears nothing, but what it had asked for is still in the inbox.
      if (outbox_flush(&keeper->outbox, keeper->socket) < 0) {
        keeper->agent_left = true;
        keeper->outbox.count = 0;
        keeper->outbox.sent_bytes = 0;
      }
    }
    if (keeper->steps.unwritten > 0) journal_retry(&keeper->journal, &keeper->steps);
  }
}

static void close_from(int first) {
  if (close_range((unsigned)first, ~0u, 0) == 0) return;
  long most = sysconf(_SC_OPEN_MAX);
  for (int fd = first; fd < most; fd++) close(fd);
}

// Leaves nothing open but 0 to 2 on /dev/null, the socket as 3 and the journal as 4.
static int settle_descriptors(int *socket, int *journal) {
  int high_socket = fcntl(*socket, F_DUPFD_CLOEXEC, 16);
  int high_journal = fcntl(*journal, F_DUPFD_CLOEXEC, 16);
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (high_socket < 0 || high_journal < 0 || null < 0) return errno;
  int high_null = fcntl(null, F_DUPFD_CLOEXEC, 16);
  if (high_null < 0) return errno;
  for (int fd = 0; fd <= 2; fd++) {
    if (dup2(high_null, fd) < 0) return errno;
  }
  *socket = dup3(high_socket, 3, O_CLOEXEC);
  *journal = dup3(high_journal, 4, O_CLOEXEC);
  if (*socket < 0 || *journal < 0) return errno;
  close_from(5);
  return 0;
}

// The bare call, since the C library keeps two signals to itself, which a parent may have had ignored.
static void set_default_dispositions(void) {
  static const char default_action[64];
  for (int number = 1; number < NSIG; number++) {
    (void)syscall(SYS_rt_sigaction, number, default_action, NULL, (size_t)(NSIG - 1) / 8);
  }
}

static void be_keeper(int socket, int journal, const char *path) __attribute__((noreturn));
static void be_keeper(int socket, int journal, const char *path) {
  // All signals are blocked since before the fork, so that none has to be ignored: a program inherits what is
  // ignored, but a step gets an empty mask. What the agent had set goes back to the default for the same reason.
  set_default_dispositions();
  (void)setsid();
  (void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  (void)prctl(PR_SET_NAME, "eventor-keeper", 0, 0, 0);
  struct keeper *keeper = calloc(1, sizeof *keeper);
  if (!keeper) _exit(71);
  if (settle_descriptors(&socket, &journal) != 0) _exit(71);
  keeper->socket = socket;
  keeper->has_agent = true;
  char *own_path = strdup(path);
  if (!own_path || journal_adopt(&keeper->journal, journal, own_path) != 0 || spawn_prepare() != 0) _exit(71);
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  keeper->signals = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
  if (keeper->signals < 0) _exit(71);
  live(keeper);
  // The journal's lock goes with the process, after its last line.
  _exit(0);
}

int evk_start(const char *journal_path, evk_handle *out) {
  *out = (evk_handle){.socket = -1, .pid = -1, .phase = EVK_PHASE_JOURNAL};
  int error = 0;
  int journal = journal_open(journal_path, &error);
  if (journal < 0) return error;
  int sockets[2];
  out->phase = EVK_PHASE_SOCKET;
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sockets) != 0) {
    error = errno;
    close(journal);
    return error;
  }
  out->phase = EVK_PHASE_FORK;
  sigset_t all, before;
  sigfillset(&all);
  if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0) error = EINVAL;
  pid_t pid = error == 0 ? fork() : -1;
  if (pid == 0) {
    close(sockets[0]);
    be_keeper(sockets[1], journal, journal_path);
  }
  if (pid < 0 && error == 0) error = errno;
  (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
  close(sockets[1]);
  close(journal);
  if (pid < 0) {
    close(sockets[0]);
    return error;
  }
  *out = (evk_handle){.socket = sockets[0], .pid = pid, .phase = EVK_PHASE_NONE};
  return 0;
}
