#pragma once
#include <libssh2.h>
#include <libssh2_sftp.h>

// Function-like macros and untyped callbacks, which Swift can't import, as functions.

typedef LIBSSH2_RECV_FUNC((*eventor_ssh2_receive));
typedef LIBSSH2_SEND_FUNC((*eventor_ssh2_send));
typedef LIBSSH2_DISCONNECT_FUNC((*eventor_ssh2_farewell));

static inline LIBSSH2_SESSION *eventor_ssh2_session(void *abstract, eventor_ssh2_receive receive,
                                                    eventor_ssh2_send send, eventor_ssh2_farewell farewell) {
  LIBSSH2_SESSION *session = libssh2_session_init_ex(NULL, NULL, NULL, abstract);
  if (session) {
    libssh2_session_callback_set(session, LIBSSH2_CALLBACK_RECV, (void *)receive);
    libssh2_session_callback_set(session, LIBSSH2_CALLBACK_SEND, (void *)send);
    libssh2_session_callback_set(session, LIBSSH2_CALLBACK_DISCONNECT, (void *)farewell);
    libssh2_session_set_blocking(session, 0);
  }
  return session;
}
