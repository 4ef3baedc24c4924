/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keep-alive, RFC 9293 3.8.4 and tcp.4p: off unless asked for; a probe after
 * `keepalive_ms` without a word from the peer; an end after `keepalive_abort_ms`
 * without an answer. While data are in flight their retransmission does the asking.
 */
#include <errno.h>

#include "engine/impl.h"

static bool wanted(const struct tcp_conn *conn)
{
    return conn->config.keepalive && conn->state >= TCP_ESTABLISHED &&
           conn->state <= TCP_CLOSE_WAIT;
}

void keepalive_arm(struct tcp_conn *conn, usec_t now)
{
    if (wanted(conn))
        timer_set(conn, TIMER_KEEPALIVE,
                  conn->stat.last_recv_at + usec_from_msec(conn->config.keepalive_ms));
    else
        timer_stop(conn, TIMER_KEEPALIVE);
}

/* Until the next probe: as the program said, else the RTO, doubling (illumos). */
static usec_t probe_interval(const struct tcp_conn *conn)
{
    if (conn->config.keepalive_intvl_ms)
        return usec_from_msec(conn->config.keepalive_intvl_ms);
    return MIN(rtt_rto(&conn->rtt, conn->probes ? conn->probes - 1u : 0),
               usec_from_msec(MAX(conn->config.keepalive_ms, 2u) - 1));
}

static void give_up(struct tcp_conn *conn, usec_t now)
{
    conn->engine->counters.tim_keepalive_drop++;
    reply_rst_conn(conn, now);
    conn_kill(conn, CAUSE_KEEPALIVE, conn->soft_error ? conn->soft_error : ETIMEDOUT, now);
}

void keepalive_fired(struct tcp_conn *conn, usec_t now)
{
    usec_t silent = usec_since(conn->stat.last_recv_at, now);
    usec_t idle = usec_from_msec(conn->config.keepalive_ms);
    uint32_t abort_ms = conn->config.keepalive_abort_ms;

    if (!wanted(conn))
        return;
    conn->engine->counters.tim_keepalive++;
    if (silent < idle || conn->sentq.count || seq_lt(conn->snd.nxt, snd_end(conn))) {
        if (silent < idle)
            conn->probes = 0;
        timer_set(conn, TIMER_KEEPALIVE,
                  silent < idle ? conn->stat.last_recv_at + idle : now + idle);
        return;
    }
    if (abort_ms && silent >= idle + usec_from_msec(abort_ms)) {
        give_up(conn, now);
        return;
    }
    if (conn->probes < 32)
        conn->probes++;
    conn->probe_now = true;
    conn_wants_output(conn);
    timer_set(conn, TIMER_KEEPALIVE, now + probe_interval(conn));
}
