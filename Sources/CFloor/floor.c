// The loops, whichever the database.
#include "floor.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static atomic_bool is_stopped;

void evf_stop(void) { atomic_store(&is_stopped, true); }
bool evf_is_stopped(void) { return atomic_load_explicit(&is_stopped, memory_order_relaxed); }

int64_t evf_nanoseconds(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void *must(void *memory) {
  if (!memory) abort();
  return memory;
}

evf_connection *evf_new(const evf_client *client) {
  evf_connection *connection = must(calloc(1, sizeof *connection));
  connection->client = client;
  return connection;
}

bool evf_fail(evf_connection *connection, const char *text) {
  connection->has_failed = true;
  snprintf(connection->error, sizeof connection->error, "%s", text ? text : "unknown error");
  return false;
}

const char *evf_error(const evf_connection *connection) {
  return connection->has_failed ? connection->error : NULL;
}

void evf_close(evf_connection *connection) {
  connection->client->close(connection);
  for (int32_t number = 0; number < connection->statement_count; number++) free(connection->plain[number]);
  free(connection->plain);
  free(connection->statements);
  free(connection);
}

int32_t evf_script(evf_connection *connection, const char *text) {
  if (connection->has_failed) return EVF_FAILED;
  return connection->client->script(connection, text) ? EVF_DONE : EVF_FAILED;
}

int32_t evf_prepare(evf_connection *connection, const char *text, int32_t is_plain) {
  if (connection->has_failed) return -1;
  int32_t number = connection->statement_count;
  size_t count = (size_t)number + 1;
  connection->statements = must(realloc(connection->statements, count * sizeof *connection->statements));
  connection->plain = must(realloc(connection->plain, count * sizeof *connection->plain));
  connection->statements[number] = NULL;
  connection->plain[number] = is_plain ? must(strdup(text)) : NULL;
  connection->statement_count = number + 1;
  if (!is_plain && !connection->client->prepare(connection, number, text)) return -1;
  return number;
}

static bool execute(
    evf_connection *connection, int32_t number, const evf_value *values, int32_t count, int64_t *changed) {
  if (number < 0 || number >= connection->statement_count) return evf_fail(connection, "no such statement");
  if (connection->plain[number]) return connection->client->script(connection, connection->plain[number]);
  return connection->client->execute(connection, number, values, count, changed);
}

int32_t evf_replay(
    evf_connection *connection, const evf_call *calls, size_t count, const evf_value *values, int64_t *nanoseconds) {
  if (connection->has_failed) return EVF_FAILED;
  int64_t before = nanoseconds ? evf_nanoseconds() : 0;
  for (size_t index = 0; index < count; index++) {
    if (evf_is_stopped()) return EVF_STOPPED;
    int64_t changed = 0;
    const evf_call *call = &calls[index];
    if (!execute(connection, call->statement, values ? values + call->first : NULL, call->count, &changed)) {
      return EVF_FAILED;
    }
    if (nanoseconds) {
      int64_t after = evf_nanoseconds();
      nanoseconds[index] = after - before;
      before = after;
    }
  }
  return EVF_DONE;
}

int32_t evf_work(evf_connection *connection, int32_t claim, int32_t complete, int64_t *changed) {
  if (connection->has_failed) return EVF_FAILED;
  *changed = 0;
  while (!evf_is_stopped()) {
    int64_t claimed = 0, completed = 0;
    if (!execute(connection, claim, NULL, 0, &claimed)) return EVF_FAILED;
    if (claimed == 0) return EVF_DONE;
    if (!execute(connection, complete, NULL, 0, &completed)) return EVF_FAILED;
    *changed += completed;
  }
  return EVF_STOPPED;
}
