/* SPDX-License-Identifier: BSD-2-Clause */
/* Repeatable random numbers for tests (splitmix64): one seed, one sequence, on every machine. */
#ifndef TCPD_TESTS_RNG_H
#define TCPD_TESTS_RNG_H

#include <stdbool.h>
#include <stdint.h>

struct rng {
    uint64_t s;
};

static inline uint64_t rng_next(struct rng *r)
{
    uint64_t z = r->s += 0x9e3779b97f4a7c15ULL;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

/** rng_upto() - one of 0 ... @n, both included */
static inline uint64_t rng_upto(struct rng *r, uint64_t n)
{
    return rng_next(r) % (n + 1);
}

static inline uint64_t rng_between(struct rng *r, uint64_t lo, uint64_t hi)
{
    return lo + rng_upto(r, hi - lo);
}

/** rng_chance() - true in @ppm of a million cases */
static inline bool rng_chance(struct rng *r, uint32_t ppm)
{
    return rng_next(r) % 1000000 < ppm;
}

#endif
