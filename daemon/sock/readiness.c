/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each socket is on the ready list at most once, with all that happened since it
 * was last fetched. Bits are hints to look, not amounts: one that comes twice or
 * late is harmless, one that is lost is not.
 */
#include "sock/readiness.h"

void readiness_add(struct sock *s, unsigned what)
{
    s->ready |= what;
    if (s->ready != 0 && s->listener_id == 0)
        list_append_once(&s->table->ready, &s->on_ready);
}

unsigned readiness_of_conn(struct tcp_conn *conn)
{
    struct iovec iov[2];
    unsigned what = SOCK_READY_CONNECTED | SOCK_READY_WRITE;

    if (tcp_conn_rx_peek(conn, iov) > 0)
        what |= SOCK_READY_READ;
    switch (tcp_conn_state(conn)) {
    case TCP_CLOSE_WAIT:
    case TCP_LAST_ACK:
    case TCP_CLOSING:
    case TCP_TIME_WAIT:
        return what | SOCK_READY_EOF;
    default:
        return what;
    }
}

struct sock *sock_next_ready(struct sock_table *t, unsigned *ret_what)
{
    struct list *n = list_pop(&t->ready);
    struct sock *s;

    if (!n)
        return NULL;
    s = LIST_ENTRY(n, struct sock, on_ready);
    *ret_what = s->ready;
    s->ready = 0;
    return s;
}
