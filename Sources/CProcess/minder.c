// The minder of one step: a process that starts it, waits for it, and is the reaper of everything that comes of it.
// Whatever a step does (forks twice, makes a session of its own, clears its environment), what it leaves behind falls to
// its minder, so the processes of a step are those that descend from its minder, and when the minder has no child left,
// nothing of the step is left. It also spares the keeper all that may take long: opening a log and becoming a
// program on a disk that does not answer.
//
// It shares the memory of the keeper (a copy of the page tables would cost as much as the step) and runs beside it. So
// nothing here may allocate, set errno or change memory other than its own `struct minding`: bare system calls only.
#include "keeper.h"
#include "raw.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

static size_t length_of(const char *text) {
  size_t length = 0;
  while (text[length] != 0) length++;
  return length;
}

// As posix_spawn does it, the child has the minder's memory and stack, and the minder stands still until it has become
// the program. Where the user changes it gets a copy, since memory must not be shared with a process of another user.
// A function of its own, because the child overwrites what is below its frame.
static long make_child(struct minding *minding) __attribute__((noinline));
static long make_child(struct minding *minding) {
  unsigned long flags = CLONE_VFORK | SIGCHLD;
  if (MINDERS_SHARE_MEMORY && !(minding->request.head.flags & EVK_CHANGE_USER)) flags |= CLONE_VM;
  long pid = raw(SYS_clone, flags, 0);
  if (pid == 0) become(minding);
  return pid;
}

static long spawn(struct minding *minding) {
  int pipe[2] = {-1, -1};
  bool has_own_memory = !MINDERS_SHARE_MEMORY || (minding->request.head.flags & EVK_CHANGE_USER);
  long error = has_own_memory ? raw(SYS_pipe2, pipe, O_CLOEXEC | O_NONBLOCK) : 0;
  minding->failures = pipe[1];
  long pid = error < 0 ? error : make_child(minding);
  if (pid < 0) {
    minding->failure = (struct failure){.error = (int)-pid, .phase = EVK_PHASE_FORK};
    return pid;
  }
  if (has_own_memory) (void)raw(SYS_read, pipe[0], &minding->failure, sizeof(struct failure));
  for (int end = 0; has_own_memory && end < 2; end++) (void)raw(SYS_close, pipe[end]);
  if (minding->failure.phase == EVK_PHASE_NONE) return pid;
  (void)raw(SYS_wait4, pid, NULL, __WALL, NULL);
  return -1;
}

static bool open_log(struct minding *minding) {
  const struct spawn_request *request = &minding->request;
  // O_NONBLOCK so that a fifo without a reader is an error and not the end of all waiting.
  long log = raw(SYS_openat, AT_FDCWD, request->log,
                 O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK, 0640);
  long error = log;
  if (error >= 0) error = raw(SYS_fcntl, log, F_GETFL);
  if (error >= 0) error = raw(SYS_fcntl, log, F_SETFL, error & ~O_NONBLOCK);
  if (error < 0) {
    minding->failure = (struct failure){.error = (int)-error, .phase = EVK_PHASE_LOG};
    return false;
  }
  // So that the step can open /dev/stdout and /dev/stderr. Where it cannot be, it still has its descriptors.
  if (request->head.flags & EVK_CHANGE_USER) (void)raw(SYS_fchown, log, request->head.uid, -1);
  minding->log = (int)log;
  return true;
}

