/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rules that every packet and every connection keep, whatever the network does:
 * no byte beyond the window that the peer has offered, no ACK and no window edge
 * that moves back, a congestion window of a segment at least.
 */
#include "world.h"

#include <string.h>

static struct watched *watched(struct world *w, int from, uint16_t sport, uint16_t dport)
{
    unsigned index = (from == CLIENT ? sport : dport) - WORLD_FIRST;

    return index < w->pairs ? w->pair[index].watch : NULL;
}

static int shift(const struct watched v[2], int who)
{
    return v[0].wscale >= 0 && v[1].wscale >= 0 ? MIN(v[who].wscale, TCP_MAX_WSCALE) : 0;
}

/* The right edge that a segment offers, in bytes of the other side's stream. */
static int64_t edge_of(const struct watched v[2], int from, const struct segment *seg)
{
    int64_t ack = (int32_t)(seg->ack.v - v[!from].iss);

    return ack + ((int64_t)seg->wnd << (seg->flags & TCP_SYN ? 0 : shift(v, from)));
}

static bool parse(const struct packet *pkt, struct segment *seg)
{
    return tcp_header_parse(pkt, seg) == TCP_PARSE_OK;
}

static void say(struct world *w, int from, const struct watched v[2], const struct segment *seg)
{
    char sacks[120] = "";
    size_t used = 0;

    if (!w->verbose)
        return;
    for (int i = 0; i < seg->opt.sacks; i++)
        used += (size_t)snprintf(sacks + used, sizeof(sacks) - used, " sack %d-%d",
                                 (int32_t)(seg->opt.sack[i].start.v - v[!from].iss),
                                 (int32_t)(seg->opt.sack[i].end.v - v[!from].iss));
    world_say(w, "%s %u %s%s%s%s%s seq %d len %u ack %d wnd %u%s%s", from == CLIENT ? ">" : "<",
              (from == CLIENT ? seg->sport : seg->dport) - WORLD_FIRST,
              seg->flags & TCP_SYN ? "S" : "", seg->flags & TCP_FIN ? "F" : "",
              seg->flags & TCP_RST ? "R" : "", seg->flags & TCP_PSH ? "P" : "",
              seg->flags & TCP_ACK ? "A" : "", (int32_t)(seg->seq.v - v[from].iss), seg->len,
              (int32_t)(seg->ack.v - v[!from].iss), seg->wnd, seg->opt.has_ts ? " ts" : "", sacks);
}

static void check_offer(struct world *w, struct watched v[2], int from, const struct segment *seg)
{
    int64_t ack = (int32_t)(seg->ack.v - v[!from].iss), edge = edge_of(v, from, seg);

    if (!(seg->flags & TCP_ACK) || !v[!from].have_iss || (seg->flags & TCP_RST))
        return;
    if (ack < v[from].ack_sent)
        world_fail(w, "an ACK moved back from %lld to %lld", (long long)v[from].ack_sent,
                   (long long)ack);
    /* A scaled window is rounded down: RFC 7323 2.4. */
    if (edge + (1 << shift(v, from)) <= v[from].edge_sent)
        world_fail(w, "the offered window shrank: right edge %lld, before %lld", (long long)edge,
                   (long long)v[from].edge_sent);
    v[from].ack_sent = MAX(v[from].ack_sent, ack);
    v[from].edge_sent = MAX(v[from].edge_sent, edge);
}

/* One byte beyond is a window probe; a FIN takes no window (and is sent by most). */
static void check_window(struct world *w, struct watched v[2], int from, const struct segment *seg)
{
    int64_t seq = (int32_t)(seg->seq.v - v[from].iss);

    if (seg->flags & (TCP_SYN | TCP_RST))
        return;
    if (seq + seg->len > v[from].edge_given + 1)
        world_fail(w, "bytes up to %lld were sent into a window that ends at %lld",
                   (long long)(seq + seg->len), (long long)v[from].edge_given);
    v[from].highest = MAX(v[from].highest, seq + segment_space(seg));
}

static void note_syn(struct watched *v, const struct segment *seg)
{
    if (!(seg->flags & TCP_SYN) || (v->have_iss && v->iss == seg->seq.v))
        return;
    v->have_iss = true;
    v->iss = seg->seq.v;
    v->wscale = seg->opt.has_wscale ? seg->opt.wscale : -1;
    v->edge_sent = v->ack_sent = v->highest = 0;
}

/* @pkt as an engine offers it: the header is all that is looked at. */
void watch_sent(struct world *w, int from, const struct packet *pkt)
{
    struct packet flat = { .src = pkt->src, .dst = pkt->dst, .seg = pkt->hdr,
                           .seg_len = pkt->hdr_len, .csum = PACKET_CSUM_VERIFIED };
    struct segment seg;
    struct watched *v;

    if (!parse(&flat, &seg)) {
        world_fail(w, "an engine made a header that does not parse");
        return;
    }
    seg.len = pkt->payload_len;
    v = watched(w, from, seg.sport, seg.dport);
    if (!v) {
        world_fail(w, "a packet of a connection that nobody opened");
        return;
    }
    note_syn(&v[from], &seg);
    say(w, from, v, &seg);
    if (!v[from].have_iss)
        return; /* a RST of a connection that never was */
    check_offer(w, v, from, &seg);
    check_window(w, v, from, &seg);
}

void watch_received(struct world *w, int to, const struct packet *pkt)
{
    struct segment seg;
    struct watched *v;

    if (!parse(pkt, &seg))
        return;
    v = watched(w, !to, seg.sport, seg.dport);
    if (v && (seg.flags & TCP_ACK) && !(seg.flags & TCP_RST))
        v[to].edge_given = MAX(v[to].edge_given, edge_of(v, !to, &seg));
    else if (v && (seg.flags & TCP_SYN))
        v[to].edge_given = MAX(v[to].edge_given, (int64_t)seg.wnd + 1);
}

void watch_conn(struct world *w, unsigned index, int who)
{
    struct side *s = &w->pair[index].side[who];
    struct tcp_conn_info i;

    if (!s->conn || s->dead)
        return;
    tcp_conn_info(s->conn, &i);
    if (i.state >= TCP_ESTABLISHED && i.cwnd < i.mss && i.cwnd < w->host[who].config.cwnd_max_bytes)
        world_fail(w, "connection %u: cwnd %u is less than a segment of %u", index, i.cwnd, i.mss);
    if (i.rcv_buf > w->host[who].tun.max_buf || i.snd_buf > w->host[who].tun.max_buf)
        world_fail(w, "connection %u: a buffer grew beyond max_buf", index);
    if (i.unread + i.hidden > i.rcv_buf + 65535)
        world_fail(w, "connection %u: %u bytes are buffered, the limit is %u", index,
                   i.unread + i.hidden, i.rcv_buf);
    if (i.rto > 3600 * USEC_PER_SEC)
        world_fail(w, "connection %u: rto of %llu us", index, (unsigned long long)i.rto);
}
