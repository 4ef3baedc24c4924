/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Loss recovery: when is something lost, what phase are we in, when is it over.
 *
 * One model serves both kinds of peer. With SACK the scoreboard knows what is
 * missing (RFC 6675). Without it each duplicate ACK says that one more segment
 * has left the network (RFC 6582): reno_bytes counts them and is taken off the
 * pipe, which is the same as inflating the window. In both cases
 *
 *     something may be sent while pipe < cwnd
 *
 * so limited transmit (RFC 3042) follows by itself from the first two.
 */
#include "engine/cc.h"

uint32_t loss_pipe(const struct tcp_conn *conn)
{
    uint32_t pipe = sentq_pipe(&conn->sentq);

    return pipe - MIN(pipe, conn->loss.reno_bytes);
}

/* The first segment's worth of what is outstanding is lost. */
static void mark_first_lost(struct tcp_conn *conn)
{
    struct sentq *q = &conn->sentq;
    struct sent *s = q->count ? sentq_at(q, 0) : NULL;

    if (!s || s->flags & (SENT_SACKED | SENT_RETRANS))
        return;
    if (sentq_reserve(q, 1) == 0)
        sentq_cut(q, 0, conn->snd.mss);
    sentq_mark_lost(q, 0);
}

/* RFC 5681 3.2 step 2: what limited transmit sent does not count. */
static uint32_t flight_size(const struct tcp_conn *conn)
{
    uint32_t extra = conn->loss.limited_sent * conn->snd.mss;

    return conn->sentq.total - MIN(extra, conn->sentq.total);
}

/** loss_reopen() - nothing is missing any more, or ever was: as if no ACK had been odd */
void loss_reopen(struct tcp_conn *conn)
{
    conn->loss.phase = LOSS_OPEN;
    conn->loss.recover_set = false;
    conn->loss.dupacks = 0;
    conn->loss.reno_bytes = 0;
    conn->loss.limited_sent = 0;
    conn->loss.force_one = false;
    conn->loss.frto = FRTO_OFF;
    conn->backoff = 0;
}

static void enter_recovery(struct tcp_conn *conn, usec_t now)
{
    conn->engine->counters.out_fast_retrans++;
    if (conn->use_sack)
        conn->engine->counters.sack_recoveries++;
    undo_remember(conn, false);
    if (!ecn_reduced(conn)) /* RFC 3168 6.1.2: once in a window of data */
        conn->cc.ops->on_loss(conn, flight_size(conn), now);
    ecn_note_reduction(conn);
    prr_start(conn, conn->sentq.total);
    conn->loss.phase = LOSS_RECOVERY;
    conn->loss.recover = conn->snd.max;
    conn->loss.recover_set = true;
    conn->loss.rescued = false;
    conn->loss.force_one = true;
    conn->loss.extra = 0;
    if (!rack_in_use(conn))
        mark_first_lost(conn);
    timer_stop(conn, TIMER_TLP);
}

static void leave_recovery(struct tcp_conn *conn, usec_t now)
{
    uint32_t mss = conn->snd.mss;

    /* RFC 6582 3.2 step 3, the first way: no burst when the pipe has run dry. */
    if (conn->use_sack)
        cc_set_cwnd(conn, conn->cc.ssthresh, now);
    else
        cc_set_cwnd(conn, MIN(conn->cc.ssthresh, MAX(conn->sentq.total, mss) + mss), now);
    conn->loss.phase = LOSS_OPEN;
    conn->loss.dupacks = 0;
    conn->loss.reno_bytes = 0;
    conn->loss.limited_sent = 0;
    rack_recovered(conn);
    undo_closed(conn);
}

/* RFC 6582 3.2: the first hole is filled, the next one begins right behind it. */
static void partial_ack(struct tcp_conn *conn, uint32_t acked)
{
    uint32_t mss = conn->snd.mss;

    if (conn->use_sack)
        return;
    conn->loss.reno_bytes -= MIN(conn->loss.reno_bytes, acked > mss ? acked - mss : 0);
    conn->loss.force_one = true;
    mark_first_lost(conn);
}

