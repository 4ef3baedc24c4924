/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * RFC 9438 in integers. Windows are bytes where the RFC has segments, time is
 * milliseconds where it has seconds, so that
 *
 *     C (t - K)^3 segments  =  0.4 MSS (ms / 1000)^3 bytes  =  MSS ms^3 / 2.5e9
 *
 * What is done for each ACK is done for each byte of it, so delayed ACKs grow the
 * window as fast as others (4.3, equation 4, says so for W_est).
 */
#include "engine/cc.h"
#include "engine/cubic.h"

#define BETA_NUM    7u /* beta_cubic = 0.7 */
#define BETA_DEN    10u
#define ALPHA_NUM   9u /* alpha_cubic = 3 (1 - beta) / (1 + beta) = 9/17 */
#define ALPHA_DEN   17u
#define MSEC_MAX    400000 /* |t - K| beyond which the cube would not fit; by then cwnd_max rules */
#define CUBE_TO_MSS 2500000000ull

uint32_t cubic_root(uint64_t n)
{
    const uint64_t most = 2642245; /* its cube is the last that fits 64 bits */
    uint32_t root = 0;

    for (uint32_t bit = 1u << 21; bit; bit >>= 1) {
        uint64_t try = root | bit;

        if (try <= most && try * try * try <= n)
            root |= bit;
    }
    return root;
}

/* W_cubic(@t): equation 1. */
static uint64_t w_cubic(const struct tcp_conn *conn, usec_t t)
{
    const struct cubic *c = &conn->cubic;
    uint64_t msec = MIN(usec_to_msec(t), (uint64_t)UINT32_MAX), away, delta;

    away = msec > c->k_msec ? msec - c->k_msec : c->k_msec - msec;
    away = MIN(away, (uint64_t)MSEC_MAX);
    /* Divided in two steps: the cube times the MSS would not fit. */
    delta = away * away * away / 2500 * conn->snd.mss / (CUBE_TO_MSS / 2500);
    if (msec > c->k_msec)
        return c->w_max + delta;
    return c->w_max - MIN(delta, (uint64_t)c->w_max);
}

/* 4.2: K, the time to come back to W_max. 4.8, 4.10: after a timeout, or with no W_max, it is 0. */
static void start_epoch(struct tcp_conn *conn, usec_t now)
{
    struct cubic *c = &conn->cubic;
    uint32_t cwnd = conn->cc.cwnd;

    c->epoch_at = c->last_at = now;
    c->w_est = cwnd;
    c->grow_part = c->est_part = 0;
    c->k_msec = 0;
    if (!c->w_max)
        c->cwnd_prior = cwnd;
    if (c->timed_out || c->w_max <= cwnd)
        c->w_max = cwnd;
    else
        c->k_msec = cubic_root((uint64_t)(c->w_max - cwnd) * CUBE_TO_MSS / conn->snd.mss);
    c->timed_out = false;
}

/* Equation 4; alpha is 1 once the window is what it was. */
static void grow_reno(struct tcp_conn *conn, uint32_t bytes)
{
    struct cubic *c = &conn->cubic;
    bool back = c->w_est >= c->cwnd_prior;
    uint64_t per = (uint64_t)ALPHA_DEN * conn->cc.cwnd;

    c->est_part += (uint64_t)bytes * conn->snd.mss * (back ? ALPHA_DEN : ALPHA_NUM);
    c->w_est = MIN(c->w_est + c->est_part / per, (uint64_t)UINT32_MAX);
    c->est_part %= per;
}

/* 4.4, 4.5: by (target - cwnd) / cwnd for each segment. */
static uint64_t grow_cubic(struct tcp_conn *conn, uint32_t bytes, usec_t t)
{
    struct cubic *c = &conn->cubic;
    uint64_t cwnd = conn->cc.cwnd;
    uint64_t target = CLAMP(w_cubic(conn, t + conn->rtt.srtt), cwnd, cwnd * 3 / 2);
    uint64_t step;

    c->grow_part += (target - cwnd) * bytes;
    step = c->grow_part / cwnd;
    c->grow_part %= cwnd;
    return cwnd + step;
}

static void on_ack(struct tcp_conn *conn, uint32_t bytes, usec_t now)
{
    struct cubic *c = &conn->cubic;
    uint64_t window;

    if (conn->cc.cwnd < conn->cc.ssthresh) {
        c->epoch_at = 0;
        cc_slow_start(conn, bytes, now);
        return;
    }
    if (!c->epoch_at)
        start_epoch(conn, now);
    if (!conn->cc.limited) { /* 5.8: the clock stands still while the window is not used */
        c->epoch_at += usec_since(c->last_at, now);
        c->last_at = now;
        return;
    }
    c->last_at = now;
    grow_reno(conn, bytes);
    if (w_cubic(conn, usec_since(c->epoch_at, now)) < c->w_est)
        window = MAX(c->w_est, (uint64_t)conn->cc.cwnd);
    else
        window = grow_cubic(conn, bytes, usec_since(c->epoch_at, now));
    if (window != conn->cc.cwnd)
        cc_set_cwnd(conn, window, now);
}

/* 4.6, and 4.7 before it: fast convergence. */
static void reduce(struct tcp_conn *conn, uint32_t flight)
{
    struct cubic *c = &conn->cubic;
    uint32_t cwnd = conn->cc.cwnd;
    uint64_t less = (uint64_t)flight * BETA_NUM / BETA_DEN;

    c->w_max = cwnd < c->w_max ? (uint32_t)((uint64_t)cwnd * (BETA_DEN + BETA_NUM) / (2 * BETA_DEN))
                               : cwnd;
    c->cwnd_prior = cwnd;
    c->epoch_at = 0;
    conn->cc.ssthresh = (uint32_t)MAX(less, 2ull * conn->snd.mss);
}

static void on_loss(struct tcp_conn *conn, uint32_t flight, usec_t now)
{
    reduce(conn, flight);
    cc_set_cwnd(conn, conn->cc.ssthresh, now);
}

/* 4.6: a mark is answered as a loss is. */
static void on_ecn(struct tcp_conn *conn, uint32_t flight, usec_t now)
{
    reduce(conn, flight);
    cc_set_cwnd(conn, MIN(conn->cc.cwnd, conn->cc.ssthresh), now);
}

static void on_timeout(struct tcp_conn *conn, uint32_t flight, bool first, usec_t now)
{
    if (first)
        reduce(conn, flight);
    conn->cubic.timed_out = true;
    conn->cubic.epoch_at = 0;
    cc_set_cwnd(conn, conn->snd.mss, now);
}

static void on_idle(struct tcp_conn *conn, usec_t now)
{
    conn->cubic.epoch_at = 0;
    cc_restart_window(conn, now);
}

const struct tcp_cc cc_cubic = {
    .name = "cubic",
    .on_ack = on_ack,
    .on_loss = on_loss,
    .on_timeout = on_timeout,
    .on_ecn = on_ecn,
    .on_idle = on_idle,
};
