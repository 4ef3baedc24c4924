/* SPDX-License-Identifier: BSD-2-Clause */
/* The ACK field, RFC 9293 3.10.7.4 fifth check: what it acknowledges, what window it opens. */
#include "engine/cc.h"

/* RFC 5961 5.2: SND.UNA - MAX.SND.WND <= SEG.ACK <= SND.NXT (here: the highest ever sent). */
static bool in_range(struct tcp_conn *conn, const struct arrival *a)
{
    struct seq ack = a->seg.ack;

    if (seq_gt(ack, conn->snd.max)) {
        conn->engine->counters.in_ack_unsent++;
        engine_drop(conn->engine, conn, DROP_ACK_UNSENT, a->now);
        reply_challenge(conn, a->now);
        return false;
    }
    if (seq_lt(ack, seq_dec(conn->snd.una, conn->snd.wnd_max))) {
        engine_drop(conn->engine, conn, DROP_ACK_OLD, a->now);
        reply_challenge(conn, a->now);
        return false;
    }
    return true;
}

/* RFC 5681 2: the five conditions (a) to (e). */
static bool is_duplicate(const struct tcp_conn *conn, const struct arrival *a)
{
    const struct segment *seg = &a->seg;

    return conn->sentq.count && !a->wire_len && !(seg->flags & (TCP_SYN | TCP_FIN)) &&
           seq_eq(seg->ack, conn->snd.una) &&
           (uint32_t)seg->wnd << conn->snd.wscale == conn->snd.wnd;
}

/* Move SND.UNA; returns the bytes of data newly acknowledged. */
static uint32_t advance_una(struct tcp_conn *conn, struct seq ack, struct sent_acked *acked)
{
    uint32_t bytes = seq_len(conn->snd.una, ack);

    if (!conn->snd.una_pos && seq_eq(conn->snd.una, conn->snd.iss))
        bytes--; /* our SYN */
    if (conn->snd.fin_queued && !conn->snd.fin_acked && seq_gt(ack, snd_end(conn))) {
        conn->snd.fin_sent = conn->snd.fin_acked = true;
        bytes--;
    }
    sentq_ack(&conn->sentq, ack, acked);
    conn->snd.una = ack;
    conn->snd.una_pos += bytes;
    conn->snd.nxt = seq_max(conn->snd.nxt, ack);
    conn->snd.small_end = seq_max(conn->snd.small_end, ack);
    conn->snd.up = seq_max(conn->snd.up, ack);
    return bytes;
}

/*
 * RFC 6298 3 and RFC 7323 4: the time of the newest segment acknowledged, if it
 * was sent once only; else what our own timestamp says, which no retransmission
 * can confuse; else nothing (Karn).
 */
static usec_t measure_rtt(const struct tcp_conn *conn, const struct ack_news *news, bool advanced)
{
    const struct sent_acked *acked = &news->sent;
    const struct tcp_options *opt = &news->seg->opt;
    uint32_t age;

    if (acked->newest_at && !acked->again)
        return MAX(usec_since(acked->newest_at, news->now), (usec_t)1);
    if (!advanced || !conn->use_ts || !opt->has_ts || !opt->tsecr)
        return 0;
    age = ts_clock(conn, news->now) - opt->tsecr;
    return age < 1u << 24 ? usec_from_msec(MAX(age, 1u)) : 0;
}

/* Returns the sample, 0 if there is none. */
static usec_t sample_rtt(struct tcp_conn *conn, const struct ack_news *news, bool advanced)
{
    struct tcp_counters *c = &conn->engine->counters;
    usec_t rtt = measure_rtt(conn, news, advanced);

    if (rtt && news->now - MIN(rtt, news->now) < conn->engine->jumped_at)
        rtt = 0; /* it was under way while the host slept */
    if (rtt) {
        rtt_sample(&conn->rtt, rtt);
        rtt_min_window(&conn->rtt, rtt, &conn->min_rtt_since, &conn->min_rtt_next, news->now);
        c->rtt_update++;
    } else if (advanced) {
        c->rtt_no_update++;
    }
    return rtt;
}

