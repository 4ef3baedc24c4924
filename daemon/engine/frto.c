/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * F-RTO, RFC 5682 3: was the timeout spurious? After the first retransmission the
 * first ACK is answered by new segments, not by more old ones. If the next one
 * tells of something that was sent once only, before the timeout, then that was
 * under way all the time. Needs SACK, which tells this apart from the rest.
 */
#include "engine/cc.h"

/** frto_begin() - a timeout, whose losses are marked; @first of a series */
void frto_begin(struct tcp_conn *conn, bool first)
{
    conn->loss.frto = first && conn->use_sack && conn->undo.armed ? FRTO_ASKED : FRTO_OFF;
}

/* Step 2 b: the rest waits, two new segments go. */
static bool answer_with_new(struct tcp_conn *conn)
{
    if (!output_has_new(conn))
        return false;
    sentq_unmark_lost(&conn->sentq);
    conn->loss.extra = 2;
    return true;
}

/* Step 3: data from before the timeout, never sent again. */
static bool original_arrived(const struct tcp_conn *conn, const struct ack_news *news)
{
    return news->sent.once && seq_lt(news->sent.once_at, conn->loss.recover);
}

/**
 * frto_on_ack() - an ACK after the timeout
 *
 * Returns true if the timeout was found spurious, and undone.
 */
bool frto_on_ack(struct tcp_conn *conn, const struct ack_news *news)
{
    uint8_t step = conn->loss.frto;

    if (step == FRTO_OFF || (!news->acked && !news->sacked && !news->duplicate))
        return false;
    conn->loss.frto = FRTO_OFF;
    if (step == FRTO_ASKED) {
        if (news->acked && !news->sacked && seq_lt(conn->snd.una, conn->loss.recover) &&
            answer_with_new(conn))
            conn->loss.frto = FRTO_ANSWERED;
        return false;
    }
    if (original_arrived(conn, news)) {
        conn->undo.timeout = true;
        undo_now(conn, news->now);
        return true;
    }
    conn->loss.extra = 0;
    sentq_mark_all_lost(&conn->sentq, false);
    return false;
}
