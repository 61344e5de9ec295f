// SQLite, set up as Sources/Drivers/SQLite sets it up.
#include "floor.h"

#include <sqlite3.h>
#include <time.h>

static bool failed(evf_connection *connection) {
  return evf_fail(connection, connection->handle ? sqlite3_errmsg(connection->handle) : "out of memory");
}

static bool script(evf_connection *connection, const char *text) {
  return sqlite3_exec(connection->handle, text, NULL, NULL, NULL) == SQLITE_OK || failed(connection);
}

static bool prepare(evf_connection *connection, int32_t number, const char *text) {
  sqlite3_stmt *statement = NULL;
  int code = sqlite3_prepare_v3(connection->handle, text, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL);
  connection->statements[number] = statement;
  return code == SQLITE_OK || failed(connection);
}

static bool execute(
    evf_connection *connection, int32_t number, const evf_value *values, int32_t count, int64_t *changed) {
  sqlite3_stmt *statement = connection->statements[number];
  for (int32_t index = 0; index < count; index++) {
    const evf_value *value = &values[index];
    int code;
    switch (value->kind) {
      case EVF_INTEGER: code = sqlite3_bind_int64(statement, index + 1, value->integer); break;
      case EVF_REAL: code = sqlite3_bind_double(statement, index + 1, value->real); break;
      case EVF_TEXT:
        code = sqlite3_bind_text64(statement, index + 1, value->text, value->length, SQLITE_STATIC, SQLITE_UTF8);
        break;
      default: code = sqlite3_bind_null(statement, index + 1);
    }
    if (code != SQLITE_OK) return failed(connection);
  }
  int code;
  while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
    // Reads what a client would read.
    for (int column = 0; column < sqlite3_column_count(statement); column++) sqlite3_column_text(statement, column);
  }
  *changed = sqlite3_stmt_readonly(statement) ? 0 : sqlite3_changes64(connection->handle);
  bool is_done = code == SQLITE_DONE || failed(connection);
  sqlite3_reset(statement);
  return is_done;
}

static void close(evf_connection *connection) {
  for (int32_t number = 0; number < connection->statement_count; number++) {
    sqlite3_finalize(connection->statements[number]);
  }
  sqlite3_close_v2(connection->handle);
}

static const evf_client client = {script, prepare, execute, close};

/// The function that the program's statements call for the time.
static void now(sqlite3_context *context, int count, sqlite3_value **values) {
  (void)count, (void)values;
  struct timespec time;
  clock_gettime(CLOCK_REALTIME, &time);
  sqlite3_result_int64(context, (sqlite3_int64)time.tv_sec * 1000000 + time.tv_nsec / 1000);
}

evf_connection *evf_open_sqlite(const char *path, int32_t is_full) {
  evf_connection *connection = evf_new(&client);
  sqlite3 *handle = NULL;
  int code = sqlite3_open_v2(path, &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
  connection->handle = handle;
  if (code != SQLITE_OK ||
      sqlite3_create_function_v2(handle, "eventor_now", 0, SQLITE_UTF8, NULL, now, NULL, NULL, NULL) != SQLITE_OK) {
    failed(connection);
    return connection;
  }
  sqlite3_busy_timeout(handle, 5000);
  if (script(connection, "PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; PRAGMA journal_mode = WAL")) {
    script(connection, is_full ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL");
  }
  return connection;
}
