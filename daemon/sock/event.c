/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the engine says, turned into what a program sees. A connection is looked
 * up by its own id, in the map of bindings, which has it from connect() or the
 * end of the handshake until TCP_EV_GONE, with or without a socket.
 */
#include <errno.h>

#include "sock/handle.h"
#include "sock/listener.h"
#include "sock/ports.h"
#include "sock/readiness.h"

static struct sock *sock_of(const struct sock_table *t, const struct tcp_event *event)
{
    struct binding *b = idmap_get(&t->links, event->conn_id);

    return b ? b->sock : NULL;
}

/*
 * The way to the peer. A connection that comes in cannot speak without one and is
 * given up; any other goes on with what it had, and times out if nothing helps.
 */
static void on_path(struct sock_table *t, const struct tcp_event *event, usec_t now)
{
    uint32_t bound = tcp_conn_config(event->conn)->bound_ifindex;
    struct path path;

    if (t->world.route(t->world.ctx, tcp_conn_flow(event->conn), bound, &path) == 0)
        tcp_conn_set_path(event->conn, &path, now);
    else if (event->listener)
        tcp_conn_abort(event->conn, now);
}

static void on_accept(struct sock_table *t, const struct tcp_event *event, usec_t now)
{
    struct sock *listener = sock_find(t, event->user);

    if (!listener || !listener->listener || listener_enqueue(listener, event->conn) < 0)
        tcp_conn_abort(event->conn, now);
}

static void on_closed(struct sock *s, int error, usec_t now)
{
    if (s->listener_id != 0 && error != 0)
        listener_drop(s, now);
    else if (error != 0)
        sock_set_dead(s, error);
    else if (s->state == SOCK_CONNECTING)
        sock_set_dead(s, ECONNABORTED); /* an open that ended without ever being one */
}

static void on_sock(struct sock *s, const struct tcp_event *event, usec_t now)
{
    static const struct {
        unsigned event, ready;
    } tells[] = {
        { TCP_EV_ESTABLISHED, SOCK_READY_CONNECTED }, { TCP_EV_READABLE, SOCK_READY_READ },
        { TCP_EV_WRITABLE, SOCK_READY_WRITE },        { TCP_EV_FIN, SOCK_READY_EOF },
        { TCP_EV_DRAINED, SOCK_READY_DRAINED },       { TCP_EV_URGENT, SOCK_READY_URGENT },
    };
    unsigned ready = 0;

    if (s->state == SOCK_DEAD) /* it has been told the worst */
        return;
    for (size_t i = 0; i < ARRAY_LEN(tells); i++)
        if (event->what & tells[i].event)
            ready |= tells[i].ready;
    if (ready)
        readiness_add(s, ready);
    if (event->what & TCP_EV_ESTABLISHED && s->state == SOCK_CONNECTING) {
        s->state = SOCK_CONNECTED;
        sock_touch(s);
    }
    if (event->what & TCP_EV_CLOSED)
        on_closed(s, event->error, now);
}

static void on_gone(struct sock_table *t, const struct tcp_event *event, usec_t now)
{
    struct binding *b = idmap_get(&t->links, event->conn_id);

    if (b && b->sock && b->sock->listener_id != 0)
        listener_drop(b->sock, now);
    if (b)
        ports_release(t, b);
}

void sock_on_event(struct sock_table *t, const struct tcp_event *event, usec_t now)
{
    struct sock *s;

    if (event->what & TCP_EV_PATH)
        on_path(t, event, now);
    if (event->what & TCP_EV_ACCEPT)
        on_accept(t, event, now);
    s = sock_of(t, event);
    if (s)
        on_sock(s, event, now);
    if (event->what & TCP_EV_GONE)
        on_gone(t, event, now);
}
