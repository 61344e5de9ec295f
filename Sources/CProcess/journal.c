// The journal: what must survive the agent, a line for each happening, each line one write. It is not synced
// to the disk: it has to outlive processes, and no step outlives the host.
#include "keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

// A key has at most 512 bytes, ten numbers at most 20 each.
#define LINE_ROOM 1024
#define REWRITE_FROM (4u << 20)

// Whether `path` still names the file that is open as `fd`: it may have been replaced or removed meanwhile.
static bool is_still(int fd, const char *path) {
  struct stat by_fd, by_path;
  return fstat(fd, &by_fd) == 0 && stat(path, &by_path) == 0 && by_fd.st_ino == by_path.st_ino
    && by_fd.st_dev == by_path.st_dev;
}

int journal_open(const char *path, int *error) {
  for (int tries = 0; tries < 8; tries++) {
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
      *error = errno;
      return -1;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
      *error = errno;
      close(fd);
      return -1;
    }
    if (is_still(fd, path)) return fd;
    close(fd);
  }
  *error = EWOULDBLOCK;
  return -1;
}

int evk_journal_remove(const char *path) {
  int error = 0;
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return errno == ENOENT ? 0 : errno;
  // Under its lock, so that no keeper begins with it meanwhile: journal_open looks at the name again.
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    error = errno;
  } else if (!is_still(fd, path)) {
    error = EWOULDBLOCK;
  } else if (unlink(path) != 0) {
    error = errno;
  }
  close(fd);
  return error;
}

int evk_journal_held(const char *path) {
  for (int tries = 0; tries < 8; tries++) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return -errno;
    int locked = flock(fd, LOCK_SH | LOCK_NB);
    int error = errno;
    // A rewritten journal is another file under the same name: the lock on the old one says nothing.
    bool current = is_still(fd, path);
    close(fd);
    if (locked != 0) return error == EWOULDBLOCK ? 1 : -error;
    if (current) return 0;
  }
  return 1;
}

int journal_adopt(struct journal *journal, int fd, const char *path) {
  struct stat status;
  if (fstat(fd, &status) != 0) return errno;
  journal->fd = fd;
  journal->path = path;
  journal->size = (uint64_t)status.st_size;
  journal->complete = status.st_size == 0;
  // What an earlier keeper wrote may end in the middle of a line.
  journal->torn = status.st_size > 0;
  journal->rewrite_at = REWRITE_FROM;
  evk_boot_id(journal->boot_id);
  if (journal->boot_id[0] == 0) strcpy(journal->boot_id, "-");
  return 0;
}

static int append(struct journal *journal, const char *bytes, size_t length) {
  if (journal->torn) {
    ssize_t count = write(journal->fd, "\n", 1);
    if (count != 1) return count < 0 ? errno : ENOSPC;
    journal->torn = false;
    journal->size++;
  }
  ssize_t count;
  do {
    count = write(journal->fd, bytes, length);
  } while (count < 0 && errno == EINTR);
  if (count < 0) return errno;
  journal->size += (uint64_t)count;
  if ((size_t)count == length) return 0;
  journal->torn = count > 0;
  return ENOSPC;
}

static const char *phase_name(int phase) {
  static const char *const names[] = {
    "none", "user", "group", "chdir", "log", "exec", "fork", "limit", "journal", "quitting", "socket", "cgroup",
    "cut_off",
  };
  return phase >= 0 && phase < (int)(sizeof names / sizeof *names) ? names[phase] : "unknown";
}

// The lines there are of a step, in the order in which they are written.
enum line { LINE_ANNOUNCED, LINE_RUNNING, LINE_CUT_OFF, LINE_FINAL, LINES };

static bool is_due(const struct step *step, enum line line) {
  switch (line) {
  case LINE_ANNOUNCED: return true;
  case LINE_RUNNING: return step->pid > 0;
  case LINE_CUT_OFF: return step->cut_off;
  case LINE_FINAL: return step->is_published;
  case LINES: break;
  }
  return false;
}

static size_t describe(const struct journal *journal, const struct step *step, enum line line,
                       char text[LINE_ROOM]) {
  unsigned long long ticket = step->ticket;
  int length = 0;
  switch (line) {
  case LINE_ANNOUNCED:
    length = snprintf(text, LINE_ROOM, "A %s %llu\n", step->key, ticket);
    break;
  case LINE_RUNNING:
    length = snprintf(text, LINE_ROOM, "S %s %llu %d %llu %s\n", step->key, ticket, step->pid,
                      (unsigned long long)step->start_time, journal->boot_id);
    break;
  case LINE_CUT_OFF:
    length = snprintf(text, LINE_ROOM, "G %s %llu\n", step->key, ticket);
    break;
  case LINE_FINAL:
    if (step->state == STEP_NOT_STARTED) {
      length = snprintf(text, LINE_ROOM, "N %s %llu %d %s\n", step->key, ticket, step->error,
                        phase_name(step->phase));
    } else {
      length = snprintf(text, LINE_ROOM, "E %s %llu %d %s %d %lld %lld %lld %lld %lld\n", step->key, ticket,
                        step->pid, step->cause == EVK_SIGNALLED ? "signal" : "exit", step->value,
                        (long long)step->max_resident_kib, (long long)step->user_us,
                        (long long)step->system_us, (long long)step->ended_epoch_us, (long long)step->wall_us);
    }
    break;
  case LINES:
    break;
  }
  return length > 0 && length < LINE_ROOM ? (size_t)length : 0;
}

