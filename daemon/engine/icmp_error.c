/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ICMP errors: RFC 9293 3.9.2.2, made safe by RFC 5927: an error counts only if
 * it quotes a segment that is in flight, and a synchronized connection is never
 * ended by one.
 */
#include <errno.h>

#include "engine/impl.h"

/* RFC 5927 4.1: SND.UNA <= SEQ < SND.NXT. */
static bool quotes_something_in_flight(const struct tcp_conn *conn, const struct icmp_error *err)
{
    return seq_geq(err->seq, conn->snd.una) && seq_lt(err->seq, conn->snd.max);
}

/* RFC 1191 3, RFC 8201 4: an old router does not say which MTU; take the next plateau. */
static uint32_t plateau_below(uint32_t mtu)
{
    static const uint16_t plateaus[] = { 32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296, 68 };

    for (size_t i = 0; i < ARRAY_LEN(plateaus); i++) {
        if (plateaus[i] < mtu)
            return plateaus[i];
    }
    return 68;
}

static void too_big(struct tcp_conn *conn, const struct icmp_error *err, usec_t now)
{
    uint32_t floor = err->ipv6 ? 1280 : 68;
    uint32_t mtu = err->mtu ? err->mtu : plateau_below(conn->path.mtu);

    mtu = MAX(mtu, floor);
    if (conn->engine->tun->ignore_path_mtu || mtu >= conn->path.mtu)
        return; /* only ever smaller: RFC 5927 7.2 */
    conn->learned_mtu = mtu;
    conn->learned_at = now;
    dest_cache_mtu(conn, mtu, now);
    pmtu_set(conn, mtu, now);
}

void tcp_engine_icmp(struct tcp_engine *e, const struct icmp_error *err, usec_t now)
{
    struct tcp_conn *conn = demux_find(e, &err->flow);

    if (!conn) {
        engine_drop(e, NULL, DROP_NO_CONN, now);
        return;
    }
    if (!quotes_something_in_flight(conn, err)) {
        engine_drop(e, conn, DROP_ICMP_SEQ, now);
        return;
    }
    conn_dirty(conn);
    if (err->error == EMSGSIZE) {
        too_big(conn, err, now);
    } else if (err->hard && (conn->state == TCP_SYN_SENT || conn->state == TCP_SYN_RCVD)) {
        conn_kill(conn, CAUSE_ICMP, ECONNREFUSED, now);
    } else if (!err->hard) {
        conn->soft_error = err->error; /* told if it times out: MUST-54, SHLD-26 */
    }
}