/*
 * 3.10.7.4 takes the window from the segment with the newer SEG.SEQ. Here the newer
 * SEG.ACK decides first: a retransmission has an old SEG.SEQ, but its window belongs
 * to its ACK, and with the window of an older ACK the right edge would move by itself.
 */
void ack_update_window(struct tcp_conn *conn, const struct segment *seg, usec_t now)
{
    uint32_t wnd = (uint32_t)seg->wnd << conn->snd.wscale;

    if (seq_lt(conn->snd.wl2, seg->ack) ||
        (seq_eq(conn->snd.wl2, seg->ack) && seq_leq(conn->snd.wl1, seg->seq))) {
        if (wnd != conn->snd.wnd && !seg->len && seq_eq(conn->snd.wl2, seg->ack))
            conn->engine->counters.in_win_update++; /* it says nothing else */
        if (!conn->snd.wnd && wnd && conn->sentq.count) {
            /* It was closed over what is in flight, which was dropped: send it now. */
            sentq_mark_all_lost(&conn->sentq, false);
            conn->loss.force_one = true;
            conn->backoff = 0;
            rto_restart(conn, now);
        }
        conn->snd.wnd = wnd;
        conn->snd.wnd_max = MAX(conn->snd.wnd_max, wnd);
        conn->snd.wl1 = seg->seq;
        conn->snd.wl2 = seg->ack;
    }
}

static void count_ack(struct tcp_conn *conn, const struct ack_news *news)
{
    struct tcp_counters *c = &conn->engine->counters;

    if (news->acked) {
        c->in_ack_segs++;
        c->in_ack_bytes += news->acked;
        conn->stat.bytes_acked += news->acked;
    } else if (news->duplicate) {
        c->in_dup_ack++;
    }
    c->in_dsacks += news->dsack;
    conn->dsacks += news->dsack;
}

/* What of all that we sent is with the peer now. */
static void take_news(struct tcp_conn *conn, const struct arrival *a, bool advanced,
                      struct ack_news *news)
{
    const struct segment *seg = &a->seg;

    news->duplicate = is_duplicate(conn, a);
    news->bare = !a->wire_len && (uint32_t)seg->wnd << conn->snd.wscale == conn->snd.wnd;
    news->dsack = scoreboard_is_dsack(conn, seg);
    rack_prepare(conn, &news->sent, a->now);
    if (advanced)
        news->acked = advance_una(conn, seg->ack, &news->sent);
    news->sacked = scoreboard_take(conn, seg, &news->sent);
}

/* What the ACK says of the network: of losses, and of congestion that cost none. */
static void respond(struct tcp_conn *conn, const struct arrival *a, const struct ack_news *news,
                    uint32_t flight)
{
    bool echo = ecn_is_echo(conn, &a->seg);

    if (echo)
        conn->cc.limited = false; /* no proof that the window fits: it must not grow */
    loss_on_ack(conn, news);
    if (echo)
        ecn_echoed(conn, flight, a->now);
}

bool ack_accept(struct tcp_conn *conn, const struct arrival *a)
{
    const struct segment *seg = &a->seg;
    struct ack_news news = { .seg = seg, .now = a->now };
    uint32_t flight = conn->sentq.total;
    bool advanced;
    usec_t rtt;

    if (!in_range(conn, a))
        return false;
    advanced = seq_gt(seg->ack, conn->snd.una);
    take_news(conn, a, advanced, &news);
    count_ack(conn, &news);
    rtt = sample_rtt(conn, &news, advanced);
    if (seq_geq(seg->ack, conn->snd.una))
        ack_update_window(conn, seg, a->now);
    if (advanced) {
        if (!news.sent.again || conn->use_ts) /* Karn: the backed-off RTO stays until there is a sample */
            conn->backoff = 0;
        conn->rexmt_since = 0;
        pmtu_progress(conn, a->now);
        conn->soft_error = 0;
        conn->probes = 0;
        rto_restart(conn, a->now);
        hystart_on_ack(conn, rtt);
    }
    respond(conn, a, &news, flight);
    if (advanced || news.sacked)
        tlp_arm(conn, a->now);
    autotune_sent(conn);
    return true;
}
