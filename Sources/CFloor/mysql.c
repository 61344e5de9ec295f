// MySQL and MariaDB through MariaDB's connector: binary values, as Sources/Drivers/MySQL has them.
#include "floor.h"

#include <mysql.h>
#include <stdlib.h>
#include <string.h>

static bool failed(evf_connection *connection) { return evf_fail(connection, mysql_error(connection->handle)); }

static bool script(evf_connection *connection, const char *text) {
  MYSQL *handle = connection->handle;
  if (mysql_real_query(handle, text, strlen(text)) != 0) return failed(connection);
  while (true) {
    MYSQL_RES *result = mysql_store_result(handle);
    if (result) {
      mysql_free_result(result);
    } else if (mysql_field_count(handle) != 0) {
      return failed(connection);
    }
    int next = mysql_next_result(handle);
    if (next < 0) return true;
    if (next > 0) return failed(connection);
  }
}

static bool prepare(evf_connection *connection, int32_t number, const char *text) {
  MYSQL_STMT *statement = mysql_stmt_init(connection->handle);
  connection->statements[number] = statement;
  if (!statement) return failed(connection);
  if (mysql_stmt_prepare(statement, text, strlen(text)) == 0) return true;
  return evf_fail(connection, mysql_stmt_error(statement));
}

static bool bind_and_execute(MYSQL_STMT *statement, const evf_value *values, int32_t count) {
  MYSQL_BIND small[64];
  MYSQL_BIND *binds = count > 64 ? malloc((size_t)count * sizeof *binds) : small;
  if (!binds) return false;
  memset(binds, 0, (size_t)count * sizeof *binds);
  for (int32_t index = 0; index < count; index++) {
    const evf_value *value = &values[index];
    MYSQL_BIND *bind = &binds[index];
    switch (value->kind) {
      case EVF_INTEGER:
        bind->buffer_type = MYSQL_TYPE_LONGLONG;
        bind->buffer = (void *)&value->integer;
        bind->buffer_length = sizeof value->integer;
        break;
      case EVF_REAL:
        bind->buffer_type = MYSQL_TYPE_DOUBLE;
        bind->buffer = (void *)&value->real;
        bind->buffer_length = sizeof value->real;
        break;
      case EVF_TEXT:
        bind->buffer_type = MYSQL_TYPE_STRING;
        bind->buffer = (void *)value->text;
        bind->buffer_length = value->length;
        break;
      default: bind->buffer_type = MYSQL_TYPE_NULL;
    }
    // What the connector reads where no pointer to a length is given.
    bind->length_value = bind->buffer_length;
  }
  bool is_good = (count == 0 || mysql_stmt_bind_param(statement, binds) == 0) && mysql_stmt_execute(statement) == 0;
  if (binds != small) free(binds);
  return is_good;
}

static bool execute(
    evf_connection *connection, int32_t number, const evf_value *values, int32_t count, int64_t *changed) {
  MYSQL_STMT *statement = connection->statements[number];
  if ((int32_t)mysql_stmt_param_count(statement) != count) return evf_fail(connection, "another number of values");
  bool is_good = bind_and_execute(statement, values, count);
  if (is_good && mysql_stmt_field_count(statement) > 0) {
    is_good = mysql_stmt_store_result(statement) == 0;
  } else if (is_good) {
    *changed = (int64_t)mysql_stmt_affected_rows(statement);
  }
  if (!is_good) {
    // An error among the rows of a SELECT is told of the connection only.
    evf_fail(connection, mysql_stmt_errno(statement) ? mysql_stmt_error(statement) : mysql_error(connection->handle));
  }
  mysql_stmt_free_result(statement);
  return is_good;
}

static void close(evf_connection *connection) {
  for (int32_t number = 0; number < connection->statement_count; number++) {
    if (connection->statements[number]) mysql_stmt_close(connection->statements[number]);
  }
  if (connection->handle) mysql_close(connection->handle);
}

static const evf_client client = {script, prepare, execute, close};

evf_connection *evf_open_mysql(const evf_mysql_place *place) {
  evf_connection *connection = evf_new(&client);
  MYSQL *handle = mysql_init(NULL);
  connection->handle = handle;
  if (!handle) {
    evf_fail(connection, "out of memory");
    return connection;
  }
  mysql_options(handle, MYSQL_SET_CHARSET_NAME, "utf8mb4");
  if (place->tls) {
    my_bool on = 1, verifies = place->verifies != 0;
    mysql_options(handle, MYSQL_OPT_SSL_ENFORCE, &on);
    mysql_options(handle, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verifies);
    if (place->authority) mysql_options(handle, MYSQL_OPT_SSL_CA, place->authority);
    if (place->certificate) mysql_options(handle, MYSQL_OPT_SSL_CERT, place->certificate);
    if (place->key) mysql_options(handle, MYSQL_OPT_SSL_KEY, place->key);
  }
  if (!mysql_real_connect(
          handle, place->socket ? NULL : place->host, place->user, place->password, place->database, place->port,
          place->socket, CLIENT_FOUND_ROWS)) {
    failed(connection);
    return connection;
  }
  if (script(connection, "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")) {
    script(
        connection,
        "SET SESSION time_zone = '+00:00', innodb_lock_wait_timeout = 10, autocommit = 1, "
        "sql_mode = 'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'");
  }
  return connection;
}
