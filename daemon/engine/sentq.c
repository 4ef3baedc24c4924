/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A gap-free array with a moving start. Lookups are a binary search; the usual
 * operations (append, acknowledge the oldest) touch one end only. Neighbouring
 * SACKed entries are merged, so the length is bounded by the holes, not by the
 * number of segments that have arrived beyond them.
 */
#include "engine/sentq.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

static uint32_t len_of(const struct sent *s)
{
    return seq_len(s->start, s->end);
}

/* Keep the totals true while an entry's flags change. */
static void set_flags(struct sentq *q, struct sent *s, uint8_t flags)
{
    uint32_t len = len_of(s);

    q->sacked += (flags & SENT_SACKED ? len : 0) - (s->flags & SENT_SACKED ? len : 0);
    q->lost += (flags & SENT_LOST ? len : 0) - (s->flags & SENT_LOST ? len : 0);
    q->retrans += (flags & SENT_RETRANS ? len : 0) - (s->flags & SENT_RETRANS ? len : 0);
    s->flags = flags;
}

void sentq_free(struct sentq *q)
{
    free(q->v);
    *q = (struct sentq){ 0 };
}

int sentq_reserve(struct sentq *q, uint32_t more)
{
    uint32_t cap = q->cap ? q->cap : 8;
    struct sent *v;

    if (q->first + q->count + more <= q->cap)
        return 0;
    if (q->first >= q->count + more) {
        memmove(q->v, q->v + q->first, q->count * sizeof(*q->v));
        q->first = 0;
        return 0;
    }
    while (cap < (q->count + more) * 3 / 2) /* else a nearly full one would be copied each time */
        cap *= 2;
    v = malloc(cap * sizeof(*v));
    if (!v)
        return -ENOMEM;
    if (q->count)
        memcpy(v, q->v + q->first, q->count * sizeof(*v));
    free(q->v);
    q->v = v;
    q->first = 0;
    q->cap = cap;
    return 0;
}

void sentq_append(struct sentq *q, struct seq start, struct seq end, usec_t now)
{
    q->count++;
    *sentq_at(q, q->count - 1) = (struct sent){ start, end, now, 0 };
    q->total += seq_len(start, end);
}

/* The first entry that ends after @s, by binary search; count if there is none. */
static uint32_t find(const struct sentq *q, struct seq s)
{
    uint32_t lo = 0, hi = q->count;

    while (lo < hi) {
        uint32_t mid = (lo + hi) / 2;

        if (seq_gt(sentq_at(q, mid)->end, s))
            hi = mid;
        else
            lo = mid + 1;
    }
    return lo;
}

/* Cut entry @i at @at, which lies inside it: the second half becomes entry i + 1. */
static void split(struct sentq *q, uint32_t i, struct seq at)
{
    struct sent *s = sentq_at(q, i);

    memmove(s + 1, s, (q->count - i) * sizeof(*s));
    q->count++;
    s[0].end = at;
    s[1].start = at;
}

static void drop_front(struct sentq *q, uint32_t n)
{
    q->first += n;
    q->count -= n;
    q->hint -= MIN(q->hint, n);
    if (!q->count)
        q->first = 0;
}

void sentq_pop_tail(struct sentq *q, struct seq from)
{
    while (q->count) {
        struct sent *s = sentq_at(q, q->count - 1);
        uint8_t flags = s->flags;

        if (seq_leq(s->end, from))
            return;
        set_flags(q, s, 0);
        if (seq_lt(s->start, from)) {
            q->total -= seq_len(from, s->end);
            s->end = from;
            set_flags(q, s, flags);
            return;
        }
        q->total -= len_of(s);
        q->count--;
    }
}

/* RFC 8985 6.2 step 2: which of two transmissions came later; ties go by sequence. */
static bool sent_after(usec_t at, struct seq end, usec_t other_at, struct seq other_end)
{
    return at > other_at || (at == other_at && seq_gt(end, other_end));
}

/* @s, up to @end, is with the peer. */
static void note_delivered(struct sent_acked *ret, const struct sent *s, struct seq end)
{
    if (s->at >= ret->newest_at) {
        ret->newest_at = s->at;
        ret->again = s->flags & SENT_AGAIN;
    }
    ret->delivered += seq_len(s->start, end);
    if (!(s->flags & SENT_AGAIN)) {
        ret->reordered |= ret->fack_set && seq_lt(end, ret->fack);
        ret->once_at = ret->once ? seq_min(ret->once_at, s->start) : s->start;
        ret->once = true;
    } else if (s->at > ret->believe_by) {
        return;
    }
    if (!ret->rack_at || sent_after(s->at, end, ret->rack_at, ret->rack_end)) {
        ret->rack_at = s->at;
        ret->rack_end = end;
    }
}

