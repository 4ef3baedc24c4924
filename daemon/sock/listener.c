/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * listen() and accept(). The queue is first in, first out. A connection that is
 * reset while it waits leaves the queue and is never seen by the program; one
 * whose peer has sent its FIN stays: its bytes are still worth reading.
 */
#include "sock/listener.h"

#include <errno.h>

#include "sock/addr.h"
#include "sock/opt.h"
#include "sock/ports.h"
#include "sock/quota.h"
#include "sock/readiness.h"

uint32_t listener_backlog(const struct tunables *tun, int n)
{
    uint64_t wanted = (uint64_t)MAX(n, 0) * 3 / 2 + 1;

    return (uint32_t)CLAMP(wanted, (uint64_t)tun->conn_req_min, (uint64_t)tun->conn_req_max_q);
}

void listener_configure(struct sock *s)
{
    tcp_listener_configure(s->listener, &s->config, s->backlog);
}

static int start(struct sock *s)
{
    struct tcp_open open = {
        .flow = { .local = s->local.addr, .lport = s->local.port },
        .config = s->config,
        .user = s->id,
        .v6only = s->opts.v6only,
    };
    int r;

    open.flow.zone = addr_flow_zone(&s->local);
    r = quota_charge_listener(s);
    if (r < 0)
        return r;
    r = tcp_listen(s->table->engine, &open, s->backlog, &s->listener);
    if (r < 0)
        quota_release_listener(s);
    return r;
}

/* An unbound socket gets any port on all addresses (illumos). */
static int start_anywhere(struct sock *s)
{
    struct sock_addr any = { .addr = s->local.addr };
    struct sock_addr before = s->local;
    int r;

    r = ports_bind(s, &any);
    if (r < 0)
        return r;
    r = start(s);
    if (r < 0) {
        ports_release(s->table, s->binding);
        s->local = before;
    }
    return r;
}

int sock_listen(struct sock *s, int backlog, const struct cred *cred)
{
    uint32_t before = s->backlog;
    int r = 0;

    if (s->state != SOCK_IDLE && s->state != SOCK_BOUND && s->state != SOCK_LISTENING)
        return -EINVAL;
    s->backlog = listener_backlog(s->table->tun, backlog);
    if (s->state == SOCK_LISTENING)
        listener_configure(s);
    else if (s->state == SOCK_BOUND)
        r = start(s);
    else
        r = start_anywhere(s);
    if (r < 0) {
        s->backlog = before;
        return r;
    }
    s->backlog_arg = backlog;
    s->state = SOCK_LISTENING;
    sock_touch(s);
    return 0;
}

/* ---- the queue --------------------------------------------------------------------- */

int listener_enqueue(struct sock *listener, struct tcp_conn *conn)
{
    struct sock_table *t = listener->table;
    const struct flow *flow = tcp_conn_flow(conn);
    struct sock *s;
    int r;

    r = sock_alloc(t, listener->family, &listener->owner, &s);
    if (r < 0)
        return r;
    opt_inherit(&s->opts, &listener->opts);
    s->config = *tcp_conn_config(conn);
    s->listener_id = listener->id; /* before anything makes it ready */
    s->queue_seq = ++t->queue_seq;
    s->state = SOCK_CONNECTED;
    r = ports_bind_accepted(s, conn);
    if (r < 0) {
        sock_discard(s);
        return r;
    }
    s->remote = (struct sock_addr){ flow->remote, flow->rport,
                                    ip_addr_is_linklocal(&flow->remote) ? flow->zone : 0 };
    tcp_conn_set_user(conn, s->id);
    list_append(&listener->queue, &s->on_queue);
    listener->queued++;
    readiness_add(listener, SOCK_READY_ACCEPT);
    return 0;
}

static void unqueue(struct sock *listener, struct sock *s)
{
    list_del(&s->on_queue);
    listener->queued--;
    s->listener_id = 0;
    sock_touch(s);
}

int sock_accept(struct sock *listener, struct sock **ret)
{
    struct sock *s;
    int r;

    if (listener->state != SOCK_LISTENING)
        return -EINVAL;
    if (list_empty(&listener->queue))
        return -EAGAIN;
    s = LIST_ENTRY(listener->queue.next, struct sock, on_queue);
    r = quota_charge_socket(s);
    if (r == -EMFILE)
        quota_starved(listener);
    if (r < 0)
        return r;
    unqueue(listener, s);
    tcp_listener_taken(listener->listener, s->conn, s->id);
    readiness_add(s, readiness_of_conn(s->conn));
    *ret = s;
    return 0;
}

static void let_go(struct sock *queued)
{
    struct tcp_conn *conn = queued->conn;

    ports_orphan(queued);
    tcp_conn_set_user(conn, 0);
    sock_discard(queued);
}

void listener_drop(struct sock *queued, usec_t now)
{
    struct sock *listener = sock_find(queued->table, queued->listener_id);
    struct tcp_conn *conn = queued->conn;

    unqueue(listener, queued);
    tcp_listener_taken(listener->listener, conn, 0);
    let_go(queued);
    tcp_conn_close(conn, now);
}

void listener_stop(struct sock *s, usec_t now)
{
    LIST_FOREACH_SAFE (n, &s->queue) {
        struct sock *queued = LIST_ENTRY(n, struct sock, on_queue);

        unqueue(s, queued);
        let_go(queued); /* the engine resets it below */
    }
    tcp_listener_close(s->table->engine, s->listener, now);
    s->listener = NULL;
    list_del(&s->on_starved);
    quota_release_listener(s);
}

void sock_listener_hold(struct sock *listener, uint32_t held)
{
    if (listener->listener)
        tcp_listener_hold(listener->listener, held);
}
