/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Taking back a reduction of cwnd that nothing was lost for. Two witnesses: the
 * timestamp that the first ACK echoes is older than the retransmission, so the
 * original arrived (RFC 3522); or D-SACKs tell that every byte which was sent
 * again was there already (RFC 2883, RFC 3708). The response is that of RFC 4015:
 * the window is as before, and what was marked lost is in flight.
 */
#include "engine/cc.h"

/** undo_remember() - the window is about to be reduced */
void undo_remember(struct tcp_conn *conn, bool timeout)
{
    conn->undo.timeout = timeout;
    if (conn->loss.phase != LOSS_OPEN)
        return; /* a timeout in a recovery: one reduction after the other, undone together */
    conn->undo.armed = true;
    conn->undo.cwnd = conn->cc.cwnd;
    conn->undo.ssthresh = conn->cc.ssthresh;
    conn->undo.cubic = conn->cubic;
    conn->undo.una = conn->snd.una;
    conn->undo.again = conn->undo.needless = 0;
    conn->undo.eifel_open = false;
}

/** undo_sent_again() - @len bytes were retransmitted */
void undo_sent_again(struct tcp_conn *conn, uint32_t len, usec_t now)
{
    if (!conn->undo.armed || conn->loss.phase == LOSS_OPEN)
        return;
    if (!conn->undo.again) {
        conn->undo.tsval = ts_clock(conn, now);
        conn->undo.eifel_open = true;
    }
    conn->undo.again += len;
}

/** undo_closed() - the recovery ended in earnest; only D-SACKs can say something now */
void undo_closed(struct tcp_conn *conn)
{
    conn->undo.eifel_open = false;
    conn->undo.end = conn->snd.max;
}

static bool by_timestamp(struct tcp_conn *conn, const struct ack_news *news)
{
    const struct tcp_options *opt = &news->seg->opt;

    if (!conn->undo.eifel_open || !news->acked)
        return false;
    conn->undo.eifel_open = false;
    return conn->use_ts && opt->has_ts && opt->tsecr &&
           (int32_t)(opt->tsecr - conn->undo.tsval) < 0;
}

static bool by_dsack(struct tcp_conn *conn, const struct ack_news *news)
{
    const struct seq_range *r = &news->seg->opt.sack[0];

    if (!news->dsack || !conn->undo.again || seq_lt(r->start, conn->undo.una))
        return false;
    conn->undo.needless += MIN(seq_len(r->start, r->end), conn->undo.again);
    return conn->undo.needless >= conn->undo.again;
}

/** undo_now() - the reduction was for nothing */
void undo_now(struct tcp_conn *conn, usec_t now)
{
    struct tcp_counters *c = &conn->engine->counters;

    if (conn->undo.timeout)
        c->spurious_rtos++;
    else
        c->spurious_recoveries++;
    conn->undo.armed = false;
    conn->cc.ssthresh = MAX(conn->cc.ssthresh, conn->undo.ssthresh);
    conn->cubic = conn->undo.cubic;
    if (conn->cc.cwnd < conn->undo.cwnd)
        cc_set_cwnd(conn, conn->undo.cwnd, now);
    sentq_unmark_lost(&conn->sentq);
    loss_reopen(conn);
}

/** undo_on_ack() - does this ACK show that the last reduction was for nothing? Then it is undone */
bool undo_on_ack(struct tcp_conn *conn, const struct ack_news *news)
{
    if (!conn->undo.armed)
        return false;
    if (conn->loss.phase == LOSS_OPEN && seq_gt(conn->snd.una, conn->undo.end)) {
        conn->undo.armed = false;
        return false;
    }
    if (!by_timestamp(conn, news) && !by_dsack(conn, news))
        return false;
    undo_now(conn, news->now);
    return true;
}