void sentq_ack(struct sentq *q, struct seq una, struct sent_acked *ret)
{
    uint32_t n = 0;

    for (; n < q->count && seq_lt(sentq_at(q, n)->start, una); n++) {
        struct sent *s = sentq_at(q, n);
        uint8_t flags = s->flags;

        if (flags & SENT_SACKED)
            ret->sacked += seq_len(s->start, seq_min(una, s->end));
        else
            note_delivered(ret, s, seq_min(una, s->end));
        set_flags(q, s, 0);
        if (seq_gt(s->end, una)) {
            q->total -= seq_len(s->start, una);
            s->start = una;
            set_flags(q, s, flags);
            break;
        }
        q->total -= len_of(s);
    }
    drop_front(q, n);
}

/* Entry @i and its successor are both SACKed: make one of them. */
static void merge_with_next(struct sentq *q, uint32_t i)
{
    struct sent *s = sentq_at(q, i);

    if (i + 1 >= q->count || !(s[0].flags & s[1].flags & SENT_SACKED))
        return;
    s[0].end = s[1].end;
    s[0].flags |= s[1].flags & SENT_AGAIN;
    memmove(s + 1, s + 2, (q->count - i - 2) * sizeof(*s));
    q->count--;
    q->hint = MIN(q->hint, i);
}

uint32_t sentq_sack(struct sentq *q, struct seq start, struct seq end, struct sent_acked *acked)
{
    uint32_t i = find(q, start), first = i, newly = 0;

    for (; i < q->count && seq_lt(sentq_at(q, i)->start, end); i++) {
        struct sent *s = sentq_at(q, i);

        if (s->flags & SENT_SACKED)
            continue;
        if (seq_lt(s->start, start)) {
            split(q, i, start);
            continue;
        }
        if (seq_gt(s->end, end))
            split(q, i, end);
        note_delivered(acked, s, s->end);
        newly += len_of(s);
        set_flags(q, s, (uint8_t)(SENT_SACKED | (s->flags & SENT_AGAIN)));
    }
    if (!newly)
        return 0;
    while (i-- > first)
        merge_with_next(q, i);
    if (first)
        merge_with_next(q, first - 1);
    return newly;
}

void sentq_cut(struct sentq *q, uint32_t i, uint32_t len)
{
    if (len_of(sentq_at(q, i)) > len)
        split(q, i, seq_add(sentq_at(q, i)->start, len));
}

void sentq_mark_lost(struct sentq *q, uint32_t i)
{
    struct sent *s = sentq_at(q, i);

    set_flags(q, s, (uint8_t)((s->flags & ~SENT_RETRANS) | SENT_LOST));
    q->hint = MIN(q->hint, i);
}

void sentq_mark_all_lost(struct sentq *q, bool forget_sacks)
{
    for (uint32_t i = 0; i < q->count; i++) {
        struct sent *s = sentq_at(q, i);

        if (forget_sacks)
            set_flags(q, s, s->flags & SENT_AGAIN);
        if (!(s->flags & SENT_SACKED))
            sentq_mark_lost(q, i);
    }
}

void sentq_unmark_lost(struct sentq *q)
{
    for (uint32_t i = 0; i < q->count; i++) {
        struct sent *s = sentq_at(q, i);

        if ((s->flags & (SENT_LOST | SENT_RETRANS)) == SENT_LOST)
            set_flags(q, s, (uint8_t)(s->flags & ~SENT_LOST));
    }
}

int sentq_next_lost(struct sentq *q)
{
    if (!sentq_lost_waiting(q))
        return -1;
    for (; q->hint < q->count; q->hint++) {
        if ((sentq_at(q, q->hint)->flags & (SENT_LOST | SENT_RETRANS)) == SENT_LOST)
            return (int)q->hint;
    }
    return -1;
}

struct seq sentq_retransmitted(struct sentq *q, uint32_t i, uint32_t len, usec_t now)
{
    struct sent *s = sentq_at(q, i);

    sentq_cut(q, i, len);
    set_flags(q, s, (uint8_t)(s->flags | SENT_LOST | SENT_RETRANS | SENT_AGAIN));
    s->at = now;
    return s->end;
}

void sentq_retransmit_failed(struct sentq *q, struct seq start, uint32_t len)
{
    struct seq end = seq_add(start, len);

    for (uint32_t i = find(q, start); i < q->count && seq_lt(sentq_at(q, i)->start, end); i++) {
        struct sent *s = sentq_at(q, i);

        if (!(s->flags & SENT_SACKED))
            set_flags(q, s, (uint8_t)(s->flags & ~SENT_RETRANS));
        q->hint = MIN(q->hint, i);
    }
}

bool sentq_is_fresh(const struct sentq *q, struct seq from)
{
    uint32_t i = find(q, from);

    if (i == q->count)
        return false;
    for (; i < q->count; i++) {
        if (sentq_at(q, i)->flags & (SENT_AGAIN | SENT_SACKED))
            return false;
    }
    return true;
}

bool sentq_highest_sacked(const struct sentq *q, struct seq *ret)
{
    if (!q->sacked)
        return false;
    for (uint32_t i = q->count; i-- > 0;) {
        if (sentq_at(q, i)->flags & SENT_SACKED) {
            *ret = sentq_at(q, i)->end;
            return true;
        }
    }
    return false;
}