/* RFC 6582 3.2 step 1, RFC 6675 5.1: not again for losses of the window that is being repaired. */
static bool may_enter_recovery(const struct tcp_conn *conn)
{
    return !conn->loss.recover_set || seq_gt(conn->snd.una, conn->loss.recover) ||
           (conn->use_sack && seq_eq(conn->snd.una, conn->loss.recover));
}

/* Mark what this ACK shows to be lost; true if that begins a recovery. */
static bool find_lost(struct tcp_conn *conn, bool duplicate, usec_t now)
{
    uint32_t thresh = conn->engine->tun->dupack_fast_retransmit, lost = conn->sentq.lost;

    if (rack_in_use(conn))
        return rack_find_lost(conn, now);
    if (!duplicate || (conn->loss.phase == LOSS_OPEN && !may_enter_recovery(conn)))
        return false;
    if (conn->use_sack)
        scoreboard_find_lost(conn);
    else
        conn->loss.reno_bytes += conn->snd.mss;
    /* What a smaller MTU made us send again was marked lost before: that is no congestion. */
    return conn->loss.dupacks >= thresh || conn->sentq.lost > lost;
}

/*
 * RFC 6937: bytes that left the network. Without SACK each duplicate ACK was one
 * segment, which a later cumulative ACK counts again.
 */
static uint32_t delivered_by(const struct tcp_conn *conn, const struct ack_news *news)
{
    uint32_t mss = conn->snd.mss, before;

    if (conn->use_sack)
        return news->sent.delivered;
    if (!news->acked)
        return news->duplicate ? mss : 0;
    before = MIN(conn->loss.reno_bytes, news->acked > mss ? news->acked - mss : 0);
    return news->acked - before;
}

static void in_open(struct tcp_conn *conn, const struct ack_news *news, bool duplicate)
{
    uint32_t delivered;

    if (news->acked) {
        conn->loss.dupacks = 0;
        conn->loss.reno_bytes = 0;
        conn->loss.limited_sent = 0;
        if (seq_gt(conn->snd.una, conn->loss.recover))
            conn->loss.recover_set = false; /* in 2 GB it would seem to lie ahead */
        conn->cc.ops->on_ack(conn, news->acked, news->now);
    }
    conn->loss.dupacks += duplicate;
    delivered = delivered_by(conn, news);
    if (!find_lost(conn, duplicate, news->now))
        return;
    enter_recovery(conn, news->now);
    prr_on_ack(conn, delivered, false, news->now);
}

/* A phase is over, but beyond its end something was found lost meanwhile: that is the next loss. */
static void again_if_lost(struct tcp_conn *conn, usec_t now)
{
    if (!rack_in_use(conn))
        return;
    (void)rack_find_lost(conn, now);
    if (sentq_lost_waiting(&conn->sentq))
        enter_recovery(conn, now);
}

static void in_recovery(struct tcp_conn *conn, const struct ack_news *news, bool duplicate)
{
    uint32_t delivered = delivered_by(conn, news);
    bool more;

    if (news->acked && seq_geq(conn->snd.una, conn->loss.recover)) {
        leave_recovery(conn, news->now);
        again_if_lost(conn, news->now);
        return;
    }
    conn->loss.dupacks += duplicate;
    if (news->acked)
        partial_ack(conn, news->acked);
    more = find_lost(conn, duplicate, news->now) && conn->use_sack;
    prr_on_ack(conn, delivered, news->acked && !more, news->now);
}

static void after_timeout(struct tcp_conn *conn, const struct ack_news *news)
{
    if (frto_on_ack(conn, news))
        return;
    if (news->acked) {
        conn->cc.ops->on_ack(conn, news->acked, news->now);
        if (seq_geq(conn->snd.una, conn->loss.recover)) {
            conn->loss.phase = LOSS_OPEN;
            conn->loss.dupacks = 0;
            conn->loss.frto = FRTO_OFF;
            undo_closed(conn);
            again_if_lost(conn, news->now);
            return;
        }
    }
    if (rack_in_use(conn) && conn->loss.frto == FRTO_OFF)
        (void)rack_find_lost(conn, news->now);
}

