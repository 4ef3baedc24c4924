/* SPDX-License-Identifier: BSD-2-Clause */
#include "supervisor/watch.h"

void watch_started(struct watch_state *w, usec_t now)
{
    w->beat_at = now;
}

bool watch_silent(struct watch_state *w, usec_t beat, usec_t now)
{
    if (beat != w->beat) {
        w->beat = beat;
        w->beat_at = now;
    }
    return usec_since(w->beat_at, now) >= WATCH_SILENCE_USEC;
}

bool watch_died(struct watch_state *w, usec_t now)
{
    const unsigned oldest = (w->next_death + 1) % WATCH_DEATHS;

    w->deaths[w->next_death] = now;
    w->next_death = oldest;
    return w->deaths[oldest] && usec_since(w->deaths[oldest], now) <= WATCH_DEATHS_USEC;
}
