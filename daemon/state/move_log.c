/* SPDX-License-Identifier: BSD-2-Clause */
#include "state/move_log.h"

#include <assert.h>
#include <string.h>

#include "state/layout.h"
#include "state/state_internal.h"

void move_log_init(struct move_log *log, void *base, struct state_section *section)
{
    *log = (struct move_log){
        .section = section,
        .entries = (struct state_move *)((uint8_t *)base + section->offset),
        .capacity = (uint32_t)section->entries,
    };
}

/* The place for the next entry: behind the last one, or the last one if its call moved nothing. */
static uint64_t next_place(const struct move_log *log)
{
    const uint64_t count = log->section->high_water;

    return count && log->entries[count - 1].msg.msg_len == MOVE_PENDING ? count - 1 : count;
}

struct state_move *state_move_begin(struct state *s, enum state_move_kind kind, uint64_t sock_id,
                                    uint64_t pos)
{
    struct move_log *log = &s->moves;
    const uint64_t at = next_place(log);
    struct state_move *m = &log->entries[at];

    assert(at < log->capacity);
    m->msg.msg_len = MOVE_PENDING;
    m->msg.msg_hdr = (struct msghdr){ .msg_iov = m->iov };
    m->sock_id = sock_id;
    m->pos = pos;
    m->kind = kind;
    m->generation = (uint32_t)(state_generation(s) + 1);
    __atomic_store_n(&log->section->high_water, at + 1, __ATOMIC_RELEASE);
    return m;
}

bool state_move_full(const struct state *s)
{
    return next_place(&s->moves) >= s->moves.capacity;
}

void move_log_each(const struct move_log *log, uint64_t generation,
                   void (*f)(void *ctx, const struct state_move *m), void *ctx)
{
    for (uint64_t i = 0; i < log->section->high_water && i < log->capacity; i++) {
        const struct state_move *m = &log->entries[i];

        if (m->generation != (uint32_t)generation && m->msg.msg_len != MOVE_PENDING)
            f(ctx, m);
    }
}

void move_log_committed(struct move_log *log)
{
    __atomic_store_n(&log->section->high_water, 0, __ATOMIC_RELEASE);
}
