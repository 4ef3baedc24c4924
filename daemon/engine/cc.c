/* SPDX-License-Identifier: BSD-2-Clause */
/* Which congestion control, and what is the same in all of them. */
#include "engine/cc.h"

extern const struct tcp_cc cc_newreno, cc_cubic;

/* Names are those of the congestion_control property. */
const struct tcp_cc *cc_get(enum tcp_cc_id id)
{
    return id == TCP_CC_CUBIC ? &cc_cubic : &cc_newreno;
}

void cc_choose(struct tcp_conn *conn)
{
    const struct tcp_cc *ops = cc_get(conn->config.cc);

    if (ops == conn->cc.ops)
        return;
    conn->cc.ops = ops;
    conn->cc.acked = 0;
    conn->cubic = (struct cubic){ 0 };
    conn->undo.armed = false;
}

const char *tcp_cc_name(enum tcp_cc_id id)
{
    return cc_get(id)->name;
}

void cc_set_cwnd(struct tcp_conn *conn, uint64_t bytes, usec_t now)
{
    uint32_t from = conn->cc.cwnd;
    uint64_t top = MAX(conn->config.cwnd_max_bytes, conn->snd.mss);
    struct tcp_trace t;

    conn->cc.cwnd = (uint32_t)CLAMP(bytes, (uint64_t)conn->snd.mss, top);
    if (!conn->engine->trace || from == conn->cc.cwnd)
        return;
    t = (struct tcp_trace){ now, conn->id, TCP_TRACE_CWND, from, conn->cc.cwnd, 0 };
    conn->engine->trace(conn->engine->trace_ctx, &t);
}

/* RFC 3390 1: min(4 MSS, max(2 MSS, 4380 bytes)), whole segments as illumos counts them. */
static uint32_t rfc3390_window(uint32_t mss)
{
    return MIN(4 * mss, MAX(2 * mss, 4380 / mss * mss));
}

uint32_t cc_initial_window(const struct tcp_conn *conn)
{
    uint32_t mss = conn->snd.mss;
    uint32_t segs = conn->config.init_cwnd_segs;

    if (!segs)
        segs = conn->engine->tun->slow_start_initial;
    return segs ? segs * mss : rfc3390_window(mss);
}

void cc_start(struct tcp_conn *conn)
{
    cc_choose(conn);
    /* RFC 5681 3.1: a SYN or SYN-ACK that was lost takes the initial window to one segment. */
    conn->cc.cwnd = conn->syn_tries > 1 ? conn->snd.mss : cc_initial_window(conn);
    conn->cc.ssthresh = CC_SSTHRESH_UNKNOWN;
}

/*
 * RFC 5681 3.1, equation 2, by bytes: RFC 3465 2.2. After a timeout L is 1 (2.3).
 * A window that is not used is no proof that it fits: 5681 4.3.
 */
void cc_slow_start(struct tcp_conn *conn, uint32_t bytes, usec_t now)
{
    const struct tunables *tun = conn->engine->tun;
    uint64_t limit = (uint64_t)(conn->loss.phase == LOSS_TIMEOUT ? 1 : tun->abc_l_var) *
                     conn->snd.mss;

    if (!conn->cc.limited)
        return;
    if (!tun->abc)
        limit = conn->snd.mss;
    cc_set_cwnd(conn, conn->cc.cwnd + MIN((uint64_t)bytes, limit) / hystart_divisor(conn), now);
}

/* 5681 4.1: restart from the initial window, never from a larger one. */
void cc_restart_window(struct tcp_conn *conn, usec_t now)
{
    uint32_t segs = conn->config.init_cwnd_segs;
    uint32_t window;

    if (!segs)
        segs = MIN(conn->engine->tun->slow_start_after_idle, 16u);
    window = segs ? segs * conn->snd.mss : cc_initial_window(conn);
    if (window < conn->cc.cwnd)
        cc_set_cwnd(conn, window, now);
}
