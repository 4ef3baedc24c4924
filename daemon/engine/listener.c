/* SPDX-License-Identifier: BSD-2-Clause */
/* Passive opens: listeners, and the connections that they hold until somebody takes them. */
#include <errno.h>
#include <stdlib.h>

#include "engine/impl.h"

int tcp_listen(struct tcp_engine *e, const struct tcp_open *open, uint32_t backlog,
               struct tcp_listener **ret)
{
    struct tcp_listener *l = calloc(1, sizeof(*l));

    if (!l)
        return -ENOMEM;
    if (quota_new(e, open->flow.lport, &open->config, &l->quota)) {
        free(l);
        return -ENOMEM;
    }
    l->engine = e;
    l->addr = open->flow.local;
    l->port = open->flow.lport;
    l->zone = open->flow.zone;
    l->v6only = open->v6only;
    l->user = open->user;
    list_init(&l->children);
    list_init(&l->port_node);
    tcp_listener_configure(l, &open->config, backlog);
    demux_listener_add(e, l);
    *ret = l;
    return 0;
}

struct tcp_listener *listener_free(struct tcp_listener *l)
{
    quota_unref(l->quota);
    free(l);
    return NULL;
}

void tcp_listener_configure(struct tcp_listener *l, const struct tcp_config *config,
                            uint32_t backlog)
{
    l->config = *config;
    l->backlog = MAX(backlog, 1u);
}

/* q is full when as many wait as the program allowed. */
bool listener_full(const struct tcp_listener *l)
{
    return (uint64_t)l->queued + l->held >= l->backlog;
}

void listener_completed(struct tcp_conn *conn)
{
    struct tcp_listener *l = conn->listener;

    conn->queued = true;
    conn->announced = true;
    l->half_open--;
    l->queued++;
    conn_event(conn, TCP_EV_ACCEPT);
}

void listener_forget(struct tcp_conn *conn)
{
    struct tcp_listener *l = conn->listener;

    if (!l)
        return;
    if (conn->queued)
        l->queued--;
    else
        l->half_open--;
    conn->queued = false;
    conn->listener = NULL;
    conn->user = l->user;
    list_del(&conn->child_node);
}

void tcp_listener_taken(struct tcp_listener *l, struct tcp_conn *conn, uint64_t new_user)
{
    if (conn->listener == l)
        listener_forget(conn);
    conn->user = new_user;
    conn_dirty(conn);
}

void tcp_listener_hold(struct tcp_listener *l, uint32_t held)
{
    l->held = held;
}

void tcp_listener_close(struct tcp_engine *e, struct tcp_listener *l, usec_t now)
{
    while (!list_empty(&l->children)) {
        struct tcp_conn *conn = LIST_ENTRY(l->children.next, struct tcp_conn, child_node);

        conn->orphan = true;
        if (conn_synchronized(conn) || conn->state == TCP_SYN_RCVD)
            reply_rst_conn(conn, now);
        if (conn->state == TCP_SYN_RCVD || conn->state == TCP_ESTABLISHED ||
            conn->state == TCP_CLOSE_WAIT)
            conn_kill(conn, CAUSE_LISTENER, ECONNABORTED, now);
        else if (conn->state != TCP_CLOSED)
            conn_kill(conn, CAUSE_ABORT, ECONNABORTED, now);
        else
            conn_release(conn);
        listener_forget(conn);
    }
    list_del(&l->port_node);
    listener_free(l);
}

void tcp_listener_queued(const struct tcp_listener *l, uint32_t *ret_q, uint32_t *ret_q0)
{
    *ret_q = l->queued;
    *ret_q0 = l->half_open;
}
