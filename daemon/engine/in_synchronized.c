/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * RFC 9293 3.10.7.4: every state from SYN-RECEIVED on. The eight checks stand in
 * the table at the end, in the order the RFC gives them; each says whether the
 * next one is to see the segment. What is new since RFC 793: timestamps before
 * the sequence number (RFC 7323 5.3), and challenge ACKs (RFC 5961).
 */
#include <errno.h>

#include "engine/impl.h"

enum verdict {
    GO_ON,
    STOP,
};

#define PAWS_STALE (24ULL * 24 * 3600 * USEC_PER_SEC) /* RFC 7323 5.5 */

static enum verdict drop(struct tcp_conn *conn, const struct arrival *a, enum tcp_drop why)
{
    engine_drop(conn->engine, conn, why, a->now);
    return STOP;
}

/* Not acceptable: dropped, and answered by an ACK unless it is a RST. */
static enum verdict drop_and_ack(struct tcp_conn *conn, const struct arrival *a, enum tcp_drop why)
{
    if (!(a->seg.flags & TCP_RST))
        ack_again(conn);
    return drop(conn, a, why);
}

/* The shape of a keep-alive: design, after illumos bug 7814. */
static bool looks_like_keepalive(const struct tcp_conn *conn, const struct segment *seg)
{
    return seg->len <= 1 && !(seg->flags & (TCP_SYN | TCP_FIN)) &&
           seq_eq(seg->seq, seq_dec(conn->rcv.nxt, 1));
}

/* Nothing in it is new, and it is not older than any window. */
static bool is_old(const struct tcp_conn *conn, const struct segment *seg)
{
    struct seq end = seq_add(seg->seq, seg->len);

    return seg->len && seq_leq(end, conn->rcv.nxt) &&
           seq_geq(seg->seq, seq_dec(conn->rcv.nxt, 1u << 30));
}

/* RFC 7323 5.3 R1 and 3.2. A RST is exempt from both. */
static enum verdict check_timestamp(struct tcp_conn *conn, struct arrival *a)
{
    const struct tcp_options *opt = &a->seg.opt;

    if (!conn->use_ts || a->seg.flags & TCP_RST)
        return GO_ON;
    if (!opt->has_ts)
        return looks_like_keepalive(conn, &a->seg) ? GO_ON : drop(conn, a, DROP_NO_TIMESTAMP);
    if ((int32_t)(opt->tsval - conn->ts.recent) < 0 &&
        usec_since(conn->ts.recent_at, a->now) < PAWS_STALE) {
        if (is_old(conn, &a->seg)) /* overtaken by its own retransmission */
            reasm_note_duplicate(conn, a->seg.seq, a->seg.len);
        return drop_and_ack(conn, a, DROP_PAWS);
    }
    return GO_ON;
}

/* R3: the timestamp to echo is that of the segment that covers the last ACK sent (4.3). */
static void note_timestamp(struct tcp_conn *conn, const struct arrival *a)
{
    const struct segment *seg = &a->seg;

    if (conn->use_ts && seg->opt.has_ts && seq_leq(seg->seq, conn->rcv.last_ack) &&
        ((int32_t)(seg->opt.tsval - conn->ts.recent) >= 0 ||
         usec_since(conn->ts.recent_at, a->now) >= PAWS_STALE)) {
        conn->ts.recent = seg->opt.tsval;
        conn->ts.recent_at = a->now;
    }
}

/* Table 6 of 3.4: four cases by the lengths of segment and window. */
static bool acceptable(const struct tcp_conn *conn, const struct segment *seg)
{
    struct seq nxt = conn->rcv.nxt, edge = conn->rcv.adv;
    uint32_t space = segment_space(seg);

    if (seq_eq(nxt, edge))
        return !space && seq_eq(seg->seq, nxt);
    if (seq_in(seg->seq, nxt, edge))
        return true;
    /* Not in the table: the peer has filled our window and lost the beginning of it. Its
     * bare ACKs carry SEG.SEQ = the edge and are as good as any. */
    if (!space && seq_eq(seg->seq, edge))
        return true;
    return space && seq_in(seq_add(seg->seq, space - 1), nxt, edge);
}

/* A SYN that is retransmitted while our SYN-ACK is lost or under way: say it again. */
static bool is_syn_again(const struct tcp_conn *conn, const struct segment *seg)
{
    return conn->state == TCP_SYN_RCVD && seg->flags & TCP_SYN &&
           !(seg->flags & (TCP_ACK | TCP_RST)) && seq_eq(seg->seq, conn->rcv.irs);
}

/* Figure 7: both opened at once, and the SYN-ACKs cross. The SYN in it is the one that we have. */
static bool is_crossing_syn_ack(const struct tcp_conn *conn, const struct segment *seg)
{
    return conn->state == TCP_SYN_RCVD && !conn->passive &&
           (seg->flags & (TCP_SYN | TCP_ACK | TCP_RST)) == (TCP_SYN | TCP_ACK) &&
           seq_eq(seg->seq, conn->rcv.irs);
}

