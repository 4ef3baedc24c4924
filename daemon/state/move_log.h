/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The move log: calls that moved bytes or fds and are not in a commit yet. See
 * state.h. A call that was interrupted before it did anything, or that failed,
 * leaves ~0 in its entry; one that moved leaves the length, whatever became of
 * the caller.
 */
#ifndef TCPD_STATE_MOVE_LOG_H
#define TCPD_STATE_MOVE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "state/state.h"

#define MOVE_LOG_ENTRIES 2048u
#define MOVE_PENDING     (~0u) /* msg_len of a call that is not over */

struct move_log {
    struct state_section *section; /* high_water: entries in use */
    struct state_move *entries;
    uint32_t capacity;
};

void move_log_init(struct move_log *log, void *base, struct state_section *section);

/** move_log_each() - the moves that the commit @generation does not contain, in order */
void move_log_each(const struct move_log *log, uint64_t generation,
                   void (*f)(void *ctx, const struct state_move *m), void *ctx);

/** move_log_committed() - all of them are in a commit now */
void move_log_committed(struct move_log *log);

#endif
