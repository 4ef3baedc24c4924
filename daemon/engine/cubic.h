/* SPDX-License-Identifier: BSD-2-Clause */
/* What CUBIC remembers of a connection, RFC 9438 4.1.2. Windows are bytes, times usec. */
#ifndef TCPD_ENGINE_CUBIC_H
#define TCPD_ENGINE_CUBIC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/usec.h"

struct cubic {
    usec_t epoch_at;     /* t_epoch, moved on by the time that cwnd was not the limit; 0 = no epoch */
    usec_t last_at;      /* the last ACK of the epoch */
    uint32_t w_max;      /* cwnd before the last reduction; 0 = undefined */
    uint32_t cwnd_prior; /* cwnd when ssthresh was last set */
    uint32_t k_msec;     /* K */
    uint64_t w_est;      /* the window that Reno would have */
    uint64_t grow_part;  /* remainders of the two divisions, so that nothing is lost by rounding */
    uint64_t est_part;
    bool timed_out;      /* the next epoch begins with K = 0 (4.8) */
};

/** cubic_root() - the largest number whose cube is at most @n */
uint32_t cubic_root(uint64_t n);

#endif
