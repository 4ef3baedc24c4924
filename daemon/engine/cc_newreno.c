/* SPDX-License-Identifier: BSD-2-Clause */
/* RFC 5681 with appropriate byte counting (RFC 3465), which _abc can switch off. */
#include "engine/cc.h"

/* RFC 5681 3.1, equation 2, by bytes: RFC 3465 2.2. After a timeout L is 1 (2.3). */
static uint32_t slow_start_step(const struct tcp_conn *conn, uint32_t bytes)
{
    const struct tunables *tun = conn->engine->tun;
    uint64_t limit = (uint64_t)(conn->loss.phase == LOSS_TIMEOUT ? 1 : tun->abc_l_var) *
                     conn->snd.mss;

    if (!tun->abc)
        limit = conn->snd.mss;
    return (uint32_t)MIN((uint64_t)bytes, limit);
}

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

    if (!conn->cc.limited)
        return; /* 5681 4.3: a window that is not used is no proof that it fits */
    step = conn->cc.cwnd < conn->cc.ssthresh ? slow_start_step(conn, bytes)
                                             : avoidance_step(conn, bytes);
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

/* 5681 4.1: restart from the initial window, never from a larger one. */
static void on_idle(struct tcp_conn *conn, usec_t now)
{
    uint32_t segs = conn->config.init_cwnd_segs;
    uint32_t window;

    if (!segs)
        segs = MIN(conn->engine->tun->slow_start_after_idle, 16u);
    window = segs ? segs * conn->snd.mss : cc_initial_window(conn);
    if (window < conn->cc.cwnd)
        cc_set_cwnd(conn, window, now);
}

const struct tcp_cc cc_newreno = {
    .name = "newreno",
    .on_ack = on_ack,
    .on_loss = on_loss,
    .on_timeout = on_timeout,
    .on_ecn = on_ecn,
    .on_idle = on_idle,
};
