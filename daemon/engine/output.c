/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What to send next. One call makes one packet, in this order: SYN, what was
 * lost, new data with the FIN, a probe, a bare ACK. When nothing may be sent the
 * timer that will change that is set.
 */
#include "engine/cc.h"

struct seq snd_end(const struct tcp_conn *conn)
{
    /* Not by una alone: after 4 GB it is iss again. */
    uint32_t syn = !conn->snd.una_pos && seq_eq(conn->snd.una, conn->snd.iss);
    uint32_t unacked = (uint32_t)(conn->tx.tail - conn->snd.una_pos);

    return seq_add(conn->snd.una, syn + unacked);
}

static bool may_send_data(const struct tcp_conn *conn)
{
    return conn->state >= TCP_ESTABLISHED && conn->state != TCP_TIME_WAIT &&
           conn->state != TCP_FIN_WAIT_2;
}

/* How long a packet may be: a super-frame where the path takes them, in whole segments. */
static uint32_t max_payload(const struct tcp_conn *conn, uint32_t mss)
{
    uint32_t headers = 14 + 40 + TCP_HDR_MAX;

    if (conn->path.gso_max <= headers + 2 * mss || urgent_mode(conn))
        return mss;
    return MAX(MIN(conn->path.gso_max - headers, pace_quantum(conn)) / mss * mss, mss);
}

/* RFC 4022 counts segments, and those that only repeat bytes apart from all others. */
static uint32_t segments_in(const struct packet *pkt)
{
    return pkt->flags & PACKET_SUPER ? (pkt->payload_len + pkt->gso_size - 1u) / pkt->gso_size : 1;
}

static void count_retransmission(struct tcp_conn *conn, const struct packet *pkt)
{
    struct tcp_counters *c = &conn->engine->counters;
    uint32_t n = segments_in(pkt);

    c->out_segs -= n;
    c->retrans_segs += n;
    c->retrans_bytes += pkt->payload_len;
    c->out_sack_retrans += pkt->payload_len && conn->use_sack ? n : 0;
    conn->stat.retrans_segs += n;
    conn->stat.bytes_retrans += pkt->payload_len;
}

static void sent_something(struct tcp_conn *conn, usec_t now)
{
    conn->stat.last_send_at = now;
    conn_dirty(conn);
    if (!timer_running(conn, TIMER_REXMT))
        rto_arm(conn, now);
}

/* ---- what was lost ------------------------------------------------------------------ */

static bool send_lost(struct tcp_conn *conn, uint32_t room, usec_t now, struct packet *ret)
{
    struct sentq *q = &conn->sentq;
    uint32_t mss = mss_now(conn), len = max_payload(conn, mss);
    struct seq start, end;
    int i = sentq_next_lost(q);

    if (i < 0 || sentq_reserve(q, 1))
        return false;
    if (room < mss && !conn->loss.force_one && loss_pipe(conn))
        return false;
    if (!conn->loss.force_one && !pace_allows(conn, now))
        return false;
    if (room < len)
        len = MAX(room / mss * mss, mss);
    start = sentq_at(q, (uint32_t)i)->start;
    end = sentq_retransmitted(q, (uint32_t)i, len, now);
    conn->loss.force_one = false;
    segmentize(conn, start, end, now, ret);

    count_retransmission(conn, ret);
    prr_sent(conn, ret->payload_len);
    pace_sent(conn, ret->payload_len, now);
    undo_sent_again(conn, ret->payload_len, now);
    sent_something(conn, now);
    return true;
}

/* ---- new data ------------------------------------------------------------------------- */

/*
 * RFC 9293 3.8.6.2.1, sender's silly window avoidance: a full segment; or all
 * there is, if Nagle agrees; or half of the largest window ever offered.
 * Returns how many of @avail bytes to send now, 0 to wait.
 */
static uint32_t how_much(const struct tcp_conn *conn, uint32_t avail, uint32_t wnd, uint32_t room)
{
    uint32_t mss = mss_now(conn);
    uint32_t usable = MIN(MIN(avail, wnd), MIN(room, max_payload(conn, mss)));
    uint32_t tail = usable % mss;

    if (usable == avail)
        return tail && nagle_holds(conn, tail) ? usable - tail : usable;
    if (usable >= mss)
        return usable / mss * mss;
    if (wnd < mss && usable == wnd && usable >= conn->snd.wnd_max / 2 && !conn->config.cork)
        return usable;
    return 0;
}

/* The FIN goes with the last byte, or alone. */
static bool fin_goes_with(const struct tcp_conn *conn, uint32_t len, uint32_t avail)
{
    return conn->snd.fin_queued && !conn->snd.fin_sent && len == avail &&
           conn->state != TCP_SYN_RCVD;
}

static bool send_range(struct tcp_conn *conn, uint32_t len, bool fin, usec_t now,
                       struct packet *ret)
{
    struct seq start = conn->snd.nxt, end = seq_add(start, len + fin);
    bool fresh = len && seq_geq(start, conn->snd.max);

