/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine/rtt.h"

#include "base/cleanup.h"

/* G of RFC 6298 2.3: our clock is finer than any RTT that matters; 1 ms is the timers' slack. */
#define GRANULARITY USEC_PER_MSEC

static usec_t clamp_rto(const struct rtt *rtt, usec_t rto)
{
    return CLAMP(rto, rtt->rto_min, rtt->rto_max);
}

/* RFC 6298 2.3. */
static void compute_rto(struct rtt *rtt)
{
    rtt->rto = clamp_rto(rtt, rtt->srtt + MAX(GRANULARITY, 4 * rtt->rttvar) + rtt->extra);
}

void rtt_init(struct rtt *rtt, usec_t initial, usec_t rto_min, usec_t rto_max, usec_t extra)
{
    *rtt = (struct rtt){
        .min_rtt = USEC_NEVER, .rto_min = rto_min, .rto_max = rto_max, .extra = extra,
    };
    rtt->rto = clamp_rto(rtt, initial);
}

void rtt_limits(struct rtt *rtt, usec_t rto_min, usec_t rto_max)
{
    rtt->rto_min = rto_min;
    rtt->rto_max = rto_max;
    rtt->rto = clamp_rto(rtt, rtt->rto);
}

void rtt_sample(struct rtt *rtt, usec_t sample)
{
    sample = MAX(sample, (usec_t)1);
    rtt->latest = sample;
    rtt->samples++;
    rtt->min_rtt = MIN(rtt->min_rtt, sample);
    if (!rtt->srtt) {
        rtt->srtt = sample;
        rtt->rttvar = sample / 2;
    } else {
        usec_t diff = rtt->srtt > sample ? rtt->srtt - sample : sample - rtt->srtt;

        rtt->rttvar = (3 * rtt->rttvar + diff) / 4;
        rtt->srtt = MAX((7 * rtt->srtt + sample) / 8, (usec_t)1);
    }
    compute_rto(rtt);
}

void rtt_seed(struct rtt *rtt, usec_t srtt, usec_t rttvar)
{
    rtt->srtt = srtt;
    rtt->rttvar = rttvar;
    compute_rto(rtt);
}

#define MIN_WINDOW (30 * USEC_PER_SEC)

void rtt_min_window(struct rtt *rtt, usec_t sample, usec_t *since, usec_t *next, usec_t now)
{
    if (!*since || usec_since(*since, now) >= MIN_WINDOW) {
        if (*since)
            rtt->min_rtt = usec_since(*since, now) < 2 * MIN_WINDOW ? MIN(*next, sample) : sample;
        *since = now;
        *next = sample;
    }
    *next = MIN(*next, sample);
    rtt->min_rtt = MIN(rtt->min_rtt, sample);
}

void rtt_forget(struct rtt *rtt)
{
    rtt->srtt = 0;
    rtt->rttvar = 0;
}

usec_t rtt_rto(const struct rtt *rtt, unsigned backoff)
{
    usec_t rto = rtt->rto;

    while (backoff-- && rto < rtt->rto_max)
        rto *= 2;
    return MIN(rto, rtt->rto_max);
}
