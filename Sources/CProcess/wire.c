// The socket to the agent: requests of any length in, answers of one length out, both in bounded memory.
#include "keeper.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define INBOX_USUAL (256u << 10)

static int inbox_reserve(struct inbox *inbox, size_t capacity) {
  if (inbox->from > 0) {
    memmove(inbox->bytes, inbox->bytes + inbox->from, inbox->filled - inbox->from);
    inbox->filled -= inbox->from;
    inbox->from = 0;
  }
  if (capacity <= inbox->capacity) return 0;
  unsigned char *bytes = realloc(inbox->bytes, capacity);
  if (!bytes) return -1;
  inbox->bytes = bytes;
  inbox->capacity = capacity;
  return 0;
}

static bool peek(const struct inbox *inbox, evk_request *head) {
  if (inbox->filled - inbox->from < sizeof *head) return false;
  memcpy(head, inbox->bytes + inbox->from, sizeof *head);
  return true;
}

int inbox_read(struct inbox *inbox, int socket) {
  evk_request head;
  size_t wanted = INBOX_USUAL;
  // A malformed length is left to inbox_next to refuse.
  if (peek(inbox, &head) && head.length > wanted && head.length <= EVK_MAX_REQUEST) wanted = head.length;
  if (inbox->filled == inbox->capacity || wanted > inbox->capacity) {
    if (inbox_reserve(inbox, wanted) != 0) return -1;
  }
  if (inbox->filled == inbox->capacity) return 0;
  ssize_t count;
  do {
    count = recv(socket, inbox->bytes + inbox->filled, inbox->capacity - inbox->filled, MSG_DONTWAIT);
  } while (count < 0 && errno == EINTR);
  if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return 0;
  if (count <= 0) return -1;
  inbox->filled += (size_t)count;
  return 1;
}

bool inbox_has_next(const struct inbox *inbox) {
  evk_request head;
  return peek(inbox, &head) && (inbox->filled - inbox->from >= head.length || head.length > EVK_MAX_REQUEST);
}

int inbox_next(struct inbox *inbox, evk_request *head, const unsigned char **body, size_t *length) {
  if (!peek(inbox, head)) return 0;
  if (head->length < sizeof *head || head->length > EVK_MAX_REQUEST) return -1;
  if (inbox->filled - inbox->from < head->length) return 0;
  *body = inbox->bytes + inbox->from + sizeof *head;
  *length = head->length - sizeof *head;
  inbox->from += head->length;
  return 1;
}

// Gives back what one long request needed.
void inbox_trim(struct inbox *inbox) {
  if (inbox->capacity <= INBOX_USUAL || inbox->filled - inbox->from > INBOX_USUAL) return;
  (void)inbox_reserve(inbox, 0);
  unsigned char *bytes = realloc(inbox->bytes, INBOX_USUAL);
  if (!bytes) return;
  inbox->bytes = bytes;
  inbox->capacity = INBOX_USUAL;
}

// The string at *at, which then stands behind it; NULL if no NUL ends it.
static const char *take_string(const unsigned char **at, const unsigned char *end) {
  const unsigned char *nul = memchr(*at, 0, (size_t)(end - *at));
  if (!nul) return NULL;
  const char *string = (const char *)*at;
  *at = nul + 1;
  return string;
}

int parse_start(const unsigned char *body, size_t length, struct spawn_request *out) {
  memset(out, 0, sizeof *out);
  if (length < sizeof out->head) return EBADMSG;
  memcpy(&out->head, body, sizeof out->head);
  const unsigned char *at = body + sizeof out->head, *end = body + length;
  size_t groups = out->head.group_count;
  size_t arguments = out->head.argument_count, environment = out->head.environment_count;
  size_t settings = 2 * (size_t)out->head.setting_count;
  // Each group takes four bytes and each string one, so the counts can't exceed the request.
  if (groups > length / 4 || arguments > length || environment > length || arguments == 0) return EBADMSG;
  if (settings > length || (size_t)(end - at) < groups * sizeof(gid_t)) return EBADMSG;
  char **block = calloc(1, (arguments + environment + settings + 3) * sizeof(char *) + groups * sizeof(gid_t));
  if (!block) return ENOMEM;
  out->arguments = block;
  out->environment = out->arguments + arguments + 1;
  out->settings = out->environment + environment + 1;
  out->groups = (gid_t *)(out->settings + settings + 1);
  if (groups > 0) memcpy(out->groups, at, groups * sizeof(gid_t));
  at += groups * sizeof(gid_t);
  bool whole = (out->key = take_string(&at, end)) && (out->directory = take_string(&at, end))
    && (out->log = take_string(&at, end)) && (out->cgroup = take_string(&at, end));
  // exec takes pointers to char, but changes nothing.
  for (size_t i = 0; whole && i < arguments; i++) whole = (out->arguments[i] = (char *)take_string(&at, end));
  for (size_t i = 0; whole && i < environment; i++) whole = (out->environment[i] = (char *)take_string(&at, end));
  for (size_t i = 0; whole && i < settings; i++) whole = (out->settings[i] = (char *)take_string(&at, end));
  if (whole) return 0;
  release_start(out);
  return EBADMSG;
}

void release_start(struct spawn_request *request) {
  free(request->arguments);
  request->arguments = NULL;
}

void *parse_list(const unsigned char *body, size_t length, size_t item, evk_ticket_list *head) {
  if (length < sizeof *head) return NULL;
  memcpy(head, body, sizeof *head);
  if ((length - sizeof *head) / item < head->count) return NULL;
  void *items = malloc((head->count + 1) * item);
  if (items) memcpy(items, body + sizeof *head, head->count * item);
  return items;
}

bool outbox_has_room(const struct outbox *outbox) {
  return outbox->count < OUTBOX_ANSWERS;
}

void outbox_add(struct outbox *outbox, const evk_answer *answer) {
  outbox->answers[outbox->count++] = *answer;
}

int outbox_flush(struct outbox *outbox, int socket) {
  size_t total = outbox->count * sizeof(evk_answer);
  while (outbox->sent_bytes < total) {
    ssize_t count = send(socket, (const char *)outbox->answers + outbox->sent_bytes,
                         total - outbox->sent_bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
    if (count <= 0) return -1;
    outbox->sent_bytes += (size_t)count;
  }
  size_t whole = outbox->sent_bytes / sizeof(evk_answer);
  if (whole > 0) {
    memmove(outbox->answers, outbox->answers + whole, (outbox->count - whole) * sizeof(evk_answer));
    outbox->count -= whole;
    outbox->sent_bytes -= whole * sizeof(evk_answer);
  }
  return 0;
}
