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

static void enter_recovery(struct tcp_conn *conn, usec_t now)
{
    conn->engine->counters.out_fast_retrans++;
    if (conn->use_sack)
        conn->engine->counters.sack_recoveries++;
    if (!ecn_reduced(conn)) /* RFC 3168 6.1.2: once in a window of data */
        conn->cc.ops->on_loss(conn, flight_size(conn), now);
    conn->loss.phase = LOSS_RECOVERY;
    conn->loss.recover = conn->snd.max;
    conn->loss.recover_set = true;
    conn->loss.rescued = false;
    conn->loss.force_one = true;
    mark_first_lost(conn);
}

static void leave_recovery(struct tcp_conn *conn, usec_t now)
{
    uint32_t mss = conn->snd.mss;

    /* RFC 6582 3.2 step 3, the first way: no burst when the pipe has run dry. */
    if (!conn->use_sack)
        cc_set_cwnd(conn, MIN(conn->cc.ssthresh, MAX(conn->sentq.total, mss) + mss), now);
    conn->loss.phase = LOSS_OPEN;
    conn->loss.dupacks = 0;
    conn->loss.reno_bytes = 0;
    conn->loss.limited_sent = 0;
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

static void in_open(struct tcp_conn *conn, uint32_t acked, bool duplicate, usec_t now)
{
    uint32_t thresh = conn->engine->tun->dupack_fast_retransmit, lost = conn->sentq.lost;

    if (acked) {
        conn->loss.dupacks = 0;
        conn->loss.reno_bytes = 0;
        conn->loss.limited_sent = 0;
        if (seq_gt(conn->snd.una, conn->loss.recover))
            conn->loss.recover_set = false; /* in 2 GB it would seem to lie ahead */
        conn->cc.ops->on_ack(conn, acked, now);
    }
    if (!duplicate)
        return;
    conn->loss.dupacks++;
    if (!may_enter_recovery(conn))
        return;
    if (conn->use_sack)
        scoreboard_find_lost(conn);
    else
        conn->loss.reno_bytes += conn->snd.mss;
    /* What a smaller MTU made us send again was marked lost before: that is no congestion. */
    if (conn->loss.dupacks >= thresh || conn->sentq.lost > lost)
        enter_recovery(conn, now);
}

static void in_recovery(struct tcp_conn *conn, uint32_t acked, bool duplicate, usec_t now)
{
    if (acked && seq_geq(conn->snd.una, conn->loss.recover)) {
        leave_recovery(conn, now);
        return;
    }
    if (acked)
        partial_ack(conn, acked);
    if (!duplicate)
        return;
    if (conn->use_sack)
        scoreboard_find_lost(conn);
    else
        conn->loss.reno_bytes += conn->snd.mss;
}

static void after_timeout(struct tcp_conn *conn, uint32_t acked, usec_t now)
{
    if (!acked)
        return;
    conn->cc.ops->on_ack(conn, acked, now);
    if (seq_geq(conn->snd.una, conn->loss.recover)) {
        conn->loss.phase = LOSS_OPEN;
        conn->loss.dupacks = 0;
    }
}

/**
 * loss_on_ack() - an acceptable ACK came
 * @acked:         bytes newly acknowledged
 * @newly_sacked:  bytes newly SACKed
 * @duplicate:     it is a duplicate ACK as RFC 5681 2 defines it
 */
void loss_on_ack(struct tcp_conn *conn, uint32_t acked, uint32_t newly_sacked, bool duplicate,
                 usec_t now)
{
    /* RFC 6675 2: with SACK, a duplicate ACK is one that tells of something new. */
    if (conn->use_sack)
        duplicate = newly_sacked > 0;
    switch (conn->loss.phase) {
    case LOSS_OPEN:
        in_open(conn, acked, duplicate, now);
        break;
    case LOSS_RECOVERY:
        in_recovery(conn, acked, duplicate, now);
        break;
    case LOSS_TIMEOUT:
        after_timeout(conn, acked, now);
        break;
    }
}

/* RFC 6298 5.4, RFC 5681 3.1; RFC 2018 8: what was SACKed may have been reneged on. */
void loss_on_timeout(struct tcp_conn *conn, usec_t now)
{
    conn->cc.ops->on_timeout(conn, flight_size(conn), conn->backoff == 0, now);
    conn->loss.phase = LOSS_TIMEOUT;
    conn->cc.limited = true; /* until new data are sent, cwnd is the limit */
    conn->loss.recover = conn->snd.max;
    conn->loss.recover_set = true;
    conn->loss.dupacks = 0;
    conn->loss.reno_bytes = 0;
    conn->loss.limited_sent = 0;
    conn->loss.force_one = true;
    sentq_mark_all_lost(&conn->sentq, true);
}

/**
 * loss_rescue() - RFC 6675 4, NextSeg() rule 4: once in a recovery, with nothing
 * else to send, the end of what is outstanding goes out again
 *
 * A lost tail has nothing behind it that could be SACKed; this asks before the
 * timer does. Returns true if something was marked.
 */
bool loss_rescue(struct tcp_conn *conn)
{
    struct sentq *q = &conn->sentq;
    struct sent *last = q->count ? sentq_at(q, q->count - 1) : NULL;
    uint32_t len;

    if (conn->loss.phase != LOSS_RECOVERY || conn->loss.rescued || !conn->use_sack || !last ||
        last->flags & (SENT_SACKED | SENT_LOST) || sentq_reserve(q, 1))
        return false;
    conn->loss.rescued = true;
    len = seq_len(last->start, last->end);
    if (len > conn->snd.mss)
        sentq_cut(q, q->count - 1, len - conn->snd.mss);
    sentq_mark_lost(q, q->count - 1);
    return true;
}
