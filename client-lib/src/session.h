/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The process's conversation with tcpd: one session, made at the first call, shared
 * by all threads, made again after fork() and after tcpd was restarted.
 *
 * A program may do anything to descriptors it does not know. The session's own is
 * kept out of its way (a high number, close-on-exec), compared by SO_COOKIE before
 * every use, and never closed or written to when it turns out to be somebody else's.
 */
#ifndef TCPD_CLIENT_SESSION_H
#define TCPD_CLIENT_SESSION_H

#include <stdbool.h>

#include "wire.h"

#define SESSION_PATH_DEFAULT "/run/tcpd/tcpd.sock"
#define SESSION_LIMIT_MS     10000 /* a call that is not answered by then fails */

/** session_path() - where tcpd is, absolute: $TCPD_SOCKET as it was at start, or the default */
const char *session_path(void);

/** session_path_given() - the same, or NULL if it is the default */
const char *session_path_given(void);

/**
 * session_call() - ask and wait for the answer
 * @req:         its id is set here
 * @shown:       the socket that it is about, or -1; borrowed
 * @repeatable:  harmless when carried out twice: asked again if tcpd went away before
 *               it answered
 * @ret:         the answer; its fd becomes the caller's
 *
 * Signals and cancellation wait until it is done; so it must be, and is, short.
 *
 * Errors: -ENETDOWN: no tcpd, or no answer (said once on stderr). -EMFILE, -ENFILE: no
 * descriptor for the session. -EBADF: @shown.
 */
int session_call(Tcpd__V1__Request *req, int shown, bool repeatable, struct answer *ret);

/**
 * session_call_alone() - the same over a connection of its own, which ends with the call
 * @limit_ms:  how long to wait for the answer
 *
 * Touches no shared state. A signal handler that runs ends the waiting: -EINTR.
 * -ETIMEDOUT, -ENETDOWN.
 */
int session_call_alone(Tcpd__V1__Request *req, int shown, int limit_ms, struct answer *ret);

/** session_owns() - is this number the session's descriptor, in this very process? */
bool session_owns(int fd);

/** session_fd() - its number, -1 if there is none; may be somebody else's by now */
int session_fd(void);

/** session_make_way() - the program wants the number @fd: move the session if it is there */
void session_make_way(int fd);

#endif
