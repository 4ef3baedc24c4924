/* SPDX-License-Identifier: BSD-2-Clause */
/* What SACK options tell of the data in flight: RFC 2018 5, RFC 6675 4 (Update, IsLost). */
#include "engine/impl.h"

/* RFC 2018 and RFC 5961 in spirit: only what lies in what is outstanding is believed. */
static bool block_is_sane(const struct tcp_conn *conn, const struct seq_range *r)
{
    return seq_lt(r->start, r->end) && seq_geq(r->start, conn->snd.una) &&
           seq_leq(r->end, conn->snd.nxt);
}

/** scoreboard_is_dsack() - RFC 2883 4: the first block is acknowledged, or within the second */
bool scoreboard_is_dsack(const struct tcp_conn *conn, const struct segment *seg)
{
    const struct seq_range *r = seg->opt.sack;

    if (!conn->use_sack || !seg->opt.sacks || !seq_lt(r[0].start, r[0].end) ||
        seq_gt(r[0].end, conn->snd.max) || seq_lt(r[0].start, seq_dec(seg->ack, 1u << 30)))
        return false;
    if (seq_leq(r[0].end, seg->ack))
        return true;
    return seg->opt.sacks > 1 && seq_geq(r[0].start, r[1].start) && seq_leq(r[0].end, r[1].end);
}

#define SPLITS_MAX 1024

/** scoreboard_take() - mark what the SACK blocks of @seg hold; returns bytes newly marked */
uint32_t scoreboard_take(struct tcp_conn *conn, const struct segment *seg, struct sent_acked *acked)
{
    uint32_t newly = 0;

    if (!conn->use_sack || !seg->opt.sacks || !conn->sentq.count)
        return 0;
    /* Honest blocks end where segments do; a peer that splits bytes gets no more of them. */
    if (conn->sentq.count > SPLITS_MAX + 2 * (conn->sentq.total / conn->snd.mss))
        return 0;
    if (sentq_reserve(&conn->sentq, 2 * TCP_MAX_SACKS))
        return 0; /* no memory: the sender is only less clever for it */
    for (unsigned i = 0; i < seg->opt.sacks; i++) {
        const struct seq_range *r = &seg->opt.sack[i];

        if (block_is_sane(conn, r))
            newly += sentq_sack(&conn->sentq, r->start, r->end, acked);
    }
    return newly;
}

/**
 * scoreboard_find_lost() - RFC 6675 4, IsLost() for everything in flight
 *
 * From the newest entry down: lost is what has DupThresh SACKed stretches, or
 * more than (DupThresh - 1) segments' worth of SACKed bytes, above it.
 */
void scoreboard_find_lost(struct tcp_conn *conn)
{
    uint32_t thresh = conn->engine->tun->dupack_fast_retransmit;
    uint64_t bytes = 0, enough = (uint64_t)(thresh - 1) * conn->snd.mss;
    uint32_t stretches = 0;

    for (uint32_t i = conn->sentq.count; i-- > 0;) {
        uint8_t flags = sentq_at(&conn->sentq, i)->flags;

        if (flags & SENT_SACKED) {
            const struct sent *s = sentq_at(&conn->sentq, i);

            bytes += seq_len(s->start, s->end);
            stretches++;
        } else if (!(flags & SENT_LOST) && (stretches >= thresh || bytes > enough)) {
            sentq_mark_lost(&conn->sentq, i);
        }
    }
}
