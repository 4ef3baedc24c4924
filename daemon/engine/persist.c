/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Probing a closed window: RFC 9293 3.8.6.1. The peer's answers keep the
 * connection alive for as long as they come; only silence ends it. The same
 * timer overrides the sender's silly window avoidance (3.8.6.2.1 (4)).
 */
#include <errno.h>

#include "engine/impl.h"

void persist_arm(struct tcp_conn *conn, usec_t now)
{
    if (!timer_running(conn, TIMER_PERSIST))
        timer_set(conn, TIMER_PERSIST, now + rtt_rto(&conn->rtt, conn->probes));
}

/* The window is open. */
void persist_stop(struct tcp_conn *conn)
{
    timer_stop(conn, TIMER_PERSIST);
    conn->probes = 0;
}

void persist_fired(struct tcp_conn *conn, usec_t now)
{
    uint32_t patience = conn->config.abort_ms;

    if (!patience && conn->orphan)
        patience = conn->engine->tun->ip_abort_linterval;
    if (patience && conn->probes &&
        usec_since(conn->stat.last_recv_at, now) > usec_from_msec(patience)) {
        conn->engine->counters.tim_retrans_drop++;
        reply_rst_conn(conn, now);
        conn_kill(conn, CAUSE_TIMEOUT, conn->soft_error ? conn->soft_error : ETIMEDOUT, now);
        return;
    }
    if (conn->probes < 32)
        conn->probes++;
    conn->probe_now = true;
    conn_wants_output(conn);
}
