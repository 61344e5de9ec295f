// The processes of a step whose minder lives: what descends from it, found from parent to child without a walk through
// the whole process table. Each is signalled the moment it is seen, before its children are looked for, so that one that
// forks all the time has little time to do it in.
#include "keeper.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

// One pass visits no more: whoever forks faster than it is walked through is met again in the next pass.
#define MOST_IN_A_PASS 100000

struct walk {
  pid_t minder;
  int signal;
  bool then_continue;
  struct tally *tally;
  pid_t *waiting;
  size_t count, capacity, visited;
};

static bool push(struct walk *walk, pid_t pid) {
  if (walk->count == walk->capacity) {
    size_t capacity = walk->capacity > 0 ? walk->capacity * 2 : 64;
    pid_t *waiting = realloc(walk->waiting, capacity * sizeof *waiting);
    if (!waiting) return false;
    walk->waiting = waiting;
    walk->capacity = capacity;
  }
  walk->waiting[walk->count++] = pid;
  return true;
}

// `pid` was just read as a child of `parent`. The descriptor holds on to one process: if that is a child of the same
// parent now, or fell to the minder meanwhile, the signal reaches no stranger.
static void visit(struct walk *walk, pid_t pid, pid_t parent) {
  int fd = (int)syscall(SYS_pidfd_open, pid, 0);
  struct process process;
  bool is_ours = (fd >= 0 || errno == ENOSYS) && read_process(pid, &process)
    && (process.parent == parent || process.parent == walk->minder);
  if (is_ours) {
    bool ended = (process.state == 'Z' || process.state == 'X') && !process.has_threads;
    int sent = fd >= 0 ? (int)syscall(SYS_pidfd_send_signal, fd, walk->signal, NULL, 0) : kill(pid, walk->signal);
    if (!ended && sent == 0) walk->tally->signalled++;
    if (!ended && sent != 0 && errno == EPERM) walk->tally->denied++;
    // A stopped process has to go on to notice the signal.
    if (walk->then_continue && fd >= 0) (void)syscall(SYS_pidfd_send_signal, fd, SIGCONT, NULL, 0);
    if (walk->then_continue && fd < 0) (void)kill(pid, SIGCONT);
    walk->visited++;
    (void)push(walk, pid);
  }
  if (fd >= 0) close(fd);
}

// Reads /proc/PARENT/task/THREAD/children. False if there is no such file.
static bool visit_children_of_thread(struct walk *walk, pid_t parent, pid_t thread) {
  char path[80], text[4096];
  snprintf(path, sizeof path, "/proc/%d/task/%d/children", parent, thread);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  pid_t pid = 0;
  ssize_t length;
  while ((length = read(fd, text, sizeof text)) > 0 && walk->visited < MOST_IN_A_PASS) {
    for (ssize_t i = 0; i < length; i++) {
      if (text[i] >= '0' && text[i] <= '9') {
        pid = pid * 10 + (text[i] - '0');
      } else if (pid > 0) {
        visit(walk, pid, parent);
        pid = 0;
      }
    }
  }
  if (pid > 0) visit(walk, pid, parent);
  close(fd);
  return true;
}

static void visit_children(struct walk *walk, pid_t parent) {
  char path[48];
  snprintf(path, sizeof path, "/proc/%d/task", parent);
  DIR *directory = opendir(path);
  // It has ended; what it had fell to the minder.
  if (!directory) return;
  struct dirent *entry;
  while ((entry = readdir(directory))) {
    char *end;
    long thread = strtol(entry->d_name, &end, 10);
    if (*end == 0 && thread > 0) (void)visit_children_of_thread(walk, parent, (pid_t)thread);
  }
  closedir(directory);
}

int tree_signal(pid_t minder, int signal, bool then_continue, struct tally *tally) {
  struct walk walk = {.minder = minder, .signal = signal, .then_continue = then_continue, .tally = tally};
  *tally = (struct tally){0, 0};
  // A minder has one thread. Where the kernel keeps no such file (CONFIG_PROC_CHILDREN), there is another way.
  if (!visit_children_of_thread(&walk, minder, minder)) return ENOENT;
  while (walk.count > 0 && walk.visited < MOST_IN_A_PASS) visit_children(&walk, walk.waiting[--walk.count]);
  free(walk.waiting);
  return 0;
}