/** loss_on_ack() - an acceptable ACK came */
void loss_on_ack(struct tcp_conn *conn, const struct ack_news *news)
{
    /* RFC 6675 2: with SACK, a duplicate ACK is one that tells of something new. */
    bool duplicate = conn->use_sack ? news->sacked > 0 : news->duplicate;

    rack_on_ack(conn, news);
    (void)undo_on_ack(conn, news);
    tlp_on_ack(conn, news);
    switch (conn->loss.phase) {
    case LOSS_OPEN:
        in_open(conn, news, duplicate);
        break;
    case LOSS_RECOVERY:
        in_recovery(conn, news, duplicate);
        break;
    case LOSS_TIMEOUT:
        after_timeout(conn, news);
        break;
    }
}

/** loss_reorder_fired() - RFC 8985 6.3: what has not come within the reordering window is lost */
void loss_reorder_fired(struct tcp_conn *conn, usec_t now)
{
    if (!rack_in_use(conn) || !rack_find_lost(conn, now))
        return;
    if (conn->loss.phase == LOSS_OPEN) {
        enter_recovery(conn, now);
        prr_on_ack(conn, 0, false, now);
    }
    conn_wants_output(conn);
}

/*
 * RFC 2018 8: what was SACKed may have been reneged on. That is certain when the
 * oldest is one, and to be feared when sending again did not help.
 */
static bool sacks_are_doubtful(const struct tcp_conn *conn)
{
    return conn->backoff || sentq_at(&conn->sentq, 0)->flags & SENT_SACKED;
}

/** loss_on_timeout() - RFC 6298 5.4, RFC 5681 3.1; something is in flight */
void loss_on_timeout(struct tcp_conn *conn, usec_t now)
{
    bool forget = !rack_in_use(conn) || sacks_are_doubtful(conn);

    undo_remember(conn, true);
    conn->cc.ops->on_timeout(conn, flight_size(conn), conn->backoff == 0, now);
    conn->loss.phase = LOSS_TIMEOUT;
    conn->cc.limited = true; /* until new data are sent, cwnd is the limit */
    conn->loss.recover = conn->snd.max;
    conn->loss.recover_set = true;
    conn->loss.dupacks = 0;
    conn->loss.reno_bytes = 0;
    conn->loss.limited_sent = 0;
    conn->loss.force_one = true;
    conn->loss.extra = 0;
    conn->tlp.out = false;
    timer_stop(conn, TIMER_REORDER);
    sentq_mark_all_lost(&conn->sentq, forget);
    if (forget)
        rack_forget_sacks(conn);
    frto_begin(conn, conn->backoff == 0);
}

/**
 * loss_rescue() - RFC 6675 4, NextSeg() rule 4: once in a recovery, with nothing
 * else to send, the end of what is outstanding goes out again
 *
 * A lost tail has nothing behind it that could be SACKed; this asks before the
 * timer does. Returns true if something was marked.
 */
bool loss_rescue(struct tcp_conn *conn, usec_t now)
{
    struct sentq *q = &conn->sentq;
    struct sent *last = q->count ? sentq_at(q, q->count - 1) : NULL;
    uint32_t len;

    if (conn->loss.phase != LOSS_RECOVERY || conn->loss.rescued || !conn->use_sack || !last ||
        last->flags & (SENT_SACKED | SENT_LOST) || sentq_reserve(q, 1))
        return false;
    if (rack_in_use(conn) && usec_since(last->at, now) < conn->rtt.srtt * 5 / 4)
        return false; /* its answer is not due yet */
    conn->loss.rescued = true;
    len = seq_len(last->start, last->end);
    if (len > conn->snd.mss)
        sentq_cut(q, q->count - 1, len - conn->snd.mss);
    sentq_mark_lost(q, q->count - 1);
    return true;
}
