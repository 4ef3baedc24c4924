/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Segment sizes: RFC 9293 3.7.1 (MSS), 3.7.2 (path MTU); RFC 1191, RFC 8201.
 *
 * Where ICMP is eaten on the way, full segments vanish without a word. RFC 4821 7.7: after
 * three timeouts in a row the size falls to what nearly every path takes, and is tried
 * again after ten minutes.
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

/* What we send at most, options not taken off. */
static uint32_t send_mss(const struct tcp_conn *conn)
{
    uint32_t mss = MIN(conn->snd.peer_mss, path_mss(conn));

    if (conn->config.maxseg_bytes)
        mss = MIN(mss, conn->config.maxseg_bytes);
    return MAX(mss, MIN(conn->engine->tun->mss_min, 536u));
}

/* MUST-16: Eff.snd.MSS = min(SendMSS + 20, MMS_S) - TCPhdrsize - IPoptionsize. */
void mss_update(struct tcp_conn *conn)
{
    uint32_t mss = send_mss(conn);

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
    if (conn->state == TCP_SYN_RCVD && conn->engine->tun->use_smss_as_mss_opt)
        mss = send_mss(conn);
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

/* After this many timeouts the next ones are sent smaller (Linux: tcp_retries1). */
#define BLACK_HOLE_TIMEOUTS 3
#define BLACK_HOLE_GIVEN_UP UINT8_MAX

/* The next size below the present one that is worth a try; 0: there is none. */
static uint32_t smaller_mtu(const struct tcp_conn *conn)
{
    static const uint16_t sizes[] = { 1500, 1280, 576 };

    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        /* RFC 8200 5: every link carries 1280. In IPv4 nearly every one; less is the last resort. */
        if (sizes[i] < 1280 && (!conn_is_v4(conn) || !conn->mtu_falls))
            continue;
        if (sizes[i] - ip_tcp_headers(conn) < conn->snd.mss && sizes[i] < conn->path.mtu)
            return sizes[i];
    }
    return 0;
}

/**
 * pmtu_timeout() - the retransmission timer has fired; are full segments vanishing?
 *
 * If the smallest size does not get through either, it was an outage: the path is
 * asked for its MTU again, and the rest of this series of timeouts is left alone.
 */
void pmtu_timeout(struct tcp_conn *conn, usec_t now)
{
    const struct sent *first = sentq_at(&conn->sentq, 0);
    uint32_t mtu;

    if (conn->backoff + 1 < BLACK_HOLE_TIMEOUTS || conn->engine->tun->ignore_path_mtu ||
        conn->mtu_falls == BLACK_HOLE_GIVEN_UP)
        return;
    mtu = seq_len(first->start, first->end) >= conn->snd.mss ? smaller_mtu(conn) : 0;
    if (mtu) {
        conn->mtu_falls++;
        conn->engine->counters.mtu_black_holes++;
        conn->learned_mtu = mtu;
        conn->learned_at = now;
        dest_cache_mtu(conn, mtu, now);
        pmtu_set(conn, mtu, now);
    } else if (conn->mtu_falls) {
        conn->mtu_falls = BLACK_HOLE_GIVEN_UP;
        conn->learned_mtu = 0;
        dest_cache_mtu(conn, 0, now);
        conn_event(conn, TCP_EV_PATH);
    }
}

/** pmtu_progress() - new data were acknowledged; is what we learned of the path too old by now? */
void pmtu_progress(struct tcp_conn *conn, usec_t now)
{
    conn->mtu_falls = 0;
    if (!conn->learned_mtu || usec_since(conn->learned_at, now) < LEARNED_FOR)
        return;
    conn->learned_mtu = 0;
    conn_event(conn, TCP_EV_PATH);
}
