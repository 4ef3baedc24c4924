/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is in flight: one entry per transmission still unacknowledged, in
 * sequence order, without gaps, from SND.UNA to SND.NXT. The bytes themselves
 * stay in the send ring. An entry is as long as the super-frame that was sent;
 * it is split only when a SACK, an ACK or a retransmission touches part of it.
 *
 * The totals answer RFC 6675's pipe without a walk:
 *     pipe = total - sacked - lost + retrans
 */
#ifndef TCPD_ENGINE_SENTQ_H
#define TCPD_ENGINE_SENTQ_H

#include <stdbool.h>
#include <stdint.h>

#include "base/seq.h"
#include "base/usec.h"

enum sent_flag {
    SENT_SACKED = 1 << 0,  /* the peer has it, out of order */
    SENT_LOST = 1 << 1,    /* believed lost */
    SENT_RETRANS = 1 << 2, /* a retransmission of it is in flight (with LOST) */
    SENT_AGAIN = 1 << 3,   /* was ever sent twice: no RTT sample (Karn) */
};

struct sent {
    struct seq start, end;
    usec_t at;     /* last transmission */
    uint8_t flags; /* enum sent_flag */
};

struct sentq {
    struct sent *v; /* v[first .. first + count) */
    uint32_t first, count, cap;
    uint32_t hint; /* no entry before this one waits to be sent again */
    uint32_t total, sacked, lost, retrans; /* sequence space, bytes */
};

void sentq_free(struct sentq *q);

/** sentq_reserve() - make room for @more entries, so that splits below cannot fail; -ENOMEM */
int sentq_reserve(struct sentq *q, uint32_t more);

/** sentq_at() - entry number @i, 0 is the oldest */
static inline struct sent *sentq_at(const struct sentq *q, uint32_t i)
{
    return &q->v[q->first + i];
}

/** sentq_pipe() - sequence space believed to be in the network (RFC 6675 4, SetPipe) */
static inline uint32_t sentq_pipe(const struct sentq *q)
{
    return q->total - q->sacked - q->lost + q->retrans;
}

/** sentq_lost_waiting() - bytes marked lost and not sent again yet */
static inline uint32_t sentq_lost_waiting(const struct sentq *q)
{
    return q->lost - q->retrans;
}

/** sentq_append() - [start, end) was sent for the first time; room was reserved */
void sentq_append(struct sentq *q, struct seq start, struct seq end, usec_t now);

/** sentq_pop_tail() - forget the newest transmissions from @from on: they never left */
void sentq_pop_tail(struct sentq *q, struct seq from);

/* What an ACK has delivered, cumulatively and by SACK. The first three are given. */
struct sent_acked {
    usec_t believe_by;    /* of a retransmission sent later, this ACK cannot be: it is the original's */
    struct seq fack;      /* highest delivered before this ACK ... */
    bool fack_set;        /* ... if anything was */

    usec_t newest_at;     /* last transmission time of the newest acknowledged entry; 0 = none */
    bool again;           /* ... which was sent twice: its time says nothing */
    uint32_t sacked;      /* bytes of it that were SACKed before */
    uint32_t delivered;   /* bytes that were not SACKed before */
    usec_t rack_at;       /* of the last sent of them that can be believed: when; 0 = none */
    struct seq rack_end;  /* ... and where it ends */
    bool reordered;       /* something sent once was delivered after what was sent later */
    bool once;            /* something sent once was delivered ... */
    struct seq once_at;   /* ... which begins here at the lowest */
};

/** sentq_ack() - everything before @una is acknowledged */
void sentq_ack(struct sentq *q, struct seq una, struct sent_acked *ret);

/**
 * sentq_sack() - mark [start, end) as held by the peer
 * @acked:  newest_at and again are raised to the newest entry newly marked
 *
 * Returns the number of bytes newly marked. Room for two splits was reserved.
 */
uint32_t sentq_sack(struct sentq *q, struct seq start, struct seq end, struct sent_acked *acked);

/** sentq_cut() - make entry @i at most @len bytes long; the rest follows it. Room was reserved. */
void sentq_cut(struct sentq *q, uint32_t i, uint32_t len);

/** sentq_mark_lost() - entry @i is lost (and so is its retransmission, if any) */
void sentq_mark_lost(struct sentq *q, uint32_t i);

/** sentq_mark_all_lost() - everything that is not SACKed; with @forget_sacks everything */
void sentq_mark_all_lost(struct sentq *q, bool forget_sacks);

/** sentq_unmark_lost() - what is marked lost and not sent again is in flight after all */
void sentq_unmark_lost(struct sentq *q);

/** sentq_next_lost() - index of the oldest entry lost and not sent again, or -1 */
int sentq_next_lost(struct sentq *q);

/**
 * sentq_retransmitted() - entry @i, cut to at most @len bytes, is sent again
 *
 * Returns the entry's new end. Room for one split was reserved.
 */
struct seq sentq_retransmitted(struct sentq *q, uint32_t i, uint32_t len, usec_t now);

/** sentq_retransmit_failed() - the retransmission of [start, start + len) never left */
void sentq_retransmit_failed(struct sentq *q, struct seq start, uint32_t len);

/** sentq_is_fresh() - was everything from @from on sent once only, and is not SACKed? */
bool sentq_is_fresh(const struct sentq *q, struct seq from);

/** sentq_highest_sacked() - end of the highest SACKed entry; false if there is none */
bool sentq_highest_sacked(const struct sentq *q, struct seq *ret);

#endif
