// The keeper: a small process, forked from the agent before it has threads, that has steps started, knows when
// they must end, and outlives the agent. Everything the agent says to it goes through one socket; everything that
// must survive the agent goes to one journal. Sources/Agent/Processes speaks to it.
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
  EVK_PHASE_CGROUP = 11,
  /// Its guard had run out before it could be started.
  EVK_PHASE_CUT_OFF = 12,
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

/// Counted up with every change of the wire: an agent speaks only to keepers of its own version. It is part of the
/// name under which a keeper is reached (evk_connect).
#define EVK_WIRE_VERSION 2

enum evk_request_kind {
  EVK_START = 1,
  /// Signals every process of steps, once; SIGKILL until there is none left.
  EVK_KILL_TREE = 3,
  EVK_RECORDED = 4,
  EVK_QUIT = 5,
  /// Sets deadlines.
  EVK_GUARD = 6,
  /// SIGTERM now, SIGKILL at `kill_at`; such a step ends when nothing of it is left.
  EVK_STOP = 7,
  /// The same for every step whose key begins with a prefix, also for what ended ones have left behind.
  EVK_STOP_ALL = 8,
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
  EVK_LIMIT_CORES = 8,
};

/// After the header of EVK_START. Then come `group_count` group ids (uint32_t), then strings, each ended by
/// a NUL: key, working directory (empty: the keeper's), log path, cgroup (empty: none), the arguments, the
/// environment, and `setting_count` pairs of a file of the cgroup and what is written to it.
typedef struct {
  uint64_t ticket;
  uint64_t memory_limit;
  uint64_t cpu_limit;
  /// As in evk_deadline: a step is guarded from its start.
  int64_t terminate_at;
  int64_t kill_at;
  /// Not started from then on; 0: whenever. As in evk_deadline.
  int64_t start_before;
  uint32_t flags;
  uint32_t uid;
  uint32_t gid;
  uint32_t cores;
  uint32_t group_count;
  uint32_t argument_count;
  uint32_t environment_count;
  uint32_t setting_count;
} evk_start_request;

/// After the header of EVK_KILL_TREE; then `count` tickets. EVK_RECORDED has it too, with a signal of 0.
typedef struct {
  uint32_t signal;
  uint32_t count;
} evk_ticket_list;

/// One of those that follow an evk_ticket_list after EVK_GUARD and EVK_STOP. Times are microseconds of
/// CLOCK_BOOTTIME, which goes on while the host sleeps. EVK_STOP does not look at `terminate_at`.
typedef struct {
  uint64_t ticket;
  /// SIGTERM, then SIGCONT, to every process. 0 in both takes the guard off.
  int64_t terminate_at;
  /// SIGKILL to every process until there is none. 0: never.
  int64_t kill_at;
} evk_deadline;

/// After the header of EVK_STOP_ALL; then the prefix, ended by a NUL. Answered by EVK_NONE_LEFT.
typedef struct {
  uint64_t ticket;
  int64_t kill_at;
} evk_stop_all;

// MARK: Wire, keeper to agent: nothing but these, one after the other.

enum evk_answer_kind {
  EVK_STARTED = 1,
  EVK_NOT_STARTED = 2,
  EVK_ENDED = 3,
  EVK_NONE_LEFT = 4,
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
  /// Its guard was what ended it, or kept it from being started.
  int32_t cut_off;
  /// The kernel killed one of its processes for using more memory than its cgroup may.
  int32_t out_of_memory;
  /// After a stop: processes of other users, which could not be signalled.
  int32_t out_of_reach;
} evk_answer;

// MARK: Reaching the keeper of an earlier agent

/// Connects to the keeper with process id `keeper` under the name its journal gives (line K). A keeper answers
/// only its own user and root, and takes EVK_KILL_TREE, EVK_RECORDED, EVK_GUARD, EVK_STOP and EVK_STOP_ALL there;
/// what comes of them is in the journal, so nothing is answered.
///
/// Returns a non-blocking socket, or -errno; -EPERM if the other end is not that keeper.
int evk_connect(const char *_Nonnull name, pid_t keeper);

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
  /// Its main process, or 0 if that has ended.
  pid_t pid;
  uint64_t start_time;
} evk_root;

typedef struct {
  pid_t pid;
  uint64_t start_time;
} evk_found;

/// Signals every process of the steps `roots`: those that descend from its minder; if that is gone, those with the
/// mark in their environment, in the session of a main process, or descending from either. Each is checked by its
/// start time through a pidfd, so that no stranger with a reused number is hit. SIGKILL is repeated until nothing
/// new is found. Returns how many were signalled, or -errno if /proc could not be read.
int evk_kill_tree(const evk_root *_Nonnull roots, size_t count, int signal);

/// The same processes, listed. Returns how many there are (of which at most `capacity` are in `out`).
int evk_find_tree(const evk_root *_Nonnull roots, size_t count, evk_found *_Nonnull out, size_t capacity);

/// Signals one process if it is still the one that started at `start_time`. Returns 0 or an errno.
int evk_kill_checked(pid_t pid, uint64_t start_time, int signal);

/// Tries a shared lock on a journal: 1 if a keeper holds it, 0 if none does, -errno.
int evk_journal_held(const char *_Nonnull path);

/// Removes a journal that no keeper holds: 0, EWOULDBLOCK if one does, or an errno.
int evk_journal_remove(const char *_Nonnull path);

/// How many cores this process may run on; 0 if the kernel does not tell.
int evk_usable_cores(void);

/// Macros Swift cannot read.
static inline uint32_t evk_max_request(void) { return EVK_MAX_REQUEST; }
static inline uint32_t evk_wire_version(void) { return EVK_WIRE_VERSION; }

/// A counter to poll on, non-blocking and close-on-exec: Swift does not see <sys/eventfd.h>.
int evk_eventfd(void);
