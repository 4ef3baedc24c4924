/* SPDX-License-Identifier: BSD-2-Clause */
/* From a stretch of sequence space to a packet: header, options, pieces of the send ring. */
#include <string.h>

#include "engine/impl.h"
#include "wire/tcp_options.h"

/* RFC 7323 5.4: 1 ms, from a start of its own for each pair of addresses and ports. */
uint32_t ts_clock(const struct tcp_conn *conn, usec_t now)
{
    return (uint32_t)usec_to_msec(now) + conn->ts.offset;
}

static void set_timestamp(const struct tcp_conn *conn, struct tcp_options *opt, usec_t now)
{
    opt->has_ts = true;
    opt->tsval = ts_clock(conn, now);
    opt->tsecr = conn->ts.recent;
}

static struct segment new_segment(const struct tcp_conn *conn, struct seq seq)
{
    return (struct segment){
        .sport = conn->flow.lport, .dport = conn->flow.rport, .seq = seq,
    };
}

/* What every segment of the connection has in common; the header is encoded into @ret. */
static void finish(struct tcp_conn *conn, const struct segment *seg, struct packet *ret)
{
    bool v4 = conn_is_v4(conn);

    *ret = (struct packet){
        .src = conn->flow.local,
        .dst = conn->flow.remote,
        .ifindex = conn->config.bound_ifindex ? conn->config.bound_ifindex : conn->flow.zone,
        .ttl = (uint8_t)(v4 ? conn->config.ttl : conn->config.hop_limit),
        .tos = (uint8_t)(conn->config.tos & ~(unsigned)ECN_MASK),
        .conn_id = conn->id,
        .seq = seg->seq,
        .seq_len = segment_space(seg),
    };
    ret->hdr_len = tcp_header_build(seg, ret->hdr);
    conn->stat.segs_out++;
    conn->engine->counters.out_segs++;
}

static void set_ack(struct tcp_conn *conn, struct segment *seg)
{
    seg->flags |= TCP_ACK | ecn_ack_flags(conn);
    seg->ack = conn->rcv.nxt;
    seg->wnd = window_advertise(conn);
    if (conn->use_sack && (conn->ooo.count || conn->ooo.dup_due))
        seg->opt.sacks = reasm_sacks(conn, seg->opt.sack, tcp_options_max_sacks(&seg->opt));
    conn->ooo.dup_due = false; /* said once: RFC 2883 4 (1) */
    urgent_put(conn, seg);
    delack_sent(conn);
}

/* tcp.4p: what a SYN offers is the administrator's to say; what comes back decides. */
void segmentize_offers(struct tcp_conn *conn)
{
    const struct tunables *tun = conn->engine->tun;
    bool big = MAX(conn->config.snd_buf_bytes, conn->config.rcv_buf_bytes) > 65535;

    conn->use_wscale = tun->wscale_always || big;
    conn->use_ts = tun->tstamp_always || (tun->tstamp_if_wscale && conn->use_wscale);
    conn->use_sack = tun->sack == TUN_ACTIVE;
    conn->use_ecn = tun->ecn == TUN_ACTIVE;
    if (!conn->use_wscale)
        conn->rcv.wscale = 0;
}

void segmentize_syn(struct tcp_conn *conn, usec_t now, struct packet *ret)
{
    struct segment seg = new_segment(conn, conn->snd.iss);

    seg.flags = TCP_SYN | ecn_syn_flags(conn);
    seg.opt.has_mss = true;
    seg.opt.mss = mss_advertise(conn);
    seg.opt.has_sack_ok = conn->use_sack;
    seg.opt.has_wscale = conn->use_wscale;
    seg.opt.wscale = conn->rcv.wscale;
    if (conn->use_ts)
        set_timestamp(conn, &seg.opt, now);
    seg.wnd = (uint16_t)MIN(conn->tune.rcv_buf, 65535u); /* RFC 7323 2.2: never scaled */
    if (conn->state == TCP_SYN_RCVD) {
        seg.flags |= TCP_ACK;
        seg.ack = conn->rcv.nxt;
        conn->rcv.adv = seq_max(conn->rcv.adv, seq_add(conn->rcv.nxt, seg.wnd));
        delack_sent(conn);
    }
    conn->engine->counters.out_control++;
    finish(conn, &seg, ret);
}

void segmentize_ack(struct tcp_conn *conn, struct seq seq, usec_t now, struct packet *ret)
{
    struct segment seg = new_segment(conn, seq);

    if (conn->use_ts)
        set_timestamp(conn, &seg.opt, now);
    set_ack(conn, &seg);
    finish(conn, &seg, ret);
}

/* Which of the numbers in [start, end) are bytes, and is the last one the FIN? */
static uint32_t data_len(const struct tcp_conn *conn, struct seq start, struct seq end,
                         bool *ret_fin)
{
    struct seq last = snd_end(conn);

    *ret_fin = seq_gt(end, last);
    return seq_lt(start, last) ? seq_len(start, seq_min(end, last)) : 0;
}

void segmentize(struct tcp_conn *conn, struct seq start, struct seq end, usec_t now,
                struct packet *ret)
{
    struct segment seg = new_segment(conn, start);
    uint32_t mss = mss_now(conn);
    bool fin;
    uint32_t len = data_len(conn, start, end, &fin);

    seg.flags = fin ? TCP_FIN : 0;
    if (len && seq_eq(seq_add(start, len), snd_end(conn)))
        seg.flags |= TCP_PSH; /* RFC 9293 3.9.1.2: the buffer is empty behind it */
    seg.len = len;
    if (conn->use_ts)
        set_timestamp(conn, &seg.opt, now);
    set_ack(conn, &seg);
    finish(conn, &seg, ret);

    ret->payload_len = len;
    ret->iov_count = (uint8_t)ring_span(
        &conn->tx, conn->snd.una_pos + seq_len(conn->snd.una, start), len, ret->iov);
    if (len > mss) {
        ret->flags |= PACKET_SUPER;
        ret->gso_size = (uint16_t)mss;
        conn->stat.segs_out += (len - 1) / mss;
        conn->engine->counters.out_segs += (len - 1) / mss;
    }
    if (conn->stat.last_recv_at >= conn->stat.last_send_at)
        ret->flags |= PACKET_PROGRESS;
    if (fin)
        conn->engine->counters.out_control++;
}
