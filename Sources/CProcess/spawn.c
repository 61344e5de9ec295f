// Starts one step. The child shares the keeper's memory until it has become the program (as posix_spawn does
// it), which spares copying page tables; where the user changes it gets a copy, since memory must not be
// shared with a process of another user. Either way the keeper stands still until exec, so that the result
// is known at once, in a page both see.
#include "keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define STACK_SIZE (256u << 10)

struct child {
  const struct spawn_request *request;
  int log;
};

static char *stack;
static struct failure *shared;
static int dev_null = -1;

int spawn_prepare(void) {
  // The lowest page stays forbidden: an overflow must not reach the keeper's memory.
  stack = mmap(NULL, STACK_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (stack == MAP_FAILED) return errno;
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  if (mprotect(stack + page, STACK_SIZE - page, PROT_READ | PROT_WRITE) != 0) return errno;
  shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return errno;
  dev_null = open("/dev/null", O_RDWR | O_CLOEXEC);
  return dev_null < 0 ? errno : 0;
}

// From here to exec nothing may allocate or leave anything changed in memory but `shared` and errno.

static void refuse(int phase) __attribute__((noreturn));
static void refuse(int phase) {
  shared->error = errno;
  shared->phase = phase;
  _exit(127);
}

static void limit(int resource, rlim_t soft, rlim_t grace) {
  struct rlimit now;
  if (getrlimit((__rlimit_resource_t)resource, &now) != 0) refuse(EVK_PHASE_LIMIT);
  // A stricter limit of the agent's own stands.
  rlim_t hard = soft + grace < now.rlim_max ? soft + grace : now.rlim_max;
  struct rlimit wanted = {.rlim_cur = soft < hard ? soft : hard, .rlim_max = hard};
  if (setrlimit((__rlimit_resource_t)resource, &wanted) != 0) refuse(EVK_PHASE_LIMIT);
}

// execvpe, but for three things: memory, a file without "#!" is not given to a shell, and a directory in
// PATH that cannot be searched does not hide that the program is nowhere.
static int exec_program(char **arguments, char **environment) {
  const char *name = arguments[0];
  if (strchr(name, '/')) {
    execve(name, arguments, environment);
    return errno;
  }
  const char *path = "/bin:/usr/bin";
  for (char **variable = environment; *variable; variable++) {
    if (strncmp(*variable, "PATH=", 5) == 0) path = *variable + 5;
  }
  size_t name_length = strlen(name);
  if (name_length > NAME_MAX) return ENAMETOOLONG;
  bool denied = false;
  for (const char *at = path;; at++) {
    const char *end = strchrnul(at, ':');
    size_t length = (size_t)(end - at);
    char candidate[PATH_MAX];
    if (length + 1 + name_length + 1 <= sizeof candidate) {
      memcpy(candidate, at, length);
      // An empty part is the working directory.
      if (length > 0) candidate[length++] = '/';
      memcpy(candidate + length, name, name_length + 1);
      execve(candidate, arguments, environment);
      switch (errno) {
      case EACCES:
        denied = denied || faccessat(AT_FDCWD, candidate, F_OK, 0) == 0;
        break;
      case ENOENT: case ENOTDIR: case ENAMETOOLONG: case ELOOP: case ESTALE: case ENODEV: case ETIMEDOUT:
        break;
      default:
        return errno;
      }
    }
    if (*end == 0) return denied ? EACCES : ENOENT;
    at = end;
  }
}

static int become(void *argument) {
  const struct child *child = argument;
  const struct spawn_request *request = child->request;
  const evk_start_request *head = &request->head;
  if (setsid() < 0) refuse(EVK_PHASE_FORK);
  if (dup2(dev_null, 0) < 0 || dup2(child->log, 1) < 0 || dup2(child->log, 2) < 0) refuse(EVK_PHASE_LOG);
  if (head->flags & EVK_LIMIT_MEMORY) limit(RLIMIT_AS, head->memory_limit, 0);
  // SIGXCPU first; SIGKILL five seconds later for one that ignores it.
  if (head->flags & EVK_LIMIT_CPU) limit(RLIMIT_CPU, head->cpu_limit, 5);
  if (head->flags & EVK_CHANGE_USER) {
    // The bare calls: the C library's would tell threads that are not there.
    if (syscall(SYS_setgroups, (size_t)head->group_count, request->groups) != 0) refuse(EVK_PHASE_GROUP);
    if (syscall(SYS_setresgid, head->gid, head->gid, head->gid) != 0) refuse(EVK_PHASE_GROUP);
    if (syscall(SYS_setresuid, head->uid, head->uid, head->uid) != 0) refuse(EVK_PHASE_USER);
  }
  // As the user, who may be allowed less, or more, than the agent.
  if (request->directory[0] != 0 && chdir(request->directory) != 0) refuse(EVK_PHASE_CHDIR);
  // Every disposition of the keeper is the default already: it blocks instead of ignoring.
  sigset_t none;
  sigemptyset(&none);
  if (sigprocmask(SIG_SETMASK, &none, NULL) != 0) refuse(EVK_PHASE_FORK);
  errno = exec_program(request->arguments, request->environment);
  refuse(EVK_PHASE_EXEC);
}

pid_t spawn_step(const struct spawn_request *request, struct failure *failure) {
  bool changes_user = request->head.flags & EVK_CHANGE_USER;
  struct child child = {.request = request, .log = -1};
  // O_NONBLOCK so that a fifo without a reader is an error and not the end of all waiting.
  child.log = open(request->log,
                   O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK, 0640);
  if (child.log < 0) {
    *failure = (struct failure){.error = errno, .phase = EVK_PHASE_LOG};
    return -1;
  }
  int flags = fcntl(child.log, F_GETFL);
  if (flags < 0 || fcntl(child.log, F_SETFL, flags & ~O_NONBLOCK) != 0) {
    *failure = (struct failure){.error = errno, .phase = EVK_PHASE_LOG};
    close(child.log);
    return -1;
  }
  // So that the step can open /dev/stdout and /dev/stderr. Where it cannot be, it still has its descriptors.
  if (changes_user && fchown(child.log, request->head.uid, (gid_t)-1) != 0) errno = 0;
  *shared = (struct failure){0, 0};
  pid_t pid = clone(become, stack + STACK_SIZE, CLONE_VFORK | (changes_user ? 0 : CLONE_VM) | SIGCHLD, &child);
  int error = errno;
  close(child.log);
  if (pid < 0) {
    *failure = (struct failure){.error = error, .phase = EVK_PHASE_FORK};
    return -1;
  }
  if (shared->phase == EVK_PHASE_NONE) return pid;
  *failure = *shared;
  while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
  }
  return -1;
}
