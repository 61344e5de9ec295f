// Processes with nothing around them.
#include "floor.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>

static int32_t spawn_one(
    const char *const *arguments, const char *const *environment, const posix_spawn_file_actions_t *actions,
    int32_t *status, int64_t *peak_kib) {
  pid_t pid;
  int error = posix_spawn(&pid, arguments[0], actions, NULL, (char *const *)arguments, (char *const *)environment);
  if (error != 0) {
    errno = error;
    return EVF_FAILED;
  }
  struct rusage usage;
  int ended = 0;
  while (wait4(pid, &ended, 0, &usage) < 0) {
    if (errno != EINTR) return EVF_FAILED;
  }
  *status = ended;
  if (usage.ru_maxrss > *peak_kib) *peak_kib = usage.ru_maxrss;
  return EVF_DONE;
}

int32_t evf_spawn(
    const char *const *arguments, const char *const *environment, size_t count, int64_t *nanoseconds, int32_t *status,
    int64_t *peak_kib) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  int32_t outcome = EVF_DONE;
  *peak_kib = 0;
  for (size_t index = 0; index < count && outcome == EVF_DONE; index++) {
    if (evf_is_stopped()) {
      outcome = EVF_STOPPED;
      break;
    }
    int64_t began = evf_nanoseconds();
    outcome = spawn_one(arguments, environment, &actions, status, peak_kib);
    if (nanoseconds) nanoseconds[index] = evf_nanoseconds() - began;
  }
  int error = errno;
  posix_spawn_file_actions_destroy(&actions);
  errno = error;
  return outcome;
}