    if (sentq_reserve(&conn->sentq, 1))
        return false;
    /* RFC 5681 4.1: idle for a whole RTO, the ACK clock has stopped. */
    if (len && !conn->sentq.count &&
        usec_since(conn->stat.last_send_at, now) > rtt_rto(&conn->rtt, 0) && conn->stat.bytes_sent)
        conn->cc.ops->on_idle(conn, now);
    sentq_append(&conn->sentq, start, end, now);
    conn->snd.nxt = end;
    conn->snd.max = seq_max(conn->snd.max, end);
    conn->snd.fin_sent |= fin;
    if (len % mss_now(conn)) /* a super-frame too ends in a small one */
        conn->snd.small_end = end;
    if (len && conn->loss.phase == LOSS_OPEN && conn->loss.dupacks && conn->loss.limited_sent < 2)
        conn->loss.limited_sent++;
    conn->stat.bytes_sent += len;
    conn->engine->counters.out_data_bytes += len;
    prr_sent(conn, len);
    pace_sent(conn, len, now);
    persist_stop(conn);
    segmentize(conn, start, end, now, ret);
    conn->engine->counters.out_data_segs += len ? segments_in(ret) : 0;
    if (fresh)
        ecn_mark_new_data(conn, ret);
    sent_something(conn, now);
    tlp_arm(conn, now);
    return true;
}

static uint32_t window_room(const struct tcp_conn *conn)
{
    struct seq edge = seq_add(conn->snd.una, conn->snd.wnd);

    return seq_gt(edge, conn->snd.nxt) ? seq_len(conn->snd.nxt, edge) : 0;
}

bool output_has_new(const struct tcp_conn *conn)
{
    struct seq end = snd_end(conn);
    uint32_t avail = seq_gt(end, conn->snd.nxt) ? seq_len(conn->snd.nxt, end) : 0;

    return may_send_data(conn) && avail &&
           how_much(conn, avail, window_room(conn), mss_now(conn));
}

static bool send_new(struct tcp_conn *conn, uint32_t room, usec_t now, struct packet *ret)
{
    struct seq end = snd_end(conn);
    uint32_t avail = seq_gt(end, conn->snd.nxt) ? seq_len(conn->snd.nxt, end) : 0;
    uint32_t wnd = window_room(conn), len = 0;
    bool fin;

    if (avail)
        len = how_much(conn, avail, wnd, room);
    fin = fin_goes_with(conn, len, avail);
    /* RFC 5681 4.3: only a window that was the limit may grow; in slow start half of it will do. */
    conn->cc.limited = (avail > len && room < MIN(avail, wnd) + conn->snd.mss) ||
                       (conn->cc.cwnd < conn->cc.ssthresh &&
                        2 * (loss_pipe(conn) + len) >= conn->cc.cwnd);
    if (len || fin)
        return send_range(conn, len, fin, now, ret);
    /* Nothing in flight will bring an ACK, and the window is why: 3.8.6.1. */
    if (avail && !conn->sentq.count && wnd < MIN(avail, conn->snd.mss))
        persist_arm(conn, now);
    return false;
}

/* ---- probes ----------------------------------------------------------------------------- */

/*
 * With data waiting: the window override (what fits), or one byte beyond a
 * window of zero, which stays out of the books: only SND.MAX knows that it may
 * be acknowledged. Without data: a keep-alive, a number that the peer has.
 */
static bool send_probe(struct tcp_conn *conn, usec_t now, struct packet *ret)
{
    struct seq end = snd_end(conn);
    uint32_t avail = seq_gt(end, conn->snd.nxt) ? seq_len(conn->snd.nxt, end) : 0;
    uint32_t wnd = window_room(conn);

    conn->probe_now = false;
    if (!may_send_data(conn) && conn->state != TCP_FIN_WAIT_2)
        return false;
    if (!avail || conn->sentq.count) {
        if (conn->sentq.count)
            return false; /* its retransmission asks the same question */
        conn->engine->counters.tim_keepalive_probe++;
        segmentize_ack(conn, seq_dec(conn->snd.nxt, 1), now, ret);
        return true;
    }
    if (wnd)
        return send_range(conn, MIN(MIN(avail, wnd), mss_now(conn)), false, now, ret);
    conn->engine->counters.out_win_probe++;
    conn->snd.max = seq_max(conn->snd.max, seq_add(conn->snd.nxt, 1));
    segmentize(conn, conn->snd.nxt, seq_add(conn->snd.nxt, 1), now, ret);
    persist_arm(conn, now);
    return true;
}

/* ---- the way in --------------------------------------------------------------------------- */

