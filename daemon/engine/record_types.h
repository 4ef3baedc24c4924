/* SPDX-License-Identifier: BSD-2-Clause */
/* The types that state/records.def names, for those who make structs of it. */
#ifndef TCPD_ENGINE_RECORD_TYPES_H
#define TCPD_ENGINE_RECORD_TYPES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/ring.h"
#include "base/seq.h"
#include "base/usec.h"
#include "engine/config.h"
#include "engine/cubic.h"
#include "engine/hystart.h"
#include "engine/rtt.h"
#include "engine/sentq.h"
#include "wire/packet.h"
#include "wire/path.h"
#include "wire/tcp_header.h"

/* Holes that the receive ring may have. More are as good as never for a sane
 * sender; what lies beyond them is dropped and sent again. */
#define OOO_MAX 64

struct quota;

enum tcp_timer {
    TIMER_REXMT,     /* RFC 6298 */
    TIMER_PERSIST,   /* zero-window probe, and the override of sender SWS avoidance */
    TIMER_DELACK,    /* delayed ACK */
    TIMER_KEEPALIVE, /* RFC 9293 3.8.4 */
    TIMER_LINGER,    /* 2 MSL, or the life of an orphaned FIN-WAIT-2 */
    TIMER_SHRINK,    /* give empty rings back */
    TIMER_REORDER,   /* RFC 8985 6.2: late, or lost? */
    TIMER_TLP,       /* RFC 8985 7: probe for a lost tail */
    TIMER_PACE,      /* the next segment may go */
    TIMER_REASM,     /* drop what has waited behind a hole for too long */
    TIMER_COUNT,
};

#endif
