// A step before it is one: between its birth, in the memory and on the stack of its minder, and its program. Bare system
// calls only, as in minder.c.
#include "keeper.h"
#include "raw.h"

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>

// The kernel's signal set, not the C library's.
#define SIGNAL_SET_SIZE 8

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

void become(struct minding *minding) {
  const struct spawn_request *request = &minding->request;
  const evk_start_request *head = &request->head;
  minding->main_process = (pid_t)raw(SYS_getpid, 0);
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
