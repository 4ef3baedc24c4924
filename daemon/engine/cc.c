/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine/cc.h"

extern const struct tcp_cc cc_newreno;

/* Names are those of the congestion_control property. */
const struct tcp_cc *cc_get(enum tcp_cc_id id)
{
    (void)id; /* the place of cubic: one more struct, one more case */
    return &cc_newreno;
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
    conn->cc.ops = cc_get(conn->config.cc);
    /* RFC 5681 3.1: a SYN or SYN-ACK that was lost takes the initial window to one segment. */
    conn->cc.cwnd = conn->syn_tries > 1 ? conn->snd.mss : cc_initial_window(conn);
    conn->cc.ssthresh = 65535u << TCP_MAX_WSCALE;
}
