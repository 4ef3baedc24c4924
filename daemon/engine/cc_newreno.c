/* SPDX-License-Identifier: BSD-2-Clause */
/* RFC 5681 with appropriate byte counting (RFC 3465), which _abc can switch off. */
#include "engine/cc.h"

/* 3.1: one segment per window of data, RFC 3465 2.1. */
static uint32_t avoidance_step(struct tcp_conn *conn, uint32_t bytes)
{
    uint32_t cwnd = conn->cc.cwnd;

    conn->cc.acked += conn->engine->tun->abc ? bytes : MIN(bytes, conn->snd.mss);
    if (conn->cc.acked < cwnd)
        return 0;
    conn->cc.acked -= cwnd;
    conn->cc.acked = MIN(conn->cc.acked, cwnd);
    return conn->snd.mss;
}

static void on_ack(struct tcp_conn *conn, uint32_t bytes, usec_t now)
{
    uint32_t step;

    if (conn->cc.cwnd < conn->cc.ssthresh) {
        cc_slow_start(conn, bytes, now);
        return;
    }
    step = conn->cc.limited ? avoidance_step(conn, bytes) : 0;
    if (step)
        cc_set_cwnd(conn, (uint64_t)conn->cc.cwnd + step, now);
}

/* Equation 4. */
static uint32_t half_of(const struct tcp_conn *conn, uint32_t flight)
{
    return MAX(flight / 2, 2 * conn->snd.mss);
}

static void on_loss(struct tcp_conn *conn, uint32_t flight, usec_t now)
{
    conn->cc.ssthresh = half_of(conn, flight);
    conn->cc.acked = 0;
    cc_set_cwnd(conn, conn->cc.ssthresh, now);
}

/* RFC 3168 6.1.2: as for a loss; what was sent meanwhile is no reason to grow. */
static void on_ecn(struct tcp_conn *conn, uint32_t flight, usec_t now)
{
    conn->cc.ssthresh = half_of(conn, flight);
    conn->cc.acked = 0;
    cc_set_cwnd(conn, MIN(conn->cc.cwnd, conn->cc.ssthresh), now);
}

static void on_timeout(struct tcp_conn *conn, uint32_t flight, bool first, usec_t now)
{
    if (first)
        conn->cc.ssthresh = half_of(conn, flight);
    conn->cc.acked = 0;
    cc_set_cwnd(conn, conn->snd.mss, now);
}

const struct tcp_cc cc_newreno = {
    .name = "newreno",
    .on_ack = on_ack,
    .on_loss = on_loss,
    .on_timeout = on_timeout,
    .on_ecn = on_ecn,
    .on_idle = cc_restart_window,
};
