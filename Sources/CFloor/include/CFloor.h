// What the machine and its databases do without us: statements sent by a bare loop on the C clients, and processes
// started by posix_spawn. eventor-bench measures every figure of ours beside one of these, in the same run.
#pragma once

#include <stddef.h>
#include <stdint.h>

/// What a call came to.
enum evf_outcome {
  EVF_DONE = 0,
  /// The text of the error is in the connection, or, for processes, in errno.
  EVF_FAILED = 1,
  /// evf_stop was called.
  EVF_STOPPED = 2,
};

/// Makes every loop of this process end at its next turn: somebody pressed Ctrl-C. May be called from any thread.
void evf_stop(void);

// MARK: Connections. Each is used by one thread at a time.

typedef struct evf_connection evf_connection;

/// Where a MySQL or MariaDB server is; NULL is the connector's default.
typedef struct {
  const char *_Nullable host;
  const char *_Nullable socket;
  const char *_Nullable user;
  const char *_Nullable password;
  const char *_Nullable database;
  uint32_t port;
  /// Whether TLS is asked for, and whether the certificate is checked, against `authority`.
  int32_t tls;
  int32_t verifies;
  const char *_Nullable authority;
  const char *_Nullable certificate;
  const char *_Nullable key;
} evf_mysql_place;

/// An SQLite file in WAL mode with synchronous=NORMAL, or FULL, as the program opens it.
evf_connection *_Nonnull evf_open_sqlite(const char *_Nonnull path, int32_t is_full);
/// A PostgreSQL server, by libpq's keywords; both lists end with NULL.
evf_connection *_Nonnull evf_open_postgresql(
    const char *_Nullable const *_Nonnull keywords, const char *_Nullable const *_Nonnull values);
/// A MySQL or MariaDB server.
evf_connection *_Nonnull evf_open_mysql(const evf_mysql_place *_Nonnull place);
/// What went wrong last, at opening too; NULL if nothing did.
const char *_Nullable evf_error(const evf_connection *_Nonnull connection);
void evf_close(evf_connection *_Nonnull connection);

// MARK: Statements

enum evf_value_kind { EVF_NULL = 0, EVF_INTEGER = 1, EVF_REAL = 2, EVF_TEXT = 3 };

/// One value to be bound. Numbers carry their text too, for the client that sends nothing else.
typedef struct {
  int32_t kind;
  int64_t integer;
  double real;
  /// Ends with NUL.
  const char *_Nullable text;
  size_t length;
} evf_value;

/// One statement with its values, which are `count` of a list from `first` on.
typedef struct {
  int32_t statement;
  int32_t count;
  int64_t first;
} evf_call;

/// Runs text without values, which may be several statements.
int32_t evf_script(evf_connection *_Nonnull connection, const char *_Nonnull text);

/// Makes a statement known and returns its number, from 0; negative after a failure.
///
/// It is prepared, unless it `is_plain`, as BEGIN and COMMIT are: those go as text each time.
int32_t evf_prepare(evf_connection *_Nonnull connection, const char *_Nonnull text, int32_t is_plain);

/// Runs the calls one after the other, reads what they return and drops it.
///
/// - nanoseconds: how long each of them took, unless it is NULL.
int32_t evf_replay(
    evf_connection *_Nonnull connection, const evf_call *_Nullable calls, size_t count,
    const evf_value *_Nullable values, int64_t *_Nullable nanoseconds);

/// A worker of a bare queue: `claim`, then `complete`, each a transaction of its own, until a claim changes no row.
///
/// - changed: how many rows were completed.
int32_t evf_work(
    evf_connection *_Nonnull connection, int32_t claim, int32_t complete, int64_t *_Nonnull changed);

// MARK: Processes

/// Starts `arguments[0]` `count` times, one after the other, each with /dev/null for its three streams, and waits for it.
///
/// - nanoseconds: how long each took from its start to its end, unless it is NULL.
/// - status: the wait status of the last.
/// - peak_kib: the peak resident memory of the largest, in KiB.
int32_t evf_spawn(
    const char *_Nullable const *_Nonnull arguments, const char *_Nullable const *_Nonnull environment, size_t count,
    int64_t *_Nullable nanoseconds, int32_t *_Nonnull status, int64_t *_Nonnull peak_kib);
