/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * RACK, RFC 8985 6: a segment is lost when one sent sufficiently later has been
 * delivered. Only our own clock counts, so ACKs that come in batches and a peer
 * whose timestamps tick in milliseconds change nothing; and a retransmission is
 * found lost like anything else.
 *
 * How much later is the reordering window: none while the path was never seen to
 * reorder and DupThresh segments say so, else a fraction of the smallest round
 * trip that grows with each D-SACK, for each shows that we were too hasty.
 */
#include "engine/cc.h"

#define PERSIST_RECOVERIES 16

bool rack_in_use(const struct tcp_conn *conn)
{
    return conn->use_sack && conn->engine->tun->rack;
}

/**
 * rack_prepare() - what sentq has to know to judge what an ACK at @now delivers
 *
 * 6.2 step 2: an ACK that comes less than a round trip after a retransmission is
 * that of the original. The smallest round trip ever is too little to ask for when
 * a queue has built up: one needless retransmission would make all others seem lost.
 */
void rack_prepare(const struct tcp_conn *conn, struct sent_acked *acked, usec_t now)
{
    usec_t least = MAX(conn->rtt.min_rtt, conn->rtt.srtt * 3 / 4);

    acked->believe_by = least < now ? now - least : 0;
    acked->fack = conn->rack.fack;
    acked->fack_set = conn->rack.fack_set;
}

/* 6.2 step 4: one more quarter for each round trip with a D-SACK. */
static void adapt_window(struct tcp_conn *conn)
{
    if (conn->rack.dsack_round_set && seq_lt(conn->snd.una, conn->rack.dsack_round))
        return;
    conn->rack.dsack_round = conn->snd.nxt;
    conn->rack.dsack_round_set = true;
    if (conn->rack.wnd_mult < UINT8_MAX)
        conn->rack.wnd_mult++;
    conn->rack.wnd_persist = PERSIST_RECOVERIES;
}

/** rack_on_ack() - steps 1 to 4: what this ACK delivered, and whether it came in order */
void rack_on_ack(struct tcp_conn *conn, const struct ack_news *news)
{
    const struct sent_acked *acked = &news->sent;
    struct seq high = conn->snd.una, sacked;

    if (sentq_highest_sacked(&conn->sentq, &sacked))
        high = seq_max(high, sacked);
    if (!conn->rack.fack_set || seq_gt(high, conn->rack.fack))
        conn->rack.fack = high;
    conn->rack.fack_set = true;
    conn->rack.reordered |= acked->reordered;
    if (news->dsack)
        adapt_window(conn);
    if (!acked->rack_at)
        return;
    conn->rack.rtt = usec_since(acked->rack_at, news->now);
    if (acked->rack_at > conn->rack.xmit_at ||
        (acked->rack_at == conn->rack.xmit_at && seq_gt(acked->rack_end, conn->rack.end))) {
        conn->rack.xmit_at = acked->rack_at;
        conn->rack.end = acked->rack_end;
    }
}

/* DupThresh segments are with the peer beyond the first hole. */
static bool enough_sacked(const struct tcp_conn *conn)
{
    uint32_t thresh = conn->engine->tun->dupack_fast_retransmit;

    return conn->loss.dupacks >= thresh ||
           conn->sentq.sacked > (uint64_t)(thresh - 1) * conn->snd.mss;
}

static usec_t reorder_window(const struct tcp_conn *conn)
{
    usec_t min = conn->rtt.min_rtt;

    if (!conn->rack.reordered && (conn->loss.phase != LOSS_OPEN || enough_sacked(conn)))
        return 0;
    if (min == USEC_NEVER)
        return 0;
    return usec_min((1u + conn->rack.wnd_mult) * min / 4, MAX(conn->rtt.srtt, (usec_t)1));
}

/**
 * rack_find_lost() - step 5: mark what was sent too long before what was delivered
 *
 * Returns true if something was marked; what may still come in time is left to
 * the reordering timer. An entry sent once and later than the last delivered one
 * ends the walk: all behind it were sent later still.
 */
bool rack_find_lost(struct tcp_conn *conn, usec_t now)
{
    struct sentq *q = &conn->sentq;
    usec_t allowed = conn->rack.rtt + reorder_window(conn), wait = 0;
    bool found = false;

    timer_stop(conn, TIMER_REORDER);
    for (uint32_t i = 0; i < q->count && conn->rack.xmit_at; i++) {
        const struct sent *s = sentq_at(q, i);

        if (s->flags & SENT_SACKED || (s->flags & (SENT_LOST | SENT_RETRANS)) == SENT_LOST)
            continue;
        if (s->at > conn->rack.xmit_at ||
            (s->at == conn->rack.xmit_at && seq_geq(s->end, conn->rack.end))) {
            if (s->flags & SENT_AGAIN)
                continue;
            break;
        }
        if (usec_since(s->at, now) >= allowed) {
            sentq_mark_lost(q, i);
            found = true;
        } else {
            wait = MAX(wait, allowed - usec_since(s->at, now));
        }
    }
    if (wait)
        timer_set(conn, TIMER_REORDER, now + wait);
    return found;
}

/** rack_recovered() - a recovery is over: the wider window is kept for sixteen of them */
void rack_recovered(struct tcp_conn *conn)
{
    if (conn->rack.wnd_persist && !--conn->rack.wnd_persist)
        conn->rack.wnd_mult = 0;
}

/** rack_forget_sacks() - the SACK marks are not believed any more (RFC 2018 8) */
void rack_forget_sacks(struct tcp_conn *conn)
{
    conn->rack.fack = conn->snd.una;
}