/* First. Also, with a window of zero: ACKs, URG and RST of the segment are still good (3.4). */
static enum verdict check_seq(struct tcp_conn *conn, struct arrival *a)
{
    struct segment *seg = &a->seg;

    if (is_crossing_syn_ack(conn, seg)) {
        seg->flags &= (uint8_t)~(TCP_SYN | TCP_ECE); /* in a SYN-ACK it echoes nothing */
        seg->seq = seq_add(seg->seq, 1);
    }
    if (acceptable(conn, seg)) {
        conn->stat.last_recv_at = a->now; /* what is forged blindly is no sign of life */
        return GO_ON;
    }
    if (is_syn_again(conn, seg)) {
        ecn_take_syn_again(conn, seg->flags);
        conn->syn_now = true;
        conn_wants_output(conn);
        return drop(conn, a, DROP_DUPLICATE);
    }
    if (seq_eq(conn->rcv.nxt, conn->rcv.adv) && seq_eq(seg->seq, conn->rcv.nxt)) {
        conn->engine->counters.in_win_probe++;
        seg->len = 0;
        seg->flags &= (uint8_t)~(TCP_FIN | TCP_PSH);
        ack_again(conn);
        return GO_ON;
    }
    if (seg->len && seq_leq(seq_add(seg->seq, seg->len), conn->rcv.nxt)) {
        conn->engine->counters.in_data_dup_segs++;
        conn->engine->counters.in_data_dup_bytes += seg->len;
        conn->ack.limit = 1;
        /* All old: but its ACK may be new, as when both directions lost something. */
        if (!(seg->flags & (TCP_SYN | TCP_RST))) {
            if (is_old(conn, seg))
                reasm_note_duplicate(conn, seg->seq, seg->len);
            ack_again(conn);
            seg->len = 0;
            seg->flags &= (uint8_t)~TCP_FIN;
            engine_drop(conn->engine, conn, DROP_DUPLICATE, a->now);
            return GO_ON;
        }
    } else if (seg->len) {
        conn->engine->counters.in_data_past_win_segs++;
        conn->engine->counters.in_data_past_win_bytes += seg->len;
    }
    return drop_and_ack(conn, a, DROP_WINDOW);
}

/* Second, RFC 5961 3.2: only a RST at exactly RCV.NXT is believed. */
static enum verdict check_rst(struct tcp_conn *conn, struct arrival *a)
{
    int error = ECONNRESET;

    if (!(a->seg.flags & TCP_RST))
        return GO_ON;
    if (!seq_eq(a->seg.seq, conn->rcv.nxt)) {
        reply_challenge(conn, a->now);
        return drop(conn, a, DROP_RST_SEQ);
    }
    if (conn->state == TCP_SYN_RCVD)
        error = ECONNREFUSED; /* a passive one goes without a word: nobody knows it */
    else if (conn->state == TCP_CLOSING || conn->state == TCP_LAST_ACK)
        error = 0;
    conn_kill(conn, CAUSE_RST, error, a->now);
    return STOP;
}

/* Third: security and precedence are not kept (RFC 9293 A.1). */
static enum verdict check_security(struct tcp_conn *conn, struct arrival *a)
{
    return GO_ON;
}

/* Fourth, RFC 5961 4.2. A passive SYN-RECEIVED goes back to LISTEN: it is forgotten. */
static enum verdict check_syn(struct tcp_conn *conn, struct arrival *a)
{
    if (!(a->seg.flags & TCP_SYN))
        return GO_ON;
    if (conn->state == TCP_SYN_RCVD && conn->passive) {
        conn_kill(conn, CAUSE_SYN, 0, a->now);
        return drop(conn, a, DROP_SYN_SYNCHRONIZED);
    }
    reply_challenge(conn, a->now);
    return drop(conn, a, DROP_SYN_SYNCHRONIZED);
}

/* Our SYN is acknowledged in SYN-RECEIVED. */
static enum verdict establish(struct tcp_conn *conn, const struct arrival *a)
{
    const struct segment *seg = &a->seg;

    if (seq_leq(seg->ack, conn->snd.una) || seq_gt(seg->ack, conn->snd.max)) {
        reply_rst(conn->engine, a);
        return drop(conn, a, DROP_ACK_UNSENT);
    }
    if (conn->listener && listener_full(conn->listener)) {
        conn->engine->counters.listen_drop++;
        return drop(conn, a, DROP_BACKLOG); /* q filled meanwhile: the peer's data will ask again */
    }
    conn->snd.wnd = (uint32_t)seg->wnd << conn->snd.wscale;
    conn->snd.wnd_max = MAX(conn->snd.wnd_max, conn->snd.wnd);
    conn->snd.wl1 = seg->seq;
    conn->snd.wl2 = seg->ack;
    tcp_conn_set_state(conn, TCP_ESTABLISHED, CAUSE_ACK_OF_SYN, a->now);
    if (conn->listener)
        listener_completed(conn);
    else
        conn_event(conn, TCP_EV_ESTABLISHED | TCP_EV_WRITABLE);
    if (conn->snd.fin_queued) /* closed while it was opening */
        tcp_conn_set_state(conn, TCP_FIN_WAIT_1, CAUSE_CLOSE, a->now);
    return GO_ON;
}

