/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Segment sizes: RFC 9293 3.7.1 (MSS), 3.7.2 (path MTU); RFC 1191, RFC 8201.
 * The place of packetization-layer probing (RFC 4821, RFC 8899).
 */
#include "engine/impl.h"
#include "wire/tcp_options.h"

static uint32_t ip_tcp_headers(const struct tcp_conn *conn)
{
    return (conn_is_v4(conn) ? 20u : 40u) + TCP_HDR_MIN;
}

/* What one packet on the path can carry, by the administrator's limit too. */
static uint32_t path_mss(const struct tcp_conn *conn)
{
    const struct tunables *tun = conn->engine->tun;
    uint32_t max = conn_is_v4(conn) ? tun->mss_max_ipv4 : tun->mss_max_ipv6;
    uint32_t headers = ip_tcp_headers(conn);

    if (!conn->path_known || conn->path.mtu <= headers)
        return max;
    return MIN(max, MAX(conn->path.mtu - headers, tun->mss_min));
}

/* MUST-16: Eff.snd.MSS = min(SendMSS + 20, MMS_S) - TCPhdrsize - IPoptionsize. */
void mss_update(struct tcp_conn *conn)
{
    uint32_t mss = MIN(conn->snd.peer_mss, path_mss(conn));

    if (conn->config.maxseg_bytes)
        mss = MIN(mss, conn->config.maxseg_bytes);
    mss = MAX(mss, MIN(conn->engine->tun->mss_min, 536u));
    if (conn->use_ts)
        mss -= MIN(mss / 2, 12u);
    conn->snd.mss = mss;
}

uint32_t mss_now(const struct tcp_conn *conn)
{
    struct tcp_options opt = { .has_ts = conn->use_ts };
    uint32_t sacks = conn->ooo.count + conn->ooo.dup_due;

    if (!conn->use_sack || !sacks)
        return conn->snd.mss;
    sacks = MIN(sacks, (uint32_t)tcp_options_max_sacks(&opt));
    return conn->snd.mss - MIN(conn->snd.mss / 2, 4 + 8 * sacks);
}

/* SHLD-5, MUST-67: what we can receive in one packet, options not taken off. */
uint16_t mss_advertise(const struct tcp_conn *conn)
{
    uint32_t mss = path_mss(conn);

    if (!conn->path_known)
        mss = conn_is_v4(conn) ? conn->config.mss_def_v4_bytes : conn->config.mss_def_v6_bytes;
    if (conn->config.maxseg_bytes)
        mss = MIN(mss, conn->config.maxseg_bytes);
    return (uint16_t)MIN(mss, 65535u);
}

#define LEARNED_FOR (600 * USEC_PER_SEC) /* RFC 1191 6.3, RFC 8201 5.3 */

/* The route is asked for again at every change; what ICMP taught is not undone by that. */
uint32_t pmtu_known(const struct tcp_conn *conn, usec_t now)
{
    if (!conn->learned_mtu || usec_since(conn->learned_at, now) >= LEARNED_FOR)
        return conn->path.mtu;
    return MIN(conn->learned_mtu, conn->path.mtu);
}

/**
 * pmtu_set() - the path's MTU is @mtu now
 *
 * If segments became smaller, what is in flight is sent again in smaller ones at
 * once. That is no sign of congestion: cwnd stays (RFC 1191 6.5).
 */
void pmtu_set(struct tcp_conn *conn, uint32_t mtu, usec_t now)
{
    uint32_t old = conn->snd.mss;

    conn->path.mtu = mtu;
    mss_update(conn);
    conn_dirty(conn);
    if (conn_synchronized(conn)) /* less than a segment could never be sent */
        conn->cc.cwnd = MAX(conn->cc.cwnd, conn->snd.mss);
    if (conn->snd.mss >= old || !conn_synchronized(conn))
        return;
    sentq_mark_all_lost(&conn->sentq, false);
    conn->loss.force_one = true;
    conn_wants_output(conn);
}
