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
    "none", "user", "group", "chdir", "log", "exec", "fork", "limit", "journal", "quitting", "socket",
  };
  return phase >= 0 && phase < (int)(sizeof names / sizeof *names) ? names[phase] : "unknown";
}

// The line that tells the state of `step`; its length.
static size_t describe(const struct journal *journal, const struct step *step, char line[LINE_ROOM]) {
  unsigned long long ticket = step->ticket;
  int length = 0;
  switch (step->state) {
  case STEP_ANNOUNCED:
    length = snprintf(line, LINE_ROOM, "A %s %llu\n", step->key, ticket);
    break;
  case STEP_RUNNING:
    length = snprintf(line, LINE_ROOM, "S %s %llu %d %llu %s\n", step->key, ticket, step->pid,
                      (unsigned long long)step->start_time, journal->boot_id);
    break;
  case STEP_NOT_STARTED:
    length = snprintf(line, LINE_ROOM, "N %s %llu %d %s\n", step->key, ticket, step->error,
                      phase_name(step->phase));
    break;
  case STEP_ENDED:
    length = snprintf(line, LINE_ROOM, "E %s %llu %d %s %d %lld %lld %lld %lld %lld\n", step->key, ticket,
                      step->pid, step->cause == EVK_SIGNALLED ? "signal" : "exit", step->value,
                      (long long)step->max_resident_kib, (long long)step->user_us,
                      (long long)step->system_us, (long long)step->ended_epoch_us, (long long)step->wall_us);
    break;
  }
  return length > 0 && length < LINE_ROOM ? (size_t)length : 0;
}

int journal_announce(struct journal *journal, const struct step *step) {
  char line[LINE_ROOM];
  size_t length = describe(journal, step, line);
  return length > 0 ? append(journal, line, length) : EINVAL;
}

void journal_note(struct journal *journal, struct steps *steps, struct step *step) {
  char line[LINE_ROOM];
  bool failed = append(journal, line, describe(journal, step, line)) != 0;
  if (failed != step->unwritten) steps->unwritten += failed ? 1 : (size_t)-1;
  step->unwritten = failed;
}

void journal_retry(struct journal *journal, struct steps *steps) {
  for (size_t i = 0; i < STEP_BUCKETS && steps->unwritten > 0; i++) {
    for (struct step *step = steps->by_ticket[i]; step; step = step->next_by_ticket) {
      if (!step->unwritten) continue;
      journal_note(journal, steps, step);
      // Still no room: the others need not try.
      if (step->unwritten) return;
    }
  }
}

// Writes `step` as a reader needs it: announced, started, and its end.
static bool write_whole(struct journal *fresh, const struct step *step) {
  char line[LINE_ROOM];
  int length = snprintf(line, LINE_ROOM, "A %s %llu\n", step->key, (unsigned long long)step->ticket);
  if (length <= 0 || length >= LINE_ROOM || append(fresh, line, (size_t)length) != 0) return false;
  if (step->pid > 0) {
    length = snprintf(line, LINE_ROOM, "S %s %llu %d %llu %s\n", step->key, (unsigned long long)step->ticket,
                      step->pid, (unsigned long long)step->start_time, fresh->boot_id);
    if (length <= 0 || length >= LINE_ROOM || append(fresh, line, (size_t)length) != 0) return false;
  }
  if (step->state != STEP_ENDED && step->state != STEP_NOT_STARTED) return true;
  return append(fresh, line, describe(fresh, step, line)) == 0;
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
  bool good = flock(fd, LOCK_EX | LOCK_NB) == 0;
  for (size_t i = 0; good && i < STEP_BUCKETS; i++) {
    for (struct step *step = steps->by_ticket[i]; good && step; step = step->next_by_ticket) {
      good = write_whole(&fresh, step);
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
    if (step && (step->state == STEP_RUNNING || step->state == STEP_ANNOUNCED)) continue;
    int length = snprintf(lines + filled, sizeof lines - filled, "R %s %llu\n", step ? step->key : "-",
                          (unsigned long long)tickets[i]);
    if (step) steps_forget(steps, step);
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
