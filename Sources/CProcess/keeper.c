// The keeper's life: forked by evk_start, it serves the agent as long as there is one and waits for the
// steps as long as there are any. One thread, one loop, no signal handler, nothing that may block for long.
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
#include <sys/timerfd.h>
#include <unistd.h>

// After so many requests the ended steps have their turn.
#define REQUESTS_IN_A_ROW 8

static void lose_agent(struct keeper *keeper) {
  if (!keeper->has_agent) return;
  close(keeper->socket);
  keeper->has_agent = false;
  keeper->outbox.count = 0;
  keeper->outbox.sent_bytes = 0;
  free(keeper->inbox.bytes);
  keeper->inbox = (struct inbox){0};
  forget_owed(keeper);
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
    serve(keeper, &head, body, length, true);
  }
  if (keeper->has_agent) inbox_trim(&keeper->inbox);
}

// What a successor asks for is little: it is done at once.
static void serve_client(struct keeper *keeper, struct client *client) {
  evk_request head;
  const unsigned char *body;
  size_t length;
  int read = inbox_read(&client->inbox, client->socket), got;
  while ((got = inbox_next(&client->inbox, &head, &body, &length)) > 0) serve(keeper, &head, body, length, false);
  if (read < 0 || got < 0) control_close(client);
  else inbox_trim(&client->inbox);
}

static bool has_any_left(const struct keeper *keeper, const char *prefix) {
  size_t length = strlen(prefix);
  for (size_t i = 0; i < STEP_BUCKETS; i++) {
    for (const struct step *step = keeper->steps.by_ticket[i]; step; step = step->next_by_ticket) {
      // What is out of reach is not waited for.
      if (!is_gone(step) && (step->is_due || !step->is_published) && strncmp(step->key, prefix, length) == 0) {
        return true;
      }
    }
  }
  return false;
}

static void look_at_waiters(struct keeper *keeper) {
  struct waiter **link = &keeper->waiters, *waiter;
  while ((waiter = *link) && outbox_has_room(&keeper->outbox)) {
    if (keeper->has_agent && has_any_left(keeper, waiter->prefix)) {
      link = &waiter->next;
      continue;
    }
    answer(keeper, &(struct step){.ticket = waiter->ticket}, EVK_NONE_LEFT);
    *link = waiter->next;
    free(waiter);
  }
  keeper->must_look_at_waiters = keeper->waiters != NULL && waiter != NULL;
}

static void drain_signals(struct keeper *keeper) {
  struct signalfd_siginfo info[16];
  while (read(keeper->signals, info, sizeof info) > 0) {
  }
  keeper->must_reap = true;
}

static void drain_timer(struct keeper *keeper) {
  uint64_t count;
  (void)!read(keeper->timer, &count, sizeof count);
}

// Everything is told and written, no step is left, and nothing that must not be left.
static bool is_done(const struct keeper *keeper) {
  if (keeper->steps.running > 0 || keeper->steps.unwritten > 0 || keeper->first_due) return false;
  if (!keeper->has_agent) return true;
  return keeper->is_quitting && !keeper->first_owed && !keeper->waiters && keeper->outbox.count == 0
    && !inbox_has_next(&keeper->inbox);
}

enum { SIGNALS, REPORTS, TIMER, LISTENER, AGENT, FIRST_CLIENT, POLLED = FIRST_CLIENT + CLIENTS };

static void wait_for_something(struct keeper *keeper, struct pollfd polled[POLLED]) {
  bool has_room = outbox_has_room(&keeper->outbox);
  polled[SIGNALS] = (struct pollfd){.fd = keeper->signals, .events = POLLIN};
  polled[REPORTS] = (struct pollfd){.fd = keeper->reports, .events = POLLIN};
  polled[TIMER] = (struct pollfd){.fd = keeper->timer, .events = POLLIN};
  polled[LISTENER] = (struct pollfd){.fd = keeper->control.listener, .events = POLLIN};
  polled[AGENT] = (struct pollfd){
    .fd = keeper->has_agent ? keeper->socket : -1,
    .events = (short)((has_room ? POLLIN : 0) | (keeper->outbox.count > 0 ? POLLOUT : 0))};
  for (int i = 0; i < CLIENTS; i++) {
    polled[FIRST_CLIENT + i] = (struct pollfd){.fd = keeper->control.clients[i].socket, .events = POLLIN};
  }
  bool has_work = keeper->has_agent && has_room && inbox_has_next(&keeper->inbox);
  int timeout = has_work || keeper->must_reap ? 0 : keeper->steps.unwritten > 0 ? 1000 : -1;
  if (poll(polled, POLLED, timeout) >= 0) return;
  for (int i = 0; i < POLLED; i++) polled[i].revents = 0;
  // Only memory can be short here; a moment later there may be some.
  if (errno != EINTR) (void)poll(NULL, 0, 10);
}

static void hear_agent(struct keeper *keeper, short events) {
  if (events & (POLLHUP | POLLERR)) keeper->agent_left = true;
  // With requests waiting there is no hurry to read more, and memory stays bounded.
  if ((events & (POLLIN | POLLHUP | POLLERR)) && !inbox_has_next(&keeper->inbox)) {
    if (inbox_read(&keeper->inbox, keeper->socket) < 0) lose_agent(keeper);
  }
}

