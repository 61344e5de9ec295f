// What the three clients have in common, inside this target.
#pragma once

#include "CFloor.h"

#include <stdbool.h>

/// What one of the databases does. Each answers true if it went well; else the text is in `error`.
typedef struct {
  bool (*script)(evf_connection *connection, const char *text);
  bool (*prepare)(evf_connection *connection, int32_t number, const char *text);
  /// Executes a prepared statement, drops its rows, and says how many it changed.
  bool (*execute)(evf_connection *connection, int32_t number, const evf_value *values, int32_t count, int64_t *changed);
  void (*close)(evf_connection *connection);
} evf_client;

struct evf_connection {
  const evf_client *client;
  /// The client's own handle.
  void *handle;
  /// For each statement its handle, and its text if it goes as text.
  void **statements;
  char **plain;
  int32_t statement_count;
  bool has_failed;
  char error[1024];
};

evf_connection *evf_new(const evf_client *client);
/// Notes what went wrong; returns false.
bool evf_fail(evf_connection *connection, const char *text);
/// Whether evf_stop was called.
bool evf_is_stopped(void);
/// The monotonic clock.
int64_t evf_nanoseconds(void);
