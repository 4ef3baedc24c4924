/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two judgements about workers, without a clock or a process of their own: is
 * one silent for too long, do they die too often?
 */
#ifndef TCPD_SUPERVISOR_WATCH_H
#define TCPD_SUPERVISOR_WATCH_H

#include <stdbool.h>

#include "base/usec.h"

#define WATCH_SILENCE_USEC (30 * USEC_PER_SEC)
#define WATCH_DEATHS       5
#define WATCH_DEATHS_USEC  (10 * USEC_PER_SEC)

struct watch_state {
    usec_t beat;    /* the heartbeat seen last; only that it changes means anything */
    usec_t beat_at; /* our time when it changed */
    usec_t deaths[WATCH_DEATHS];
    unsigned next_death;
};

/** watch_started() - a worker was started */
void watch_started(struct watch_state *w, usec_t now);

/**
 * watch_silent() - has the heartbeat stood still for WATCH_SILENCE_USEC?
 * @now:  of a clock that stands still while the host is suspended, as the worker does
 */
bool watch_silent(struct watch_state *w, usec_t beat, usec_t now);

/** watch_died() - a worker died; true if that was the WATCH_DEATHSth within WATCH_DEATHS_USEC */
bool watch_died(struct watch_state *w, usec_t now);

#endif
