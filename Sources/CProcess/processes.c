// Processes of this host: who they are, which belong to a step, and signals that cannot hit a stranger.
#include "keeper.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct table {
  struct process *rows;
  size_t count, capacity;
};

int64_t since_boot(void) {
  struct timespec now = {0, 0};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int evk_usable_cores(void) {
  // As many as any kernel may be built for; glibc's type of fixed size ends at 1,024.
  unsigned long mask[128];
  long size = syscall(SYS_sched_getaffinity, 0, sizeof mask, mask);
  int count = 0;
  for (size_t i = 0; size > 0 && i < (size_t)size / sizeof *mask; i++) count += __builtin_popcountl(mask[i]);
  return count;
}

int evk_eventfd(void) {
  return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

ssize_t read_file(const char *path, char *out, size_t room) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  ssize_t count;
  do {
    count = read(fd, out, room - 1);
  } while (count < 0 && errno == EINTR);
  close(fd);
  if (count >= 0) out[count] = 0;
  return count;
}

void evk_boot_id(char out[40]) {
  ssize_t count = read_file("/proc/sys/kernel/random/boot_id", out, 40);
  if (count < 0) count = 0;
  while (count > 0 && isspace((unsigned char)out[count - 1])) count--;
  out[count] = 0;
}

bool read_process(pid_t pid, struct process *out) {
  char path[64], text[1024];
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  if (read_file(path, text, sizeof text) <= 0) return false;
  // The name may hold anything, a parenthesis too; the last one ends it.
  char *before = strchr(text, '('), *after = strrchr(text, ')');
  if (!before || !after) return false;
  int parent, session, threads;
  char state;
  unsigned long long start_time;
  int fields = sscanf(after + 1,
                      " %c %d %*d %d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %d %*d %llu", &state,
                      &parent, &session, &threads, &start_time);
  if (fields != 5) return false;
  *out = (struct process){.pid = pid, .parent = parent, .session = session, .start_time = start_time,
                          .state = state, .has_threads = threads > 1};
  size_t length = (size_t)(after - before - 1);
  memcpy(out->name, before + 1, length < sizeof out->name ? length : sizeof out->name - 1);
  return true;
}

uint64_t evk_process_start_time(pid_t pid) {
  char state;
  return evk_process_state(pid, &state);
}

uint64_t evk_process_state(pid_t pid, char *state) {
  struct process process;
  if (pid <= 0 || !read_process(pid, &process)) return 0;
  *state = process.state;
  return process.start_time;
}

int evk_kill_checked(pid_t pid, uint64_t start_time, int signal) {
  if (pid <= 1) return ESRCH;
  // The descriptor holds on to one process; if that is the right one now, it is when the signal arrives.
  int fd = (int)syscall(SYS_pidfd_open, pid, 0);
  if (fd < 0 && errno != ENOSYS) return errno;
  int error = 0;
  if (evk_process_start_time(pid) != start_time) {
    error = ESRCH;
  } else if ((fd >= 0 ? (int)syscall(SYS_pidfd_send_signal, fd, signal, NULL, 0) : kill(pid, signal)) != 0) {
    error = errno;
  }
  if (fd >= 0) close(fd);
  return error;
}

static int by_pid(const void *a, const void *b) {
  pid_t left = ((const struct process *)a)->pid, right = ((const struct process *)b)->pid;
  return (left > right) - (left < right);
}

static struct process *find(const struct table *table, pid_t pid) {
  struct process key = {.pid = pid};
  if (table->count == 0) return NULL;
  return bsearch(&key, table->rows, table->count, sizeof key, by_pid);
}

static int snapshot(struct table *table) {
  DIR *directory = opendir("/proc");
  if (!directory) return errno;
  table->count = 0;
  struct dirent *entry;
  while ((entry = readdir(directory))) {
    char *end;
    long pid = strtol(entry->d_name, &end, 10);
    if (*end != 0 || pid <= 0) continue;
    if (table->count == table->capacity) {
      size_t capacity = table->capacity > 0 ? table->capacity * 2 : 1024;
      struct process *rows = realloc(table->rows, capacity * sizeof *rows);
      if (!rows) {
        closedir(directory);
        return ENOMEM;
      }
      table->rows = rows;
      table->capacity = capacity;
    }
    if (read_process((pid_t)pid, &table->rows[table->count])) table->count++;
  }
  closedir(directory);
  if (table->count > 0) qsort(table->rows, table->count, sizeof *table->rows, by_pid);
  return 0;
}

static bool is_wanted(const evk_root *roots, size_t count, const char digits[16]) {
  uint64_t ticket = 0;
  for (int i = 0; i < 16; i++) {
    char c = digits[i];
    if (!isxdigit((unsigned char)c)) return false;
    ticket = ticket * 16 + (uint64_t)(isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10);
  }
  for (size_t i = 0; i < count; i++) {
    if (roots[i].ticket == ticket) return true;
  }
  return false;
}

// Whether the environment of `pid` holds the mark of one of the roots. It may be megabytes long, so it goes
// through a buffer, byte after byte where a variable begins and in leaps where one does not matter.
static bool has_mark(pid_t pid, const evk_root *roots, size_t count) {
  static const char name[] = EVK_MARK_NAME "=";
  const size_t name_length = sizeof name - 1;
  char path[64], buffer[16384], digits[16];
  snprintf(path, sizeof path, "/proc/%d/environ", pid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  bool skipping = false, found = false;
  size_t matched = 0;
  while (!found) {
    ssize_t length = read(fd, buffer, sizeof buffer);
    if (length < 0 && errno == EINTR) continue;
    if (length <= 0) break;
    for (char *at = buffer, *end = buffer + length; at < end && !found; at++) {
      if (skipping) {
        at = memchr(at, 0, (size_t)(end - at));
        if (!at) break;
        skipping = false;
        matched = 0;
      } else if (matched < name_length) {
        skipping = *at != name[matched++];
        // A shorter variable has just ended here.
        if (skipping && *at == 0) skipping = false, matched = 0;
      } else if (matched < name_length + 16) {
        digits[matched++ - name_length] = *at;
        if (*at == 0) matched = 0;
      } else {
        found = *at == 0 && is_wanted(roots, count, digits);
        skipping = *at != 0;
        matched = 0;
      }
    }
  }
  close(fd);
  return found;
}

// Whether the process has the name of a minder of one of the roots, and our user.
static bool is_minder(const struct process *row, const evk_root *roots, size_t count) {
  if (strncmp(row->name, "ev-", 3) != 0) return false;
  for (size_t i = 0; i < count; i++) {
    char name[16], path[64];
    struct stat status;
    minder_name(roots[i].ticket, name);
    if (strcmp(row->name, name) != 0) continue;
    snprintf(path, sizeof path, "/proc/%d", row->pid);
    return stat(path, &status) == 0 && status.st_uid == geteuid();
  }
  return false;
}

// Marks the rows that belong to the roots. Kernel threads, init and ourselves never do.
static void select_rows(struct table *table, const evk_root *roots, size_t count) {
  uint64_t earliest = UINT64_MAX;
  for (size_t i = 0; i < count; i++) {
    if (roots[i].start_time < earliest) earliest = roots[i].start_time;
  }
  size_t minders = 0;
  for (size_t i = 0; i < table->count; i++) {
    table->rows[i].is_minder = is_minder(&table->rows[i], roots, count);
    if (table->rows[i].is_minder) minders++;
  }
  pid_t self = getpid();
  for (size_t i = 0; i < table->count; i++) {
    struct process *row = &table->rows[i];
    row->belongs = row->is_minder;
    // What descends from a minder is all there is of its step.
    if (minders >= count) continue;
    if (row->pid <= 2 || row->parent == 2 || row->pid == self || row->start_time < earliest) continue;
    for (size_t r = 0; r < count && !row->belongs; r++) {
      if (roots[r].pid <= 0 || row->session != roots[r].pid) continue;
      // The number of a session is its step's only as long as the step's main process has it.
      const struct process *leader = find(table, roots[r].pid);
      row->belongs = leader && leader->start_time == roots[r].start_time;
    }
    if (!row->belongs) row->belongs = has_mark(row->pid, roots, count);
  }
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t i = 0; i < table->count; i++) {
      struct process *row = &table->rows[i];
      if (row->belongs || row->pid <= 2 || row->pid == self) continue;
      const struct process *parent = find(table, row->parent);
      if (parent && parent->belongs) row->belongs = changed = true;
    }
  }
}

