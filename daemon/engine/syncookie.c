/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SYN cookies, RFC 4987 3.6: our sequence number is all the state there is.
 *
 *     5 bits   time, in steps of 64 s
 *     3 bits   which MSS of the table the peer's fits
 *    24 bits   keyed hash of the 4-tuple, the peer's number, the time and the MSS
 *
 * Scale, SACK and timestamps do not fit and are not offered; that is the price
 * of not falling over. Cookies are believed only for as long as one may be out.
 */
#include "engine/impl.h"

#define STEP_USEC (64 * USEC_PER_SEC)

static const uint16_t mss_table[8] = { 216, 536, 1024, 1220, 1380, 1440, 1460, 8900 };

static uint32_t cookie(const struct tcp_engine *e, const struct flow *flow, struct seq peer_isn,
                       uint64_t step, uint32_t mss_index)
{
    uint64_t in[3] = { siphash(&e->key_cookie, flow, sizeof(*flow)), peer_isn.v,
                       step << 3 | mss_index };
    uint32_t hash = (uint32_t)siphash(&e->key_cookie, in, sizeof(in)) & 0xffffff;

    return (uint32_t)(step & 31) << 27 | mss_index << 24 | hash;
}

static uint32_t mss_index_for(uint32_t mss)
{
    uint32_t i = ARRAY_LEN(mss_table) - 1;

    while (i && mss_table[i] > mss)
        i--;
    return i;
}

void syncookie_send(struct tcp_engine *e, const struct arrival *a)
{
    bool v4 = ip_addr_is_v4(&a->flow.remote);
    uint32_t mss = a->seg.opt.has_mss ? a->seg.opt.mss
                                      : (v4 ? e->tun->mss_def_ipv4 : e->tun->mss_def_ipv6);
    struct reply r = {
        .flow = a->flow,
        .ttl = (uint8_t)(v4 ? e->tun->ipv4_ttl : e->tun->ipv6_hoplimit),
        .seg = { .sport = a->flow.lport, .dport = a->flow.rport,
                 .flags = TCP_SYN | TCP_ACK, .ack = seq_add(a->seg.seq, 1), .wnd = SYNCOOKIE_WINDOW },
    };

    r.seg.seq = seq_of(cookie(e, &a->flow, a->seg.seq, a->now / STEP_USEC, mss_index_for(mss)));
    r.seg.opt.has_mss = true;
    r.seg.opt.mss = v4 ? 1460 : 1220; /* no route was asked for: what every path takes */
    e->cookies_at = MAX(a->now, (usec_t)1);
    e->counters.syn_cookies_sent++;
    reply_push(e, &r);
}

bool syncookie_check(struct tcp_engine *e, const struct arrival *a, uint16_t *ret_mss)
{
    uint32_t value = seq_dec(a->seg.ack, 1).v;
    struct seq peer_isn = seq_dec(a->seg.seq, 1);
    uint32_t mss_index = value >> 24 & 7;

    if (!e->cookies_at || usec_since(e->cookies_at, a->now) > 2 * STEP_USEC)
        return false;
    for (uint64_t back = 0; back <= 2; back++) {
        uint64_t step = a->now / STEP_USEC;

        if (step >= back && cookie(e, &a->flow, peer_isn, step - back, mss_index) == value) {
            *ret_mss = mss_table[mss_index];
            return true;
        }
    }
    engine_drop(e, NULL, DROP_COOKIE, a->now);
    return false;
}
