// The keeper: a small process, forked from the agent before it has threads, that starts steps, waits for
// them and outlives the agent. Everything the agent says to it goes through one socket; everything that must
// survive the agent goes to one journal. Sources/Agent/Processes speaks to it.
#pragma once

#include <stdint.h>
#include <stddef.h>
#include <sys/types.h>

// MARK: Starting a keeper

/// Where a start of the keeper, or of a step, went wrong.
enum evk_phase {
  EVK_PHASE_NONE = 0,
  EVK_PHASE_USER = 1,
  EVK_PHASE_GROUP = 2,
  EVK_PHASE_CHDIR = 3,
  EVK_PHASE_LOG = 4,
  EVK_PHASE_EXEC = 5,
  EVK_PHASE_FORK = 6,
  EVK_PHASE_LIMIT = 7,
  EVK_PHASE_JOURNAL = 8,
  EVK_PHASE_QUITTING = 9,
  EVK_PHASE_SOCKET = 10,
};

/// What the agent holds of its keeper.
typedef struct {
  /// A stream socket, non-blocking and close-on-exec; closing it lets the keeper go.
  int32_t socket;
  /// The keeper, a child of this process: whoever sees the socket end waits for it.
  pid_t pid;
  /// After a failure: the phase.
  int32_t phase;
} evk_handle;

/// Opens and locks the journal, then forks the keeper.
///
/// Returns 0, or an errno with `out->phase` saying what failed; EWOULDBLOCK in EVK_PHASE_JOURNAL means that
/// a living keeper holds this journal. To be called before there are threads: in a process with threads the
/// child relies on the C library keeping malloc usable after fork, as glibc does, and on nothing else.
int evk_start(const char *_Nonnull journal_path, evk_handle *_Nonnull out);

// MARK: Wire, agent to keeper. Native byte order: both ends are the same program on the same host.

enum evk_request_kind {
  EVK_START = 1,
  EVK_SIGNAL = 2,
  EVK_KILL_TREE = 3,
  EVK_RECORDED = 4,
  EVK_QUIT = 5,
};

/// Before every request. `length` counts this header too.
typedef struct {
  uint32_t length;
  uint32_t kind;
} evk_request;

/// No request is longer than this: the kernel takes at most 6 MiB of arguments and environment.
#define EVK_MAX_REQUEST (8u << 20)

enum evk_start_flags {
  EVK_CHANGE_USER = 1,
  EVK_LIMIT_MEMORY = 2,
  EVK_LIMIT_CPU = 4,
};

/// After the header of EVK_START. Then come `group_count` group ids (uint32_t), then strings, each ended by
/// a NUL: key, working directory (empty: the keeper's), log path, the arguments, the environment.
typedef struct {
  uint64_t ticket;
  uint64_t memory_limit;
  uint64_t cpu_limit;
  uint32_t flags;
  uint32_t uid;
  uint32_t gid;
  uint32_t group_count;
  uint32_t argument_count;
  uint32_t environment_count;
} evk_start_request;

/// After the header of EVK_SIGNAL and EVK_KILL_TREE; then `count` tickets. One request for many tickets
/// walks /proc once. EVK_RECORDED has it too, with a signal of 0.
typedef struct {
  uint32_t signal;
  uint32_t count;
} evk_ticket_list;

// MARK: Wire, keeper to agent: nothing but these, one after the other.

enum evk_answer_kind {
  EVK_STARTED = 1,
  EVK_NOT_STARTED = 2,
  EVK_ENDED = 3,
};

enum evk_end_cause {
  EVK_EXITED = 0,
  EVK_SIGNALLED = 1,
};

typedef struct {
  uint64_t ticket;
  uint64_t start_time;
  int64_t max_resident_kib;
  int64_t user_us;
  int64_t system_us;
  int64_t wall_us;
  uint32_t kind;
  int32_t pid;
  int32_t error;
  int32_t phase;
  int32_t cause;
  int32_t value;
  int32_t core_dumped;
  int32_t reserved;
} evk_answer;

// MARK: Processes of this host

/// The boot id as text (36 characters and a NUL); empty if the kernel does not tell.
void evk_boot_id(char out[_Nonnull 40]);

/// Field 22 of /proc/PID/stat: when the process started, in clock ticks since boot. 0: there is none.
uint64_t evk_process_start_time(pid_t pid);

/// The same, with the state letter of field 3, so that a zombie can be told from the living.
uint64_t evk_process_state(pid_t pid, char *_Nonnull state);

/// The variable every step carries: EVENTOR_TASK_MARK=<ticket, 16 hexadecimal digits>.
#define EVK_MARK_NAME "EVENTOR_TASK_MARK"

/// A step whose processes are looked for.
typedef struct {
  uint64_t ticket;
  /// Its main process, or 0 if that has ended: then the mark alone leads to what it left.
  pid_t pid;
  uint64_t start_time;
} evk_root;

typedef struct {
  pid_t pid;
  uint64_t start_time;
} evk_found;

/// Signals every process of the steps `roots`: those with the mark in their environment, in the session of a
/// main process, or descending from either. Each is checked by its start time through a pidfd, so that no
/// stranger with a reused number is hit. SIGKILL is repeated until nothing new is found.
/// Returns how many were signalled, or -errno if /proc could not be read.
int evk_kill_tree(const evk_root *_Nonnull roots, size_t count, int signal);

/// The same processes, listed. Returns how many there are (of which at most `capacity` are in `out`).
int evk_find_tree(const evk_root *_Nonnull roots, size_t count, evk_found *_Nonnull out, size_t capacity);

/// Signals one process if it is still the one that started at `start_time`. Returns 0 or an errno.
int evk_kill_checked(pid_t pid, uint64_t start_time, int signal);

/// Tries a shared lock on a journal: 1 if a keeper holds it, 0 if none does, -errno.
int evk_journal_held(const char *_Nonnull path);

/// Macros Swift cannot read.
static inline uint32_t evk_max_request(void) { return EVK_MAX_REQUEST; }

/// A counter to poll on, non-blocking and close-on-exec: Swift does not see <sys/eventfd.h>.
int evk_eventfd(void);