static void tell_agent(struct keeper *keeper) {
  tell_owed(keeper);
  if (keeper->must_look_at_waiters) look_at_waiters(keeper);
  if (!keeper->has_agent || keeper->outbox.count == 0) return;
  // An agent that has gone hears nothing, but what it had asked for is still in the inbox.
  if (outbox_flush(&keeper->outbox, keeper->socket) < 0) {
    keeper->agent_left = true;
    keeper->outbox.count = 0;
    keeper->outbox.sent_bytes = 0;
  }
}

static void live(struct keeper *keeper) {
  keeper->must_reap = true;
  while (!is_done(keeper)) {
    struct pollfd polled[POLLED];
    wait_for_something(keeper, polled);
    if (polled[SIGNALS].revents) drain_signals(keeper);
    if (polled[TIMER].revents) drain_timer(keeper);
    if (polled[REPORTS].revents) take_reports(keeper);
    if (keeper->must_reap) reap(keeper);
    if (keeper->has_agent && polled[AGENT].revents) hear_agent(keeper, polled[AGENT].revents);
    serve_some(keeper);
    for (int i = 0; i < CLIENTS; i++) {
      if (polled[FIRST_CLIENT + i].revents) serve_client(keeper, &keeper->control.clients[i]);
    }
    if (polled[LISTENER].revents) control_accept(&keeper->control);
    deadlines_run(keeper);
    tell_agent(keeper);
    if (keeper->steps.unwritten > 0) journal_retry(&keeper->journal, &keeper->steps);
  }
}

static void close_from(int first) {
  if (close_range((unsigned)first, ~0u, 0) == 0) return;
  long most = sysconf(_SC_OPEN_MAX);
  for (int fd = first; fd < most; fd++) close(fd);
}

// Leaves nothing open but 0 to 2 on /dev/null, what minders need, and what is the keeper's own.
static int settle_descriptors(struct keeper *keeper, int socket, int journal) {
  int reports[2];
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0 || pipe2(reports, O_CLOEXEC) != 0) return errno;
  // In this order from REPORTS_FD on; the second is NULL_FD.
  int all[] = {reports[1], null, reports[0], socket, journal};
  const int count = sizeof all / sizeof *all;
  for (int i = 0; i < count; i++) {
    if ((all[i] = fcntl(all[i], F_DUPFD_CLOEXEC, 16)) < 0) return errno;
  }
  for (int i = 0; i < count; i++) {
    if ((all[i] = dup3(all[i], REPORTS_FD + i, O_CLOEXEC)) < 0) return errno;
  }
  for (int fd = 0; fd <= 2; fd++) {
    if (dup2(NULL_FD, fd) < 0) return errno;
  }
  close_from(REPORTS_FD + count);
  keeper->reports = all[2];
  keeper->socket = all[3];
  keeper->journal.fd = all[4];
  // Minders wait for room in the pipe, the keeper does not wait for them.
  return fcntl(keeper->reports, F_SETFL, O_NONBLOCK) == 0 ? 0 : errno;
}

// The bare call, since the C library keeps two signals to itself, which a parent may have had ignored.
static void set_default_dispositions(void) {
  static const char default_action[64];
  for (int number = 1; number < NSIG; number++) {
    (void)syscall(SYS_rt_sigaction, number, default_action, NULL, (size_t)(NSIG - 1) / 8);
  }
}

static int prepare(struct keeper *keeper, int socket, int journal, const char *path, pid_t agent) {
  int error = settle_descriptors(keeper, socket, journal);
  char *own_path = strdup(path), name[64];
  if (error != 0 || !own_path) return error != 0 ? error : ENOMEM;
  error = journal_adopt(&keeper->journal, keeper->journal.fd, own_path);
  if (error != 0) return error;
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  keeper->signals = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
  keeper->timer = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
  if (keeper->signals < 0 || keeper->timer < 0) return errno;
  keeper->next_due = keeper->timer_set_to = INT64_MAX;
  control_open(&keeper->control, name);
  if (keeper->control.listener >= 0) journal_greet(&keeper->journal, name, agent);
  return 0;
}

static void be_keeper(int socket, int journal, const char *path, pid_t agent) __attribute__((noreturn));
static void be_keeper(int socket, int journal, const char *path, pid_t agent) {
  // All signals are blocked since before the fork, so that none has to be ignored: a program inherits what is
  // ignored, but a step gets an empty mask. What the agent had set goes back to the default for the same reason.
  set_default_dispositions();
  (void)setsid();
  // For what a minder had that somebody has killed.
  (void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  (void)prctl(PR_SET_NAME, "eventor-keeper", 0, 0, 0);
  struct keeper *keeper = calloc(1, sizeof *keeper);
  if (!keeper || prepare(keeper, socket, journal, path, agent) != 0) _exit(71);
  keeper->has_agent = true;
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
  pid_t agent = getpid(), pid = error == 0 ? fork() : -1;
  if (pid == 0) {
    close(sockets[0]);
    be_keeper(sockets[1], journal, journal_path, agent);
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
