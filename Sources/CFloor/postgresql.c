// PostgreSQL through libpq: values and results as text, as Sources/Drivers/PostgreSQL has them.
#include "floor.h"

#include <libpq-fe.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/// Frees the result; false if there is none, or an error in it.
static bool take(evf_connection *connection, PGresult *result, int64_t *changed) {
  ExecStatusType status = PQresultStatus(result);
  bool is_good = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
  if (!is_good) evf_fail(connection, PQerrorMessage(connection->handle));
  if (is_good && changed && status == PGRES_COMMAND_OK) *changed = atoll(PQcmdTuples(result));
  PQclear(result);
  return is_good;
}

static bool script(evf_connection *connection, const char *text) {
  return take(connection, PQexec(connection->handle, text), NULL);
}

static void name_of(int32_t number, char name[16]) { snprintf(name, 16, "f%d", number); }

static bool prepare(evf_connection *connection, int32_t number, const char *text) {
  char name[16];
  name_of(number, name);
  return take(connection, PQprepare(connection->handle, name, text, 0, NULL), NULL);
}

static bool execute(
    evf_connection *connection, int32_t number, const evf_value *values, int32_t count, int64_t *changed) {
  enum { most = 65535 };
  if (count < 0 || count > most) return evf_fail(connection, "too many values");
  char name[16];
  name_of(number, name);
  const char *small[64];
  const char **texts = count > 64 ? malloc((size_t)count * sizeof *texts) : small;
  if (!texts) return evf_fail(connection, "out of memory");
  for (int32_t index = 0; index < count; index++) {
    texts[index] = values[index].kind == EVF_NULL ? NULL : values[index].text;
  }
  PGresult *result = PQexecPrepared(connection->handle, name, count, texts, NULL, NULL, 0);
  if (texts != small) free(texts);
  return take(connection, result, changed);
}

static void close(evf_connection *connection) { PQfinish(connection->handle); }

static const evf_client client = {script, prepare, execute, close};

evf_connection *evf_open_postgresql(const char *const *keywords, const char *const *values) {
  evf_connection *connection = evf_new(&client);
  connection->handle = PQconnectdbParams(keywords, values, 0);
  if (PQstatus(connection->handle) != CONNECTION_OK) evf_fail(connection, PQerrorMessage(connection->handle));
  return connection;
}
