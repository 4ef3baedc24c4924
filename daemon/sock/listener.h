/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A listener and its accept queue. A connection that waits in the queue already
 * is a struct sock (not charged, not on the ready list, listener_id set), so all
 * that happens to it before accept() is remembered the usual way.
 */
#ifndef TCPD_SOCK_LISTENER_H
#define TCPD_SOCK_LISTENER_H

#include "sock/handle.h"

/**
 * listener_backlog() - what listen(n) allows: n * 3/2 + 1, clamped
 *
 * To [_conn_req_min, _conn_req_max_q], after illumos; a negative n counts as 0.
 */
uint32_t listener_backlog(const struct tunables *tun, int n);

/**
 * listener_enqueue() - a handshake is complete: @conn waits in @listener's queue
 *
 * Errors: -ENOMEM and those of claim; the caller aborts the connection.
 */
int listener_enqueue(struct sock *listener, struct tcp_conn *conn);

/** listener_drop() - @queued ended before anybody accepted it: as if it had never been */
void listener_drop(struct sock *queued, usec_t now);

/** listener_stop() - close the listener of @s; what waits in the queue is reset */
void listener_stop(struct sock *s, usec_t now);

/** listener_configure() - options of a listening @s have changed */
void listener_configure(struct sock *s);

#endif
