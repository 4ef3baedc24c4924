/* SPDX-License-Identifier: BSD-2-Clause */
#include "fake_engine.h"

#include <stdlib.h>
#include <string.h>

#include "proto/tunables.h"

struct tcp_engine *fake_engine_new(void)
{
    struct tcp_engine *e = calloc(1, sizeof(*e));

    e->next_id = 1;
    list_init(&e->conns);
    list_init(&e->listeners);
    return e;
}

void fake_engine_free(struct tcp_engine *e)
{
    LIST_FOREACH_SAFE (n, &e->conns)
        free(LIST_ENTRY(n, struct tcp_conn, node));
    LIST_FOREACH_SAFE (n, &e->listeners)
        free(LIST_ENTRY(n, struct tcp_listener, node));
    free(e);
}

static struct tcp_conn *conn_new(struct tcp_engine *e, const struct flow *flow,
                                 const struct tcp_config *config, enum tcp_state state)
{
    struct tcp_conn *conn = calloc(1, sizeof(*conn));

    conn->engine = e;
    conn->config = *config;
    conn->info.id = tcp_engine_take_id(e);
    conn->info.flow = *flow;
    conn->info.state = state;
    list_append(&e->conns, &conn->node);
    return conn;
}

struct tcp_conn *fake_passive(struct tcp_engine *e, struct tcp_listener *l, const struct flow *flow)
{
    struct tcp_conn *conn = conn_new(e, flow, &l->config, TCP_ESTABLISHED);

    conn->listener = l;
    conn->config.cork = 0;
    conn->info.user = l->open.user;
    l->queued++;
    return conn;
}

void fake_forget(struct tcp_conn *conn)
{
    list_del(&conn->node);
    free(conn);
}

uint64_t tcp_engine_take_id(struct tcp_engine *e)
{
    return e->next_id++;
}

void tcp_config_init(struct tcp_config *config, const struct tunables *tun)
{
    *config = (struct tcp_config){
        .snd_buf_bytes = tun->send_buf,
        .rcv_buf_bytes = tun->recv_buf,
        .naglim_bytes = tun->naglim_def,
        .rto_initial_ms = tun->rexmit_interval_initial,
        .rto_min_ms = tun->rexmit_interval_min,
        .rto_max_ms = tun->rexmit_interval_max,
        .conn_abort_ms = tun->ip_abort_cinterval,
        .abort_ms = tun->ip_abort_interval,
        .conn_notify_ms = tun->ip_notify_cinterval,
        .notify_ms = tun->ip_notify_interval,
        .keepalive_ms = tun->keepalive_interval,
        .keepalive_abort_ms = tun->keepalive_abort_interval,
        .fin_wait_2_ms = tun->fin_wait_2_flush_interval,
        .mss_def_v4_bytes = tun->mss_def_ipv4,
        .mss_def_v6_bytes = tun->mss_def_ipv6,
        .ttl = tun->ipv4_ttl,
        .hop_limit = tun->ipv6_hoplimit,
    };
}

const char *tcp_cc_name(enum tcp_cc_id id)
{
    return id == TCP_CC_CUBIC ? "cubic" : "newreno";
}

/* ---- opening ----------------------------------------------------------------- */

static bool same_flow(const struct flow *a, const struct flow *b)
{
    return ip_addr_eq(&a->local, &b->local) && ip_addr_eq(&a->remote, &b->remote) &&
           a->lport == b->lport && a->rport == b->rport && a->zone == b->zone;
}

bool tcp_flow_free(const struct tcp_engine *e, const struct flow *flow, usec_t now)
{
    LIST_FOREACH (n, &e->conns) {
        const struct tcp_conn *conn = LIST_ENTRY(n, struct tcp_conn, node);

        if (conn->info.state != TCP_CLOSED && same_flow(&conn->info.flow, flow))
            return false;
    }
    return true;
}

int tcp_connect(struct tcp_engine *e, const struct tcp_open *open, usec_t now,
                struct tcp_conn **ret)
{
    struct tcp_conn *conn;

    if (e->connect_error)
        return e->connect_error;
    if (!tcp_flow_free(e, &open->flow, now))
        return -98; /* EADDRINUSE */
    conn = conn_new(e, &open->flow, &open->config, TCP_SYN_SENT);
    conn->path = open->path;
    conn->info.user = open->user;
    *ret = conn;
    return 0;
}

int tcp_listen(struct tcp_engine *e, const struct tcp_open *open, uint32_t backlog,
               struct tcp_listener **ret)
{
    struct tcp_listener *l;

    if (e->listen_error)
        return e->listen_error;
    l = calloc(1, sizeof(*l));
    l->open = *open;
    l->config = open->config;
    l->backlog = backlog;
    list_append(&e->listeners, &l->node);
    e->listens++;
    *ret = l;
    return 0;
}

void tcp_listener_configure(struct tcp_listener *l, const struct tcp_config *config,
                            uint32_t backlog)
{
    l->config = *config;
    l->backlog = backlog;
    l->configured++;
}

void tcp_listener_hold(struct tcp_listener *l, uint32_t held)
{
    l->held = held;
}

void tcp_listener_taken(struct tcp_listener *l, struct tcp_conn *conn, uint64_t new_user)
{
    conn->listener = NULL;
    conn->info.user = new_user;
    l->queued--;
}

void tcp_listener_close(struct tcp_engine *e, struct tcp_listener *l, usec_t now)
{
    LIST_FOREACH (n, &e->conns) {
        struct tcp_conn *conn = LIST_ENTRY(n, struct tcp_conn, node);

        if (conn->listener == l) {
            conn->listener = NULL;
            conn->aborted++;
            conn->info.state = TCP_CLOSED;
        }
    }
    list_del(&l->node);
    free(l);
    e->listener_closes++;
}

/* ---- a connection ---------------------------------------------------------------- */

uint64_t tcp_conn_id(const struct tcp_conn *conn)
{
    return conn->info.id;
}

enum tcp_state tcp_conn_state(const struct tcp_conn *conn)
{
    return conn->info.state;
}

const struct flow *tcp_conn_flow(const struct tcp_conn *conn)
{
    return &conn->info.flow;
}

void tcp_conn_set_user(struct tcp_conn *conn, uint64_t user)
{
    conn->info.user = user;
}

void tcp_conn_set_path(struct tcp_conn *conn, const struct path *path, usec_t now)
{
    conn->path = *path;
    conn->paths++;
}

const struct path *tcp_conn_path(const struct tcp_conn *conn)
{
    return &conn->path;
}

const struct tcp_config *tcp_conn_config(const struct tcp_conn *conn)
{
    return &conn->config;
}

void tcp_conn_configure(struct tcp_conn *conn, const struct tcp_config *config, usec_t now)
{
    conn->config = *config;
    conn->configured++;
}

uint32_t tcp_conn_rx_peek(struct tcp_conn *conn, struct iovec iov[2])
{
    memset(iov, 0, 2 * sizeof(*iov));
    return conn->rx_bytes;
}

void tcp_conn_shutdown(struct tcp_conn *conn, usec_t now)
{
    conn->shut++;
}

void tcp_conn_close(struct tcp_conn *conn, usec_t now)
{
    conn->closed++;
}

void tcp_conn_abort(struct tcp_conn *conn, usec_t now)
{
    conn->aborted++;
    conn->info.state = TCP_CLOSED;
}

void tcp_conn_info(const struct tcp_conn *conn, struct tcp_conn_info *ret)
{
    *ret = conn->info;
}