static bool send_syn(struct tcp_conn *conn, usec_t now, struct packet *ret)
{
    bool again = false;

    conn->syn_now = false;
    if (conn->state != TCP_SYN_SENT && conn->state != TCP_SYN_RCVD)
        return false;
    if (!conn->sentq.count) {
        sentq_append(&conn->sentq, conn->snd.iss, seq_add(conn->snd.iss, 1), now);
        conn->snd.nxt = seq_add(conn->snd.iss, 1);
        conn->snd.max = seq_max(conn->snd.max, conn->snd.nxt);
    } else {
        (void)sentq_retransmitted(&conn->sentq, 0, 1, now);
        again = true;
    }
    if (conn->syn_tries < UINT16_MAX)
        conn->syn_tries++;
    segmentize_syn(conn, now, ret);
    if (again)
        count_retransmission(conn, ret);
    sent_something(conn, now);
    return true;
}

/* A probe: one new segment, whatever cwnd says. */
static bool send_extra(struct tcp_conn *conn, uint32_t room, usec_t now, struct packet *ret)
{
    bool limited = conn->cc.limited;

    conn->loss.extra--;
    if (!send_new(conn, MAX(room, mss_now(conn)), now, ret)) {
        conn->loss.extra = 0;
        return false;
    }
    conn->cc.limited |= limited;
    return true;
}

static bool send_data(struct tcp_conn *conn, usec_t now, struct packet *ret)
{
    uint32_t pipe, room;

    if (!may_send_data(conn))
        return false;
    pipe = loss_pipe(conn);
    room = conn->cc.cwnd > pipe ? conn->cc.cwnd - pipe : 0;
    if (send_lost(conn, room, now, ret))
        return true;
    if (sentq_lost_waiting(&conn->sentq))
        return false; /* RFC 6675 4: holes come before new data */
    if (conn->loss.extra)
        return send_extra(conn, room, now, ret);
    if (!pace_allows(conn, now))
        return false;
    if (send_new(conn, room, now, ret))
        return true;
    return room >= conn->snd.mss && loss_rescue(conn, now) && send_lost(conn, room, now, ret);
}

/**
 * output_next() - make the next packet of @conn, if it may send one now
 *
 * Makes no event. Returns false when there is nothing more to send for now.
 */
bool output_next(struct tcp_conn *conn, usec_t now, struct packet *ret)
{
    if (conn->state == TCP_CLOSED || !conn->path_known)
        return false;
    if (conn->syn_now && send_syn(conn, now, ret))
        return true;
    if (conn->state == TCP_SYN_SENT)
        return false;
    if (send_data(conn, now, ret))
        return true;
    if (conn->probe_now && send_probe(conn, now, ret))
        return true;
    if (conn->ack.now || (urgent_due(conn) && may_send_data(conn))) {
        conn->engine->counters.out_ack++;
        segmentize_ack(conn, conn->snd.nxt, now, ret);
        return true;
    }
    return false;
}

/* Something changed that may let it send: put it on the list; output_next() decides. */
void output_consider(struct tcp_conn *conn, usec_t now)
{
    if (conn->state != TCP_CLOSED && conn->state != TCP_LISTEN)
        conn_wants_output(conn);
}

/*
 * @pkt never left the host: as if it had not been made. New data are cut off the
 * tail of what is in flight, a retransmission is lost and waiting again. The
 * windows, SACK marks and RTT stay as they are.
 */
void output_unsent(struct tcp_conn *conn, const struct packet *pkt, usec_t now)
{
    struct seq end = seq_add(pkt->seq, pkt->seq_len);

    conn_dirty(conn);
    conn_wants_output(conn);
    ecn_unsent(conn, pkt);
    if (!pkt->seq_len) {
        conn->ack.now = true;
        return;
    }
    if (conn->state == TCP_SYN_SENT || conn->state == TCP_SYN_RCVD) {
        conn->syn_now = true;
        if (conn->syn_tries && !--conn->syn_tries)
            sentq_pop_tail(&conn->sentq, conn->snd.iss);
        return;
    }
    if (seq_leq(end, conn->snd.una) || seq_geq(pkt->seq, conn->snd.nxt))
        return; /* acknowledged, or cut off with one before it */
    if (sentq_is_fresh(&conn->sentq, pkt->seq)) {
        struct seq from = seq_max(pkt->seq, conn->snd.una);

        if (conn->snd.fin_sent && !conn->snd.fin_acked)
            conn->snd.fin_sent = false;
        sentq_pop_tail(&conn->sentq, from);
        conn->snd.nxt = from; /* SND.MAX stays: what was behind @pkt may have left */
        conn->snd.small_end = seq_min(conn->snd.small_end, from);
        conn->stat.bytes_sent -= MIN(conn->stat.bytes_sent, (uint64_t)pkt->payload_len);
        prr_sent(conn, -(int64_t)pkt->payload_len);
    } else {
        prr_sent(conn, -(int64_t)pkt->payload_len);
        sentq_retransmit_failed(&conn->sentq, pkt->seq, pkt->seq_len);
        conn->loss.force_one = true;
    }
}