static bool make_cgroup(struct minding *minding) {
  const struct spawn_request *request = &minding->request;
  if (request->cgroup[0] == 0) return true;
  long error = raw(SYS_mkdirat, AT_FDCWD, request->cgroup, 0755);
  // One that a dead agent has left, with nothing in it.
  if (error == -EEXIST) error = 0;
  if (error >= 0) error = raw(SYS_openat, AT_FDCWD, request->cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (error >= 0) minding->cgroup = (int)error;
  for (char **setting = request->settings; error >= 0 && *setting; setting += 2) {
    long file = raw(SYS_openat, minding->cgroup, setting[0], O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    error = file < 0 ? file : raw(SYS_write, file, setting[1], length_of(setting[1]));
    if (file >= 0) (void)raw(SYS_close, file);
  }
  if (error < 0) minding->failure = (struct failure){.error = (int)-error, .phase = EVK_PHASE_CGROUP};
  return error >= 0;
}

// Whether the kernel has killed a process of the cgroup for want of memory: "oom_kill N" in memory.events.
static bool was_out_of_memory(const struct minding *minding) {
  static const char wanted[] = "oom_kill ";
  char text[512];
  long file = raw(SYS_openat, minding->cgroup, "memory.events", O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  long count = raw(SYS_read, file, text, sizeof text);
  (void)raw(SYS_close, file);
  size_t matched = 0;
  for (long i = 0; i < count; i++) {
    if (wanted[matched] == 0) return text[i] >= '1' && text[i] <= '9';
    matched = text[i] == wanted[matched] ? matched + 1 : 0;
  }
  return false;
}

static void remove_cgroup(const struct minding *minding) {
  if (minding->cgroup < 0) return;
  // The kernel may still be busy with the last of its processes. What stays is swept by the next agent.
  for (int tries = 0; tries < 20; tries++) {
    if (raw(SYS_unlinkat, AT_FDCWD, minding->request.cgroup, AT_REMOVEDIR) != -EBUSY) return;
    struct timespec moment = {.tv_nsec = 5000000};
    (void)raw(SYS_nanosleep, &moment, NULL);
  }
}

static int64_t microseconds(int clock) {
  struct timespec now = {0, 0};
  (void)raw(SYS_clock_gettime, clock, &now);
  return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

// Field 22 of /proc/PID/stat, of a child that nobody has waited for: the number is still its own.
static uint64_t start_time_of(long pid) {
  char path[32] = "/proc/", digits[20], text[1024];
  size_t length = 6, count = 0;
  for (long rest = pid; rest > 0; rest /= 10) digits[count++] = (char)('0' + rest % 10);
  while (count > 0) path[length++] = digits[--count];
  const char stat[] = "/stat";
  for (size_t i = 0; i < sizeof stat; i++) path[length + i] = stat[i];
  long file = raw(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  long size = raw(SYS_read, file, text, sizeof text);
  (void)raw(SYS_close, file);
  // The name may hold anything, a parenthesis too; the last one ends it. Field 3 stands after the next space.
  long at = size - 1;
  while (at >= 0 && text[at] != ')') at--;
  int field = 2;
  uint64_t value = 0;
  for (at++; at > 0 && at < size && field <= 22; at++) {
    if (text[at] == ' ') field++;
    else if (field == 22) value = value * 10 + (uint64_t)(text[at] - '0');
  }
  return value;
}

static void report(const struct report *report) {
  // If the keeper is gone, nobody hears it.
  (void)raw(SYS_write, REPORTS_FD, report, sizeof *report);
}

static void close_from_raw(unsigned first) {
  if (raw(SYS_close_range, first, ~0u, 0) == 0) return;
  for (unsigned fd = first; fd < 256; fd++) (void)raw(SYS_close, fd);
}

int mind(void *argument) {
  struct minding *minding = argument;
  struct report told = {.ticket = minding->request.head.ticket};
  // The journal's lock above all: it must not outlive the keeper.
  close_from_raw(NULL_FD + 1);
  (void)raw(SYS_prctl, PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  (void)raw(SYS_prctl, PR_SET_NAME, minding->name);
  long main_process = open_log(minding) && make_cgroup(minding) ? spawn(minding) : -1;
  if (main_process < 0) {
    told.kind = REPORT_NOT_STARTED;
    told.error = minding->failure.error;
    told.phase = minding->failure.phase;
    report(&told);
  } else {
    told.kind = REPORT_STARTED;
    told.pid = (int32_t)main_process;
    told.start_time = start_time_of(main_process);
    report(&told);
  }
  (void)raw(SYS_close, minding->log);
  for (;;) {
    int status = 0;
    struct rusage usage;
    long pid = raw(SYS_wait4, -1, &status, __WALL, &usage);
    if (pid == -EINTR) continue;
    if (pid < 0) break;
    // An orphan of the step, which fell to us as its reaper.
    if (pid != main_process) continue;
    // Its number may belong to an orphan from now on.
    main_process = -1;
    told.kind = REPORT_ENDED;
    told.status = status;
    told.wall_us = microseconds(CLOCK_MONOTONIC) - minding->began_us;
    told.ended_epoch_us = microseconds(CLOCK_REALTIME);
    told.max_resident_kib = usage.ru_maxrss;
    told.user_us = (int64_t)usage.ru_utime.tv_sec * 1000000 + usage.ru_utime.tv_usec;
    told.system_us = (int64_t)usage.ru_stime.tv_sec * 1000000 + usage.ru_stime.tv_usec;
    told.out_of_memory = minding->cgroup >= 0 && was_out_of_memory(minding);
    report(&told);
  }
  remove_cgroup(minding);
  for (;;) (void)raw(SYS_exit_group, 0);
}
