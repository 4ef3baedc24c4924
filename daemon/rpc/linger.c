/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CloseRequest: a program is about to close a socket with SO_LINGER and wants to
 * wait until its bytes are acknowledged. The descriptor is still the program's; what
 * ends the connection is its close(), as always. So this only watches: the bytes in
 * the descriptor, those in the send ring, and the time.
 */
#include <errno.h>
#include <stdlib.h>

#include "rpc/session.h"
#include "stream/stream.h"

static bool is_drained(const struct rpc *r, const struct lingering *l)
{
    struct sock *s = sock_find(r->init.socks, l->sock_id);
    struct tcp_conn *conn = tcp_engine_find(r->init.engine, l->conn_id);

    if (!conn)
        return true; /* there is nobody left to acknowledge anything */
    if (s && sock_state(s) == SOCK_DEAD)
        return true;
    if (s && stream_untaken(r->init.stream, s) > 0)
        return false;
    return tcp_conn_tx_unacked(conn) == 0;
}

static void answer(struct rpc *r, struct lingering *l)
{
    struct session *s = session_find(r, l->session_id);
    Tcpd__V1__Reply reply = TCPD__V1__REPLY__INIT;

    reply.id = l->request_id;
    if (s) {
        s->lingering--;
        call_reply(r, s, &reply, 0, -1);
    }
    list_del(&l->on_all);
    free(l);
}

void linger_check(struct rpc *r, usec_t now)
{
    LIST_FOREACH_SAFE(n, &r->lingering) {
        struct lingering *l = LIST_ENTRY(n, struct lingering, on_all);

        if (now >= l->deadline || !session_find(r, l->session_id) || is_drained(r, l))
            answer(r, l);
    }
}

void linger_free_all(struct rpc *r)
{
    struct list *n;

    while ((n = list_pop(&r->lingering)))
        free(LIST_ENTRY(n, struct lingering, on_all));
}

int svc_close(struct call *c)
{
    struct sock *s = c->fd >= 0 ? stream_find(c->rpc->init.stream, c->fd) : NULL;
    struct tcp_conn *conn = s ? sock_conn(s) : NULL;
    struct lingering *l;
    uint32_t sec;

    if (c->fd < 0)
        return -EBADF;
    if (!conn || sock_state(s) != SOCK_CONNECTED || !sock_linger(s, &sec) || sec == 0)
        return 0;
    if (c->session->lingering >= LINGERING_MAX) /* each is looked at in every wake-up */
        return -ENOBUFS;
    l = calloc(1, sizeof(*l));
    if (!l)
        return -ENOMEM;
    c->session->lingering++;
    *l = (struct lingering){
        .session_id = c->session->id,
        .request_id = c->req->id,
        .sock_id = sock_id(s),
        .conn_id = tcp_conn_id(conn),
        .deadline = c->now + sec * USEC_PER_SEC,
    };
    list_init(&l->on_all);
    list_append(&c->rpc->lingering, &l->on_all);
    return CALL_ANSWERED; /* by linger_check(), with this flush if nothing is left */
}
