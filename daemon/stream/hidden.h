/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hidden bytes: moved into a program's descriptor, not yet read by the program.
 *
 * The kernel tells how much memory of a socket's sends is still queued (SIOCOUTQ),
 * in truesize, not in bytes. Every send of ours is one skb, so a FIFO of
 * (bytes, truesize) turns the one into the other: what has left the front has been
 * read. What a send of n bytes costs is measured once at start.
 */
#ifndef TCPD_STREAM_HIDDEN_H
#define TCPD_STREAM_HIDDEN_H

#include <stdint.h>

#define HIDDEN_CHUNK_MAX 32768u /* longest send: one skb on every kernel */
#define HIDDEN_STEP 64u         /* skb sizes change at multiples of a cache line only */

struct hidden_chunk {
    uint32_t bytes, truesize;
};

struct hidden {
    struct hidden_chunk *chunks; /* circular; NULL while nothing is hidden */
    uint32_t size;               /* power of two, or 0 */
    uint32_t first, count;
    uint32_t bytes, truesize; /* sums over the FIFO */
};

struct hidden_costs {
    uint32_t truesize[HIDDEN_CHUNK_MAX / HIDDEN_STEP];
};

/** hidden_costs_measure() - send on a pair of our own and ask; -errno */
int hidden_costs_measure(struct hidden_costs *c);

/** hidden_cost() - the truesize of a send of @len bytes, 1 to HIDDEN_CHUNK_MAX */
static inline uint32_t hidden_cost(const struct hidden_costs *c, uint32_t len)
{
    return c->truesize[(len - 1) / HIDDEN_STEP];
}

/** hidden_reserve() - room for one more, so that the next push cannot fail. -ENOMEM */
int hidden_reserve(struct hidden *h);
void hidden_push(struct hidden *h, uint32_t bytes, uint32_t truesize);

/** hidden_settle() - @outq truesize is still queued: returns the bytes that were read */
uint32_t hidden_settle(struct hidden *h, uint32_t outq);

void hidden_deinit(struct hidden *h);

#endif
