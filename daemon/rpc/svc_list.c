/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sockets and connections as rows: every socket with what it is doing, then the
 * connections that have no socket: half open, closed by their program and not done
 * yet, in TIME-WAIT. An id is the socket's, or, without one, the connection's; both
 * come from one allocator.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rpc/session.h"
#include "stream/stream.h"

#define ROWS_IN_A_PART 128 /* a row is below 400 bytes, a part below 64 KB */
#define NOBODY UINT32_MAX  /* uid of a connection whose program is gone */

struct row {
    Tcpd__V1__Connection msg;
    Tcpd__V1__Addr local, remote;
    struct sock_addr local_addr, remote_addr;
    char state[24], options[64];
};

static void row_init(struct row *row)
{
    tcpd__v1__connection__init(&row->msg);
    row->local_addr = row->remote_addr = (struct sock_addr){ 0 };
    row->state[0] = row->options[0] = '\0';
    row->msg.state = row->state;
    row->msg.options = row->options;
}

static void row_addrs(struct row *row, int family)
{
    addr_pack(&row->local_addr, family, &row->local);
    addr_pack(&row->remote_addr, family, &row->remote);
    row->msg.local = &row->local;
    row->msg.remote = &row->remote;
}

static void options_text(const struct tcp_conn_info *info, char *buf, size_t size)
{
    int n = snprintf(buf, size, "%s%s%s", info->sack ? "sack " : "",
                     info->timestamps ? "ts " : "", info->ecn ? "ecn " : "");

    if (info->wscale)
        n += snprintf(buf + n, size - (size_t)n, "wscale=%u,%u ", info->snd_wscale,
                      info->rcv_wscale);
    if (n > 0)
        buf[n - 1] = '\0';
}

static void row_conn(struct row *row, const struct tcp_conn *conn, const struct tcp_conn_info *info)
{
    Tcpd__V1__Connection *m = &row->msg;

    snprintf(row->state, sizeof(row->state), "%s", tcp_state_name(info->state));
    options_text(info, row->options, sizeof(row->options));
    m->recv_queue = info->unread + info->hidden;
    m->send_queue = tcp_conn_tx_unacked(conn);
    m->mss = info->mss;
    m->cwnd = info->cwnd;
    m->ssthresh = info->ssthresh;
    m->srtt_usec = info->srtt;
    m->rto_usec = info->rto;
    m->bytes_sent = info->bytes_sent;
    m->bytes_received = info->bytes_received;
    m->retrans_segs = info->retrans_segs;
    m->congestion = (char *)(uintptr_t)tcp_cc_name(info->cc);
    m->snd_wnd = info->snd_wnd;
    m->rcv_wnd = info->rcv_wnd;
}

static const char *idle_state(const struct sock *s)
{
    switch (sock_state(s)) {
    case SOCK_LISTENING:
        return "LISTEN";
    case SOCK_BOUND:
        return "BOUND";
    case SOCK_IDLE:
        return "IDLE";
    default:
        return "CLOSED";
    }
}

static void row_of_sock(struct rpc *r, struct sock *s, struct row *row)
{
    const struct cred *owner = sock_owner(s);
    struct tcp_conn *conn = sock_conn(s);
    struct tcp_conn_info info;

    row_init(row);
    row->msg.id = sock_id(s);
    row->msg.uid = owner->uid;
    row->msg.pid = (uint32_t)owner->pid;
    row->msg.socket_state = (uint32_t)sock_state(s);
    sock_name(s, &row->local_addr);
    if (sock_family(s) == AF_INET)
        row->remote_addr.addr = IP_ADDR_ANY4;
    sock_peer(s, &row->remote_addr);
    if (conn) {
        const struct flow *flow = tcp_conn_flow(conn);

        row->remote_addr.addr = flow->remote; /* also while connecting */
        row->remote_addr.port = flow->rport;
        tcp_conn_info(conn, &info);
        row_conn(row, conn, &info);
        row->msg.send_queue += stream_untaken(r->init.stream, s);
    } else {
        snprintf(row->state, sizeof(row->state), "%s", idle_state(s));
    }
    if (sock_state(s) == SOCK_LISTENING) {
        row->msg.recv_queue = sock_queued(s);
        row->msg.backlog = sock_backlog(s);
    }
    row_addrs(row, sock_family(s));
}

