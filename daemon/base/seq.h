/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sequence numbers as a type of their own, so that `a < b` does not compile and
 * only comparisons modulo 2^32 are left (RFC 9293 3.4). The order of two numbers
 * is meaningful while they are less than 2^31 apart.
 */
#ifndef TCPD_BASE_SEQ_H
#define TCPD_BASE_SEQ_H

#include <stdbool.h>
#include <stdint.h>

struct seq {
    uint32_t v;
};

static inline struct seq seq_of(uint32_t v)
{
    return (struct seq){ v };
}

static inline struct seq seq_add(struct seq s, uint32_t n)
{
    return (struct seq){ s.v + n };
}

static inline struct seq seq_dec(struct seq s, uint32_t n)
{
    return (struct seq){ s.v - n };
}

/** seq_diff() - signed distance from @b to @a: how far @a is ahead of @b */
static inline int32_t seq_diff(struct seq a, struct seq b)
{
    return (int32_t)(a.v - b.v);
}

/** seq_len() - bytes from @from to @to, which the caller knows to be at or after @from */
static inline uint32_t seq_len(struct seq from, struct seq to)
{
    return to.v - from.v;
}

static inline bool seq_eq(struct seq a, struct seq b)
{
    return a.v == b.v;
}

static inline bool seq_lt(struct seq a, struct seq b)
{
    return seq_diff(a, b) < 0;
}

static inline bool seq_leq(struct seq a, struct seq b)
{
    return seq_diff(a, b) <= 0;
}

static inline bool seq_gt(struct seq a, struct seq b)
{
    return seq_diff(a, b) > 0;
}

static inline bool seq_geq(struct seq a, struct seq b)
{
    return seq_diff(a, b) >= 0;
}

/** seq_in() - is @s in [@from, @to)? */
static inline bool seq_in(struct seq s, struct seq from, struct seq to)
{
    return s.v - from.v < to.v - from.v;
}

static inline struct seq seq_min(struct seq a, struct seq b)
{
    return seq_lt(a, b) ? a : b;
}

static inline struct seq seq_max(struct seq a, struct seq b)
{
    return seq_gt(a, b) ? a : b;
}

#endif
