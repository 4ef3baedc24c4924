/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is said without a connection, or at its end: resets and cookies, in a
 * bounded queue. RFC 9293 3.5.2 and 3.5.3, RFC 5961 7 for the limits.
 */
#include "engine/impl.h"

void reply_push(struct tcp_engine *e, const struct reply *r)
{
    if (e->reply_count == REPLIES_MAX) {
        e->counters.replies_dropped++;
        return;
    }
    e->replies[(e->reply_first + e->reply_count++) % REPLIES_MAX] = *r;
}

bool reply_next(struct tcp_engine *e, struct packet *ret)
{
    const struct reply *r = &e->replies[e->reply_first];

    if (!e->reply_count)
        return false;
    *ret = (struct packet){
        .src = r->flow.local,
        .dst = r->flow.remote,
        .ifindex = r->flow.zone,
        .ttl = r->ttl,
        .tos = r->tos,
        .seq = r->seg.seq,
    };
    ret->hdr_len = tcp_header_build(&r->seg, ret->hdr);
    e->reply_first = (e->reply_first + 1) % REPLIES_MAX;
    e->reply_count--;
    e->counters.out_segs++;
    return true;
}

static bool rst_allowed(struct tcp_engine *e, usec_t now)
{
    if (!e->tun->rst_sent_rate_enabled || rate_allows(e, &e->rst_rate, e->tun->rst_sent_rate, now))
        return true;
    e->counters.rst_unsent++;
    return false;
}

/**
 * reply_rst() - answer a segment that belongs nowhere (3.5.2 group 1 and 2)
 *
 * A reset is never answered: the caller sees to that.
 */
void reply_rst(struct tcp_engine *e, const struct arrival *a)
{
    bool v4 = ip_addr_is_v4(&a->flow.remote);
    struct reply r = {
        .flow = a->flow,
        .ttl = (uint8_t)(v4 ? e->tun->ipv4_ttl : e->tun->ipv6_hoplimit),
        .seg = { .sport = a->flow.lport, .dport = a->flow.rport, .flags = TCP_RST },
    };

    if (!rst_allowed(e, a->now))
        return;
    if (a->seg.flags & TCP_ACK) {
        r.seg.seq = a->seg.ack;
    } else {
        r.seg.flags |= TCP_ACK;
        r.seg.ack = seq_add(a->seg.seq, segment_space(&a->seg));
    }
    e->counters.out_rsts++;
    e->counters.out_control++;
    reply_push(e, &r);
}

/** reply_rst_conn() - end a connection before the peer's eyes; RFC 7323 3.2: with timestamps */
void reply_rst_conn(struct tcp_conn *conn, usec_t now)
{
    struct tcp_engine *e = conn->engine;
    struct reply r = {
        .flow = conn->flow,
        .ttl = (uint8_t)(conn_is_v4(conn) ? conn->config.ttl : conn->config.hop_limit),
        .tos = (uint8_t)(conn->config.tos & ~3u),
        .seg = { .sport = conn->flow.lport, .dport = conn->flow.rport,
                 .flags = TCP_RST | TCP_ACK, .seq = conn->snd.nxt, .ack = conn->rcv.nxt },
    };

    if (conn->use_ts) {
        r.seg.opt.has_ts = true;
        r.seg.opt.tsval = ts_clock(conn, now);
        r.seg.opt.tsecr = conn->ts.recent;
    }
    e->counters.out_rsts++;
    e->counters.out_control++;
    reply_push(e, &r);
}

void reply_challenge(struct tcp_conn *conn, usec_t now)
{
    struct tcp_engine *e = conn->engine;

    if (!rate_allows(e, &e->challenge_rate, e->tun->challenge_ack_rate, now)) {
        e->counters.challenge_acks_unsent++;
        return;
    }
    e->counters.challenge_acks++;
    ack_again(conn);
}
