/* SPDX-License-Identifier: BSD-2-Clause */
/* Time inside tcpd: microseconds of CLOCK_BOOTTIME, passed in, never read here. */
#ifndef TCPD_BASE_USEC_H
#define TCPD_BASE_USEC_H

#include <stdint.h>

typedef uint64_t usec_t;

#define USEC_PER_MSEC 1000ULL
#define USEC_PER_SEC  1000000ULL
#define USEC_NEVER    UINT64_MAX

static inline usec_t usec_from_msec(uint64_t msec)
{
    return msec * USEC_PER_MSEC;
}

static inline uint64_t usec_to_msec(usec_t t)
{
    return t / USEC_PER_MSEC;
}

static inline usec_t usec_min(usec_t a, usec_t b)
{
    return a < b ? a : b;
}

static inline usec_t usec_max(usec_t a, usec_t b)
{
    return a > b ? a : b;
}

/** usec_since() - time from @then to @now, 0 if the clock has not got there yet */
static inline usec_t usec_since(usec_t then, usec_t now)
{
    return now > then ? now - then : 0;
}

#endif