static void row_of_conn(const struct tcp_conn *conn, struct row *row)
{
    const struct flow *flow = tcp_conn_flow(conn);
    struct tcp_conn_info info;

    row_init(row);
    tcp_conn_info(conn, &info);
    row->msg.id = info.id;
    row->msg.uid = NOBODY;
    row->local_addr = (struct sock_addr){ .addr = flow->local, .port = flow->lport };
    row->remote_addr = (struct sock_addr){ .addr = flow->remote, .port = flow->rport };
    row_conn(row, conn, &info);
    row_addrs(row, ip_addr_is_v4(&flow->local) ? AF_INET : AF_INET6);
}

/* ---- list: as many parts as it takes ------------------------------------------------- */

struct list_walk {
    struct call *c;
    struct row *rows;
    Tcpd__V1__Connection *at[ROWS_IN_A_PART];
    size_t n;
    struct idmap seen; /* ids of connections that belong to a socket */
};

static void walk_send(struct list_walk *w, bool more)
{
    Tcpd__V1__ListReply result = TCPD__V1__LIST_REPLY__INIT;
    Tcpd__V1__Reply reply = TCPD__V1__REPLY__INIT;

    result.connections = w->at;
    result.n_connections = w->n;
    reply.id = w->c->req->id;
    reply.more = more;
    reply.result_case = TCPD__V1__REPLY__RESULT_LIST;
    reply.list = &result;
    call_reply(w->c->rpc, w->c->session, &reply, 0, -1);
    w->n = 0;
}

static struct row *walk_row(struct list_walk *w)
{
    if (w->n == ROWS_IN_A_PART)
        walk_send(w, true);
    w->at[w->n] = &w->rows[w->n].msg;
    return &w->rows[w->n++];
}

static void walk_socks(struct list_walk *w)
{
    const Tcpd__V1__ListRequest *req = w->c->req->list;
    struct sock_table *t = w->c->rpc->init.socks;

    for (struct sock *s = sock_first(t); s; s = sock_next(t, s)) {
        struct tcp_conn *conn = sock_conn(s);

        if (conn && idmap_reserve(&w->seen) == 0)
            idmap_put(&w->seen, tcp_conn_id(conn), conn);
        if (sock_state(s) == SOCK_LISTENING ? req->listeners : req->connections)
            row_of_sock(w->c->rpc, s, walk_row(w));
    }
}

static void walk_conns(struct list_walk *w)
{
    struct tcp_engine *e = w->c->rpc->init.engine;

    for (struct tcp_conn *conn = tcp_engine_first(e); conn; conn = tcp_engine_next(e, conn))
        if (!idmap_get(&w->seen, tcp_conn_id(conn)))
            row_of_conn(conn, walk_row(w));
}

int svc_list(struct call *c)
{
    struct list_walk w = { .c = c };

    w.rows = calloc(ROWS_IN_A_PART, sizeof(*w.rows));
    if (!w.rows)
        return -ENOMEM;
    walk_socks(&w);
    if (c->req->list->connections)
        walk_conns(&w);
    walk_send(&w, false);
    idmap_deinit(&w.seen);
    free(w.rows);
    return CALL_ANSWERED;
}

/* ---- one of them ------------------------------------------------------------------------- */

static int no_such(struct call *c, uint64_t id)
{
    return call_say(c, -ENOENT, "there is no socket or connection %llu", (unsigned long long)id);
}

int svc_show(struct call *c)
{
    uint64_t id = c->req->show->id;
    struct sock *s = sock_find(c->rpc->init.socks, id);
    struct tcp_conn *conn = s ? NULL : tcp_engine_find(c->rpc->init.engine, id);
    struct row row;

    if (!s && !conn)
        return no_such(c, id);
    if (!s || sock_owner(s)->uid != c->cred.uid) {
        int r = call_need_admin(c);

        if (r < 0)
            return r;
    }
    if (s)
        row_of_sock(c->rpc, s, &row);
    else
        row_of_conn(conn, &row);
    c->reply->result_case = TCPD__V1__REPLY__RESULT_SHOW;
    c->reply->show = &row.msg;
    call_reply(c->rpc, c->session, c->reply, 0, -1);
    return CALL_ANSWERED;
}

int svc_drop(struct call *c)
{
    uint64_t id = c->req->drop->id;
    struct sock *s = sock_find(c->rpc->init.socks, id);
    struct tcp_conn *conn = s ? NULL : tcp_engine_find(c->rpc->init.engine, id);
    int r = call_need_admin(c);

    if (r < 0)
        return r;
    if (s)
        sock_abort(s, ECONNABORTED, c->now);
    else if (conn)
        tcp_conn_abort(conn, c->now);
    else
        return no_such(c, id);
    return 0;
}