static int write_due(struct journal *journal, const struct step *step, unsigned *written) {
  for (enum line line = LINE_ANNOUNCED; line < LINES; line++) {
    char text[LINE_ROOM];
    if ((*written & 1u << line) || !is_due(step, line)) continue;
    size_t length = describe(journal, step, line, text);
    int error = length > 0 ? append(journal, text, length) : EINVAL;
    if (error != 0) return error;
    *written |= 1u << line;
  }
  return 0;
}

void journal_greet(struct journal *journal, const char *name, pid_t agent) {
  (void)snprintf(journal->greeting, sizeof journal->greeting, "K %s %d %d %llu %s\n", name, getpid(), agent,
                 (unsigned long long)evk_process_start_time(agent), journal->boot_id);
  // Without it a successor has to do without the keeper; there is no use in trying again.
  (void)append(journal, journal->greeting, strlen(journal->greeting));
}

int journal_announce(struct journal *journal, struct step *step) {
  return write_due(journal, step, &step->written);
}

void journal_note(struct journal *journal, struct steps *steps, struct step *step) {
  bool failed = write_due(journal, step, &step->written) != 0;
  if (failed != step->is_unwritten) steps->unwritten += failed ? 1 : (size_t)-1;
  step->is_unwritten = failed;
}

void journal_retry(struct journal *journal, struct steps *steps) {
  for (size_t i = 0; i < STEP_BUCKETS && steps->unwritten > 0; i++) {
    for (struct step *step = steps->by_ticket[i]; step; step = step->next_by_ticket) {
      if (!step->is_unwritten) continue;
      journal_note(journal, steps, step);
      // Still no room: the others need not try.
      if (step->is_unwritten) return;
    }
  }
}

// Replaces the journal by one without what is recorded. Whatever fails, the old one is as good as before.
static void rewrite(struct journal *journal, struct steps *steps) {
  char path[PATH_MAX];
  int length = snprintf(path, sizeof path, "%s.new", journal->path);
  journal->rewrite_at = journal->size * 2;
  if (length <= 0 || (size_t)length >= sizeof path) return;
  int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return;
  struct journal fresh = *journal;
  fresh.fd = fd;
  fresh.size = 0;
  fresh.torn = false;
  // Locked before it has the name, so that at no moment the keeper seems dead.
  bool good = flock(fd, LOCK_EX | LOCK_NB) == 0
    && append(&fresh, fresh.greeting, strlen(fresh.greeting)) == 0;
  for (size_t i = 0; good && i < STEP_BUCKETS; i++) {
    for (struct step *step = steps->by_ticket[i]; good && step; step = step->next_by_ticket) {
      unsigned written = 0;
      if (!step->is_recorded) good = write_due(&fresh, step, &written) == 0;
    }
  }
  if (!good || rename(path, journal->path) != 0) {
    unlink(path);
    close(fd);
    return;
  }
  close(journal->fd);
  *journal = fresh;
  journal->rewrite_at = journal->size * 4 > REWRITE_FROM ? journal->size * 4 : REWRITE_FROM;
}

void journal_recorded(struct journal *journal, struct steps *steps, const uint64_t *tickets, size_t count) {
  char lines[8192];
  size_t filled = 0;
  for (size_t i = 0; i < count; i++) {
    struct step *step = steps_find(steps, tickets[i]);
    // One that runs has nothing recorded yet.
    if (step && (!step->is_published || step->is_recorded)) continue;
    int length = snprintf(lines + filled, sizeof lines - filled, "R %s %llu\n", step ? step->key : "-",
                          (unsigned long long)tickets[i]);
    if (step) step->is_recorded = true;
    if (length > 0) filled += (size_t)length;
    if (filled > sizeof lines - LINE_ROOM || i + 1 == count) {
      // If the disk is full the next agent records these ends once more, which its fence refuses.
      (void)append(journal, lines, filled);
      filled = 0;
    }
  }
  if (filled > 0) (void)append(journal, lines, filled);
  if (journal->complete && journal->size > journal->rewrite_at) rewrite(journal, steps);
}