/* What the ACK of our FIN means in each of the states that wait for it. */
static enum verdict fin_was_acked(struct tcp_conn *conn, const struct arrival *a)
{
    conn_event(conn, TCP_EV_DRAINED);
    switch (conn->state) {
    case TCP_FIN_WAIT_1:
        tcp_conn_set_state(conn, TCP_FIN_WAIT_2, CAUSE_ACK_OF_FIN, a->now);
        return GO_ON;
    case TCP_CLOSING:
        tcp_conn_set_state(conn, TCP_TIME_WAIT, CAUSE_ACK_OF_FIN, a->now);
        return STOP;
    case TCP_LAST_ACK:
        conn_kill(conn, CAUSE_ACK_OF_FIN, 0, a->now);
        return STOP;
    default:
        return GO_ON;
    }
}

/* Fifth. */
static enum verdict check_ack(struct tcp_conn *conn, struct arrival *a)
{
    bool fin_acked = conn->snd.fin_acked;

    if (!(a->seg.flags & TCP_ACK))
        return drop(conn, a, DROP_NO_ACK);
    if (conn->state == TCP_SYN_RCVD && establish(conn, a) == STOP)
        return STOP;
    if (!ack_accept(conn, a))
        return STOP;
    if (conn->snd.fin_acked && !fin_acked)
        return fin_was_acked(conn, a);
    return GO_ON;
}

/* Sixth: the place of urgent data (RFC 9293 3.8.5); its bytes are in the stream anyway. */
static enum verdict check_urg(struct tcp_conn *conn, struct arrival *a)
{
    urgent_received(conn, &a->seg);
    return GO_ON;
}

/* Cut what lies left of RCV.NXT and right of the window; what is left is new. */
static void trim_to_window(struct tcp_conn *conn, struct segment *seg)
{
    struct tcp_counters *c = &conn->engine->counters;
    uint32_t room;

    if (seq_lt(seg->seq, conn->rcv.nxt)) {
        uint32_t old = MIN(seq_len(seg->seq, conn->rcv.nxt), seg->len);

        c->in_data_part_dup_segs += old && old < seg->len;
        c->in_data_part_dup_bytes += old;
        reasm_note_duplicate(conn, seg->seq, old);
        seg->seq = seq_add(seg->seq, old);
        seg->data += old;
        seg->len -= old;
    }
    room = seq_lt(seg->seq, conn->rcv.adv) ? seq_len(seg->seq, conn->rcv.adv) : 0;
    if (seg->len > room) {
        c->in_data_past_win_segs++;
        c->in_data_past_win_bytes += seg->len - room;
        seg->len = room;
        seg->flags &= (uint8_t)~TCP_FIN;
    }
}

/* 3.6.1: the program closed both ways and cannot read this: tell the peer so. */
static enum verdict nobody_reads(struct tcp_conn *conn, const struct arrival *a)
{
    conn->engine->counters.in_closed++;
    reply_rst_conn(conn, a->now);
    conn_kill(conn, CAUSE_UNREAD, 0, a->now);
    return drop(conn, a, DROP_CLOSED_DATA);
}

/* Seventh. */
static enum verdict take_text(struct tcp_conn *conn, struct arrival *a)
{
    struct segment *seg = &a->seg;

    if (!seg->len && !(seg->flags & TCP_FIN))
        return STOP;
    if (conn->state != TCP_ESTABLISHED && conn->state != TCP_FIN_WAIT_1 &&
        conn->state != TCP_FIN_WAIT_2)
        return STOP; /* their FIN came before: there can be no text behind it */
    trim_to_window(conn, seg);
    ecn_received(conn, a);
    if (conn->rcv.fin_known && seg->len &&
        seq_gt(seq_add(seg->seq, seg->len), conn->rcv.fin_seq))
        return drop(conn, a, DROP_FIN_AGAIN);
    if (conn->orphan && seg->len)
        return nobody_reads(conn, a);
    if (seg->len)
        reasm_store(conn, seg->seq, seg->data, seg->len, a->now);
    return GO_ON;
}

/* Eighth. The FIN counts when everything before it is here. */
static enum verdict check_fin(struct tcp_conn *conn, struct arrival *a)
{
    if (a->seg.flags & TCP_FIN)
        reasm_fin(conn, seq_add(a->seg.seq, a->seg.len), a->now);
    return STOP;
}

void in_synchronized(struct tcp_conn *conn, struct arrival *a)
{
    static enum verdict (*const steps[])(struct tcp_conn *, struct arrival *) = {
        check_timestamp, check_seq, check_rst, check_security, check_syn,
        check_ack,       check_urg, take_text, check_fin,
    };

    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        if (steps[i](conn, a) == STOP)
            return;
        if (steps[i] == check_ack) /* not before: a blind segment must not move TS.Recent */
            note_timestamp(conn, a);
    }
}
