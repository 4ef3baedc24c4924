/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tail loss probes, RFC 8985 7: when the last segments of a flight are lost there
 * is nothing behind them that the peer could SACK. One segment, sent after two
 * round trips of silence, makes it speak, and RACK does the rest.
 */
#include "engine/cc.h"

#define MAX_ACK_DELAY (200 * USEC_PER_MSEC) /* 7.2: of a peer with one segment to acknowledge */
#define MIN_PTO       (10 * USEC_PER_MSEC)  /* peers on the link may wait for several segments */

static bool may_probe(const struct tcp_conn *conn)
{
    return rack_in_use(conn) && conn->engine->tun->tlp && conn_synchronized(conn) &&
           conn->sentq.count && !conn->sentq.sacked && conn->loss.phase == LOSS_OPEN &&
           !conn->tlp.out && !conn->backoff && conn->rtt.srtt && conn->snd.wnd;
}

/** tlp_arm() - 7.2: new data were sent or acknowledged; starts the timer, or stops it */
void tlp_arm(struct tcp_conn *conn, usec_t now)
{
    usec_t pto = MAX(2 * conn->rtt.srtt, MIN_PTO);

    if (!may_probe(conn)) {
        timer_stop(conn, TIMER_TLP);
        return;
    }
    if (conn->sentq.total <= conn->snd.mss)
        pto += MAX_ACK_DELAY;
    timer_set(conn, TIMER_TLP, usec_min(now + pto, conn->timer[TIMER_REXMT]));
}

/* The last segment that was sent goes out again. */
static bool probe_with_old(struct tcp_conn *conn)
{
    struct sentq *q = &conn->sentq;
    struct sent *last = sentq_at(q, q->count - 1);
    uint32_t len = seq_len(last->start, last->end);

    if (last->flags & (SENT_SACKED | SENT_LOST) || sentq_reserve(q, 1))
        return false;
    if (len > conn->snd.mss)
        sentq_cut(q, q->count - 1, len - conn->snd.mss);
    sentq_mark_lost(q, q->count - 1);
    conn->loss.force_one = true;
    return true;
}

/** tlp_fired() - 7.3: a new segment if there is one, else the last one again */
void tlp_fired(struct tcp_conn *conn, usec_t now)
{
    if (!may_probe(conn))
        return;
    conn->tlp.is_retrans = !output_has_new(conn);
    if (!conn->tlp.is_retrans)
        conn->loss.extra = 1;
    else if (!probe_with_old(conn))
        return;
    conn->tlp.out = true;
    conn->tlp.end = conn->snd.nxt;
    conn->engine->counters.tlp_probes++;
    rto_restart(conn, now);
    conn_wants_output(conn);
}

/**
 * tlp_on_ack() - 7.4: does this ACK say that the probe repaired a loss?
 *
 * Then nobody else will notice it, and the congestion response is due here.
 */
void tlp_on_ack(struct tcp_conn *conn, const struct ack_news *news)
{
    struct seq ack = news->seg->ack;

    if (!conn->tlp.out || seq_lt(ack, conn->tlp.end))
        return;
    if (!conn->tlp.is_retrans || news->dsack) {
        conn->tlp.out = false; /* nothing was lost */
    } else if (seq_gt(ack, conn->tlp.end)) {
        conn->tlp.out = false;
        if (conn->loss.phase == LOSS_OPEN) {
            conn->undo.armed = false;
            conn->engine->counters.tlp_repairs++;
            conn->cc.ops->on_loss(conn, MAX(conn->sentq.total, conn->snd.mss), news->now);
        }
    } else if (!news->acked && !news->sacked && !news->seg->opt.sacks && news->bare) {
        conn->tlp.out = false; /* both arrived, and the peer knows no D-SACK */
    }
}