// A minder goes by itself. A process whose first thread has ended looks like a zombie while the others go on.
static bool can_be_signalled(const struct process *row) {
  if (!row->belongs || row->is_minder) return false;
  return (row->state != 'Z' && row->state != 'X') || row->has_threads;
}

int evk_find_tree(const evk_root *roots, size_t count, evk_found *out, size_t capacity) {
  struct table table = {0};
  int error = snapshot(&table);
  int found = 0;
  if (error == 0) {
    select_rows(&table, roots, count);
    for (size_t i = 0; i < table.count; i++) {
      if (!can_be_signalled(&table.rows[i])) continue;
      if ((size_t)found < capacity) {
        out[found] = (evk_found){.pid = table.rows[i].pid, .start_time = table.rows[i].start_time};
      }
      found++;
    }
  }
  free(table.rows);
  return error == 0 ? found : -error;
}

int evk_kill_tree(const evk_root *roots, size_t count, int signal) {
  struct table table = {0}, before = {0};
  int error = 0, signalled = 0;
  // A process may fork while the table is read, so it is read until nobody new is in it. Ten rounds: what
  // forks faster than that is a matter for the cgroup.
  for (int round = 0; round < 10 && error == 0; round++) {
    error = snapshot(&table);
    if (error != 0) break;
    select_rows(&table, roots, count);
    int fresh = 0;
    for (size_t i = 0; i < table.count; i++) {
      const struct process *row = &table.rows[i];
      if (!can_be_signalled(row)) continue;
      const struct process *earlier = find(&before, row->pid);
      if (earlier && earlier->belongs && earlier->start_time == row->start_time) continue;
      fresh++;
      if (evk_kill_checked(row->pid, row->start_time, signal) == 0) signalled++;
    }
    if (fresh == 0) break;
    struct table swap = before;
    before = table;
    table = swap;
  }
  free(table.rows);
  free(before.rows);
  return error == 0 ? signalled : -error;
}
