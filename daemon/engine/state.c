/* SPDX-License-Identifier: BSD-2-Clause */
/* The states, the edges, and the only writer of conn->state. */
#include <assert.h>

#include "engine/cc.h"

static const char *const state_names[] = {
#define STATE(ident, name, mib, illumos) [TCP_##ident] = name,
#include "engine/states.def"
};

static const char *const cause_names[] = {
#define CAUSE(ident, text) [CAUSE_##ident] = text,
#include "engine/edges.def"
};

static const char *const drop_names[] = {
#define DROP(ident, text, rfc) [DROP_##ident] = text,
#include "engine/drops.def"
};

const char *tcp_state_name(enum tcp_state s)
{
    return (unsigned)s < TCP_STATE_COUNT ? state_names[s] : "?";
}

const char *tcp_cause_name(enum tcp_cause c)
{
    return (unsigned)c < CAUSE_COUNT ? cause_names[c] : "?";
}

const char *tcp_drop_name(enum tcp_drop d)
{
    return (unsigned)d < TCP_DROP_COUNT ? drop_names[d] : "?";
}

/* Only asserted: a release build does without. */
__attribute__((unused)) static bool edge_is_legal(enum tcp_state from, enum tcp_state to, enum tcp_cause cause)
{
    switch ((unsigned)from << 16 | (unsigned)to << 8 | (unsigned)cause) {
#define EDGE(from, to, cause, rfc)                                                                 \
    case (unsigned)TCP_##from << 16 | (unsigned)TCP_##to << 8 | (unsigned)CAUSE_##cause:
#include "engine/edges.def"
        return true;
    default:
        return false;
    }
}

static bool counts_as_established(enum tcp_state s)
{
    return s == TCP_ESTABLISHED || s == TCP_CLOSE_WAIT;
}

/* RFC 4022: what tcpAttemptFails, tcpEstabResets and tcpCurrEstab count. */
static void count_change(struct tcp_counters *c, enum tcp_state from, enum tcp_state to)
{
    if (counts_as_established(to) && !counts_as_established(from))
        c->curr_estab++;
    if (!counts_as_established(to) && counts_as_established(from))
        c->curr_estab--;
    if (to != TCP_CLOSED)
        return;
    if (from == TCP_SYN_SENT || from == TCP_SYN_RCVD)
        c->attempt_fails++;
    if (counts_as_established(from))
        c->estab_resets++;
}

static void became_established(struct tcp_conn *conn, usec_t now)
{
    cc_start(conn);
    dest_cache_ssthresh(conn, now);
    timer_stop(conn, TIMER_REXMT);
    conn->backoff = 0;
    conn->rexmt_since = 0;
    rto_after_syn(conn);
    keepalive_arm(conn, now);
}

/**
 * tcp_conn_set_state() - the only way to another state
 *
 * Looks the edge up in edges.def, tells the tracer, and does what entering the
 * state means everywhere it is entered.
 */
void tcp_conn_set_state(struct tcp_conn *conn, enum tcp_state to, enum tcp_cause cause, usec_t now)
{
    struct tcp_engine *e = conn->engine;
    enum tcp_state from = conn->state;
    struct tcp_trace t = { now, conn->id, TCP_TRACE_STATE, from, to, cause };

    assert(edge_is_legal(from, to, cause));
    conn->state = (uint8_t)to;
    conn_dirty(conn);
    count_change(&e->counters, from, to);
    if (e->trace)
        e->trace(e->trace_ctx, &t);

    if ((to == TCP_CLOSED && from >= TCP_ESTABLISHED && from != TCP_TIME_WAIT) ||
        to == TCP_TIME_WAIT)
        dest_cache_store(conn, now);
    if (to == TCP_CLOSED || to == TCP_TIME_WAIT)
        quota_release(conn);
    if (to == TCP_ESTABLISHED)
        became_established(conn, now);
    else if (to == TCP_TIME_WAIT)
        time_wait_enter(conn, now);
    else if (to == TCP_FIN_WAIT_2 && conn->orphan)
        timer_set(conn, TIMER_LINGER, now + usec_from_msec(conn->config.fin_wait_2_ms));
}
