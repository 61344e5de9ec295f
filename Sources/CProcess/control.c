// The control socket: how the agent that takes over from a dead one reaches the keeper that lives. It has a name in the
// abstract namespace, which leaves nothing behind on a disk and is in no directory that might be too deep; the name is
// written to the journal, which only its user can read. Both ends look at who the other is.
#include "keeper.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static socklen_t address(struct sockaddr_un *out, const char *name) {
  size_t length = strnlen(name, sizeof out->sun_path - 1);
  memset(out, 0, sizeof *out);
  out->sun_family = AF_UNIX;
  // The NUL before the name is what makes it abstract.
  memcpy(out->sun_path + 1, name, length);
  return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + length);
}

static bool peer(int socket, struct ucred *out) {
  socklen_t length = sizeof *out;
  return getsockopt(socket, SOL_SOCKET, SO_PEERCRED, out, &length) == 0;
}

void control_open(struct control *control, char name[64]) {
  uint64_t number = 0;
  struct sockaddr_un at;
  for (size_t i = 0; i < CLIENTS; i++) control->clients[i].socket = -1;
  control->listener = -1;
  if (getrandom(&number, sizeof number, 0) != sizeof number) return;
  snprintf(name, 64, "eventor-keeper-%d-%016llx", EVK_WIRE_VERSION, (unsigned long long)number);
  int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (listener < 0) return;
  if (bind(listener, (struct sockaddr *)&at, address(&at, name)) == 0 && listen(listener, CLIENTS) == 0) {
    control->listener = listener;
  } else {
    close(listener);
  }
}

void control_accept(struct control *control) {
  int socket = accept4(control->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  struct ucred other;
  if (socket < 0) return;
  for (size_t i = 0; i < CLIENTS; i++) {
    if (control->clients[i].socket >= 0) continue;
    if (!peer(socket, &other) || (other.uid != geteuid() && other.uid != 0)) break;
    control->clients[i].socket = socket;
    return;
  }
  close(socket);
}

void control_close(struct client *client) {
  close(client->socket);
  free(client->inbox.bytes);
  *client = (struct client){.socket = -1};
}

int evk_connect(const char *name, pid_t keeper) {
  struct sockaddr_un at;
  struct ucred other;
  if (strlen(name) > sizeof at.sun_path - 2) return -ENAMETOOLONG;
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -errno;
  int error = 0;
  if (connect(fd, (struct sockaddr *)&at, address(&at, name)) != 0) {
    error = errno;
  } else if (!peer(fd, &other) || other.pid != keeper || (other.uid != geteuid() && geteuid() != 0)) {
    error = EPERM;
  }
  if (error == 0) return fd;
  close(fd);
  return -error;
}
