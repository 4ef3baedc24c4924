/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What connections learn of a destination, for those that come after: RFC 9040.
 * A table of a fixed size, so that no number of peers takes memory; the place of an
 * address is a keyed hash, and of the two it may have the older one is given up.
 *
 * Round-trip time and ssthresh are kept when a connection ends, if it measured
 * often enough (_rtt_updates). The MTU is kept as soon as it is known: the next
 * connection would lose its first segments to the same narrow link.
 */
#include "engine/cc.h"

#define MEASURED_FOR  (3600 * USEC_PER_SEC)
#define MTU_KNOWN_FOR (600 * USEC_PER_SEC) /* RFC 1191 6.3, RFC 8201 5.3 */
#define MTU_SHARED    576u                 /* less than this is believed by one connection only */

static struct dest *find(struct tcp_engine *e, const struct flow *flow)
{
    uint64_t hash = siphash(&e->key_dest, &flow->remote, sizeof(flow->remote));
    struct dest *d = &e->dests[hash % (DEST_CACHE_SIZE / 2) * 2];

    for (int i = 0; i < 2; i++) {
        if (d[i].used_at && ip_addr_eq(&d[i].addr, &flow->remote) && d[i].zone == flow->zone)
            return &d[i];
    }
    return NULL;
}

static struct dest *find_or_take(struct tcp_engine *e, const struct flow *flow, usec_t now)
{
    uint64_t hash = siphash(&e->key_dest, &flow->remote, sizeof(flow->remote));
    struct dest *d = find(e, flow), *pair = &e->dests[hash % (DEST_CACHE_SIZE / 2) * 2];

    if (!d) {
        d = pair[0].used_at <= pair[1].used_at ? &pair[0] : &pair[1];
        *d = (struct dest){ .addr = flow->remote, .zone = flow->zone };
    }
    d->used_at = MAX(now, (usec_t)1);
    return d;
}

static bool fresh(usec_t at, usec_t life, usec_t now)
{
    return at && usec_since(at, now) < life;
}

/** dest_cache_seed() - a connection is made: what is known of its peer */
void dest_cache_seed(struct tcp_conn *conn, usec_t now)
{
    const struct dest *d = find(conn->engine, &conn->flow);

    if (!d)
        return;
    if (conn->engine->tun->rtt_updates && fresh(d->measured_at, MEASURED_FOR, now))
        rtt_seed(&conn->rtt, d->srtt, d->rttvar);
    if (fresh(d->mtu_at, MTU_KNOWN_FOR, now)) {
        conn->learned_mtu = d->mtu;
        conn->learned_at = d->mtu_at;
    }
}

/** dest_cache_ssthresh() - it is established: where did the last ones stop growing? */
void dest_cache_ssthresh(struct tcp_conn *conn, usec_t now)
{
    const struct dest *d = find(conn->engine, &conn->flow);

    if (d && d->ssthresh && conn->engine->tun->rtt_updates &&
        fresh(d->measured_at, MEASURED_FOR, now))
        conn->cc.ssthresh = MAX(d->ssthresh, 2 * conn->snd.mss);
}

/** dest_cache_store() - it ends: keep what it has measured, if that was enough */
void dest_cache_store(struct tcp_conn *conn, usec_t now)
{
    uint32_t enough = conn->engine->tun->rtt_updates;
    struct dest *d;

    if (!enough || conn->rtt.samples < enough || !conn->rtt.srtt)
        return;
    d = find_or_take(conn->engine, &conn->flow, now);
    if (fresh(d->measured_at, MEASURED_FOR, now)) {
        d->srtt = (d->srtt + conn->rtt.srtt) / 2;
        d->rttvar = (d->rttvar + conn->rtt.rttvar) / 2;
    } else {
        d->srtt = conn->rtt.srtt;
        d->rttvar = conn->rtt.rttvar;
        d->ssthresh = 0;
    }
    d->measured_at = d->used_at;
    if (conn->cc.ssthresh < UINT16_MAX << TCP_MAX_WSCALE) /* it was ever reduced */
        d->ssthresh = d->ssthresh ? d->ssthresh / 2 + conn->cc.ssthresh / 2 : conn->cc.ssthresh;
}

/** dest_cache_mtu() - the path's MTU was learned to be @mtu; 0: it is unknown again */
void dest_cache_mtu(struct tcp_conn *conn, uint32_t mtu, usec_t now)
{
    struct dest *d = find(conn->engine, &conn->flow);

    if (mtu >= MTU_SHARED)
        d = find_or_take(conn->engine, &conn->flow, now);
    else if (mtu || !d)
        return;
    d->mtu = mtu;
    d->mtu_at = mtu ? d->used_at : 0;
}
