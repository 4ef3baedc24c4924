/* SPDX-License-Identifier: BSD-2-Clause */
/* What tcpctl asks: who are you, how are you, what have you counted. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "rpc/session.h"
#include "state/state.h"

#define PROTOCOL_VERSION 1

/* A string field of a message: protobuf-c wants it writable, and does not write. */
static char *text(const char *s)
{
    return (char *)(uintptr_t)s;
}

int svc_hello(struct call *c)
{
    Tcpd__V1__HelloReply result = TCPD__V1__HELLO_REPLY__INIT;

    result.version = PROTOCOL_VERSION;
    result.server = text("tcpd " TCPD_VERSION);
    result.supervisor_pid = c->rpc->init.supervisor_pid;
    c->reply->result_case = TCPD__V1__REPLY__RESULT_HELLO;
    c->reply->hello = &result;
    call_reply(c->rpc, c->session, c->reply, 0, -1);
    return CALL_ANSWERED;
}

/* ---- pairs: names and numbers, as many as come --------------------------------------- */

struct pairs {
    Tcpd__V1__Pair *item;
    Tcpd__V1__Pair **at;
    size_t n, size;
};

static void pairs_add(void *arg, const char *name, uint64_t value)
{
    struct pairs *p = arg;

    if (p->n == p->size) {
        size_t size = p->size ? p->size * 2 : 64;
        Tcpd__V1__Pair *item = reallocarray(p->item, size, sizeof(*item));

        if (!item)
            return; /* the answer is shorter then */
        p->item = item;
        p->size = size;
    }
    tcpd__v1__pair__init(&p->item[p->n]);
    p->item[p->n].name = strdup(name);
    p->item[p->n].value = value;
    if (p->item[p->n].name)
        p->n++;
}

/* The array of pointers that a message wants; valid until pairs_deinit(). */
static Tcpd__V1__Pair **pairs_array(struct pairs *p)
{
    p->at = calloc(p->n + 1, sizeof(*p->at));
    for (size_t i = 0; p->at && i < p->n; i++)
        p->at[i] = &p->item[i];
    return p->at;
}

static void pairs_deinit(struct pairs *p)
{
    for (size_t i = 0; i < p->n; i++)
        free(p->item[i].name);
    free(p->item);
    free(p->at);
}

/* ---- status ------------------------------------------------------------------------------ */

static void count_fd(void *ctx, int fd, enum state_fd_kind kind, uint64_t arg)
{
    (*(uint32_t *)ctx)++;
}

static void status_fds(const struct rpc *r, Tcpd__V1__StatusReply *ret)
{
    struct rlimit lim = { 0 };

    state_fd_each(r->init.state, count_fd, &ret->fds_used);
    if (getrlimit(RLIMIT_NOFILE, &lim) == 0)
        ret->fds_limit = (uint32_t)MIN(lim.rlim_cur, (rlim_t)UINT32_MAX);
}

static void status_fill(const struct call *c, Tcpd__V1__StatusReply *ret)
{
    const struct rpc_init *init = &c->rpc->init;
    struct sock_usage usage;

    sock_usage(init->socks, &usage);
    ret->version = text(TCPD_VERSION);
    ret->supervisor_pid = init->supervisor_pid;
    ret->worker_pid = (uint32_t)getpid();
    ret->worker_starts = (uint32_t)state_global(init->state)->workers;
    ret->uptime_usec = usec_since(init->started_at, c->now);
    ret->sockets = usage.sockets;
    ret->listeners = usage.listeners;
    ret->connections = usage.connections;
    ret->port_claims = init->port_claims ? init->port_claims(init->netio_ctx) : 0;
    ret->arena_bytes = state_arena_used(init->state);
    ret->sessions = c->rpc->count;
    ret->generation = state_generation(init->state);
    status_fds(c->rpc, ret);
}

int svc_status(struct call *c)
{
    Tcpd__V1__StatusReply result = TCPD__V1__STATUS_REPLY__INIT;
    struct rpc *r = c->rpc;
    struct pairs pairs = { 0 };

    status_fill(c, &result);
    if (r->init.netio_pairs)
        r->init.netio_pairs(r->init.netio_ctx, pairs_add, &pairs);
    result.netio = pairs_array(&pairs);
    result.n_netio = result.netio ? pairs.n : 0;
    c->reply->result_case = TCPD__V1__REPLY__RESULT_STATUS_INFO;
    c->reply->status_info = &result;
    call_reply(r, c->session, c->reply, 0, -1);
    pairs_deinit(&pairs);
    return CALL_ANSWERED;
}

/* ---- stats ------------------------------------------------------------------------------- */

static const char *const drop_names[] = {
#define DROP(ident, text, rfc) #ident,
#include "engine/drops.def"
};

static void add_drops(struct pairs *p, const struct tcp_counters *counters)
{
    for (size_t i = 0; i < TCP_DROP_COUNT; i++) {
        char name[64] = "drop_";

        for (size_t j = 0; drop_names[i][j] && j < sizeof(name) - 6; j++)
            name[5 + j] = (char)tolower((unsigned char)drop_names[i][j]);
        pairs_add(p, name, counters->drop[i]);
    }
}

static void add_counters(struct pairs *p, const struct tcp_counters *counters)
{
#define COUNTER(field, name, scope, help) pairs_add(p, name, counters->field);
#include "proto/counters.def"
}

static void add_rpc(struct pairs *p, const struct rpc_stats *stats)
{
    pairs_add(p, "rpcRequests", stats->requests);
    pairs_add(p, "rpcGarbage", stats->garbage);
    pairs_add(p, "rpcRefusedSessions", stats->refused);
    pairs_add(p, "rpcLostReplies", stats->slow);
}

int svc_stats(struct call *c)
{
    Tcpd__V1__StatsReply result = TCPD__V1__STATS_REPLY__INIT;
    const struct tcp_counters *counters = tcp_engine_counters(c->rpc->init.engine);
    struct pairs pairs = { 0 };

    add_counters(&pairs, counters);
    add_drops(&pairs, counters);
    add_rpc(&pairs, &c->rpc->stats);
    result.counters = pairs_array(&pairs);
    result.n_counters = result.counters ? pairs.n : 0;
    c->reply->result_case = TCPD__V1__REPLY__RESULT_STATS;
    c->reply->stats = &result;
    call_reply(c->rpc, c->session, c->reply, 0, -1);
    pairs_deinit(&pairs);
    return CALL_ANSWERED;
}
