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
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

// The kernel's signal set, not the C library's.
#define SIGNAL_SET_SIZE 8

static size_t length_of(const char *text) {
  size_t length = 0;
  while (text[length] != 0) length++;
  return length;
}

// MARK: The step, before it is one

static void refuse(struct minding *minding, int phase, long error) __attribute__((noreturn));
static void refuse(struct minding *minding, int phase, long error) {
  minding->failure = (struct failure){.error = (int)-error, .phase = phase};
  if (minding->failures >= 0) (void)raw(SYS_write, minding->failures, &minding->failure, sizeof(struct failure));
  for (;;) (void)raw(SYS_exit_group, 127);
}

static void limit(struct minding *minding, int resource, rlim_t soft, rlim_t grace) {
  struct rlimit now;
  long error = raw(SYS_prlimit64, 0, resource, NULL, &now);
  if (error < 0) refuse(minding, EVK_PHASE_LIMIT, error);
  // A stricter limit of the agent's own stands.
  rlim_t hard = soft + grace < now.rlim_max ? soft + grace : now.rlim_max;
  struct rlimit wanted = {.rlim_cur = soft < hard ? soft : hard, .rlim_max = hard};
  error = raw(SYS_prlimit64, 0, resource, &wanted, NULL);
  if (error < 0) refuse(minding, EVK_PHASE_LIMIT, error);
}

// Leaves it `cores` of the cores it may use, if that is fewer; which ones goes round with the ticket.
static void limit_cores(struct minding *minding, unsigned cores, uint64_t ticket) {
  unsigned long mask[128], chosen[128];
  const size_t bits = 8 * sizeof *mask;
  long size = raw(SYS_sched_getaffinity, 0, sizeof mask, mask);
  if (size < 0) refuse(minding, EVK_PHASE_LIMIT, size);
  size_t words = (size_t)size / sizeof *mask;
  unsigned allowed = 0;
  for (size_t i = 0; i < words; i++) {
    chosen[i] = 0;
    for (unsigned long rest = mask[i]; rest != 0; rest &= rest - 1) allowed++;
  }
  if (allowed <= cores) return;
  unsigned first = (unsigned)(ticket % allowed), place = 0;
  for (size_t bit = 0; bit < words * bits; bit++) {
    if (!(mask[bit / bits] >> (bit % bits) & 1)) continue;
    if ((place++ + allowed - first) % allowed < cores) chosen[bit / bits] |= 1ul << (bit % bits);
  }
  long error = raw(SYS_sched_setaffinity, 0, size, chosen);
  if (error < 0) refuse(minding, EVK_PHASE_LIMIT, error);
}

// execvpe, but for three things: memory, a file without "#!" is not given to a shell, and a directory in
// PATH that cannot be searched does not hide that the program is nowhere. Returns -errno.
static long exec_program(char **arguments, char **environment) {
  const char *name = arguments[0];
  size_t name_length = 0;
  bool has_slash = false;
  for (; name[name_length] != 0; name_length++) has_slash = has_slash || name[name_length] == '/';
  if (has_slash) return raw(SYS_execve, name, arguments, environment);
  const char *path = "/bin:/usr/bin";
  for (char **variable = environment; *variable; variable++) {
    const char *text = *variable;
    if (text[0] == 'P' && text[1] == 'A' && text[2] == 'T' && text[3] == 'H' && text[4] == '=') path = text + 5;
  }
  if (name_length > NAME_MAX) return -ENAMETOOLONG;
  bool denied = false;
  for (const char *at = path;; at++) {
    const char *end = at;
    while (*end != 0 && *end != ':') end++;
    size_t length = (size_t)(end - at);
    char candidate[PATH_MAX];
    if (length + 1 + name_length + 1 <= sizeof candidate) {
      for (size_t i = 0; i < length; i++) candidate[i] = at[i];
      // An empty part is the working directory.
      if (length > 0) candidate[length++] = '/';
      for (size_t i = 0; i <= name_length; i++) candidate[length + i] = name[i];
      long error = raw(SYS_execve, candidate, arguments, environment);
      switch (-error) {
      case EACCES:
        denied = denied || raw(SYS_faccessat, AT_FDCWD, candidate, F_OK) == 0;
        break;
      case ENOENT: case ENOTDIR: case ENAMETOOLONG: case ELOOP: case ESTALE: case ENODEV: case ETIMEDOUT:
        break;
      default:
        return error;
      }
    }
    if (*end == 0) return denied ? -EACCES : -ENOENT;
    at = end;
  }
}

static void become(struct minding *minding) __attribute__((noreturn, noinline));
static void become(struct minding *minding) {
  const struct spawn_request *request = &minding->request;
  const evk_start_request *head = &request->head;
  (void)raw(SYS_prctl, PR_SET_NAME, "eventor-step");
  long error = raw(SYS_setsid, 0);
  if (error < 0) refuse(minding, EVK_PHASE_FORK, error);
  if (minding->cgroup >= 0) {
    long joined = raw(SYS_openat, minding->cgroup, "cgroup.procs", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (joined >= 0) joined = raw(SYS_write, joined, "0", 1);
    if (joined < 0) refuse(minding, EVK_PHASE_CGROUP, joined);
  }
  for (int fd = 0; fd <= 2; fd++) {
    error = raw(SYS_dup3, fd == 0 ? NULL_FD : minding->log, fd, 0);
    if (error < 0) refuse(minding, EVK_PHASE_LOG, error);
  }
  if (head->flags & EVK_LIMIT_MEMORY) limit(minding, RLIMIT_AS, head->memory_limit, 0);
  // SIGXCPU first; SIGKILL five seconds later for one that ignores it.
  if (head->flags & EVK_LIMIT_CPU) limit(minding, RLIMIT_CPU, head->cpu_limit, 5);
  if (head->flags & EVK_LIMIT_CORES) limit_cores(minding, head->cores, head->ticket);
  if (head->flags & EVK_CHANGE_USER) {
    error = raw(SYS_setgroups, head->group_count, request->groups);
    if (error == 0) error = raw(SYS_setresgid, head->gid, head->gid, head->gid);
    if (error < 0) refuse(minding, EVK_PHASE_GROUP, error);
    error = raw(SYS_setresuid, head->uid, head->uid, head->uid);
    if (error < 0) refuse(minding, EVK_PHASE_USER, error);
  }
  // As the user, who may be allowed less, or more, than the agent.
  if (request->directory[0] != 0) error = raw(SYS_chdir, request->directory);
  if (error < 0) refuse(minding, EVK_PHASE_CHDIR, error);
  // Every disposition of the keeper is the default already: it blocks instead of ignoring.
  uint64_t none = 0;
  error = raw(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, SIGNAL_SET_SIZE);
  if (error < 0) refuse(minding, EVK_PHASE_FORK, error);
  refuse(minding, EVK_PHASE_EXEC, exec_program(request->arguments, request->environment));
}

// MARK: The minder

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
