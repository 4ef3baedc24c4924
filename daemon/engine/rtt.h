/* SPDX-License-Identifier: BSD-2-Clause */
/* Round-trip time and the retransmission timeout that follows from it: RFC 6298. */
#ifndef TCPD_ENGINE_RTT_H
#define TCPD_ENGINE_RTT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/usec.h"

struct rtt {
    usec_t srtt;    /* smoothed; 0 before the first sample */
    usec_t rttvar;
    usec_t rto;     /* before back-off, within [min, max] */
    usec_t latest;  /* the last sample */
    usec_t min_rtt; /* smallest sample, USEC_NEVER before the first */
    usec_t rto_min, rto_max, extra;
    uint32_t samples;
};

/**
 * rtt_init() - no sample yet: RTO is @initial (RFC 6298 2.1)
 * @extra:  added to every computed RTO (_rexmit_interval_extra)
 */
void rtt_init(struct rtt *rtt, usec_t initial, usec_t rto_min, usec_t rto_max, usec_t extra);

/** rtt_limits() - new clamps, applied to the present RTO at once */
void rtt_limits(struct rtt *rtt, usec_t rto_min, usec_t rto_max);

/**
 * rtt_sample() - take one round-trip measurement
 * @sample:  measured round trip, usec, > 0
 *
 * Updates SRTT, RTTVAR and the RTO. The first sample sets them, later ones are
 * smoothed. Leaving out retransmitted segments (Karn) is the caller's.
 * RFC 6298 2.2, 2.3 and 2.4.
 */
void rtt_sample(struct rtt *rtt, usec_t sample);

/**
 * rtt_min_window() - keep min_rtt the minimum of the last half a minute to a minute
 * @since, @next:  start of the present half minute, 0 at first, and the smallest in it
 */
void rtt_min_window(struct rtt *rtt, usec_t sample, usec_t *since, usec_t *next, usec_t now);
/** rtt_seed() - what an earlier connection to the same peer measured, instead of a first sample */
void rtt_seed(struct rtt *rtt, usec_t srtt, usec_t rttvar);

/** rtt_forget() - drop SRTT and RTTVAR, keep the RTO: the path may have changed (6298 5.7 note) */
void rtt_forget(struct rtt *rtt);

/** rtt_rto() - the RTO after @backoff doublings, at most rto_max (RFC 6298 5.5) */
usec_t rtt_rto(const struct rtt *rtt, unsigned backoff);

#endif
