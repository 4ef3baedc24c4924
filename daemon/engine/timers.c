/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A hierarchical timing wheel (Varghese and Lauck) that holds connections, not
 * timers: each hangs at the earliest of its deadlines. Moving a deadline later,
 * which every segment does, touches nothing but the deadline; the connection is
 * looked at when its old place comes up, and hung again.
 */
#include <string.h>

#include "engine/impl.h"

static uint64_t tick_of(usec_t at)
{
    /* Round up: a timer never fires early. */
    return (at + (1u << WHEEL_SHIFT) - 1) >> WHEEL_SHIFT;
}

void timers_init(struct wheel *w, usec_t now)
{
    w->tick = now >> WHEEL_SHIFT;
    for (unsigned l = 0; l < WHEEL_LEVELS; l++) {
        w->busy[l] = 0;
        for (unsigned s = 0; s < WHEEL_SLOTS; s++)
            list_init(&w->slot[l][s]);
    }
}

static unsigned slot_of(uint64_t tick, unsigned level)
{
    return (unsigned)(tick >> (level * WHEEL_BITS)) & (WHEEL_SLOTS - 1);
}

/* The level on which @tick and the wheel's present differ first. */
static unsigned level_of(const struct wheel *w, uint64_t tick)
{
    uint64_t diff = tick ^ w->tick;
    unsigned level = 0;

    while (level + 1 < WHEEL_LEVELS && diff >> ((level + 1) * WHEEL_BITS))
        level++;
    return level;
}

static void hang(struct wheel *w, struct tcp_conn *conn, usec_t at)
{
    uint64_t tick = MAX(tick_of(at), w->tick);
    unsigned level = level_of(w, tick), slot = slot_of(tick, level);

    conn->wheel_at = at;
    list_del(&conn->wheel_node);
    list_append(&w->slot[level][slot], &conn->wheel_node);
    w->busy[level] |= 1ULL << slot;
}

static usec_t earliest(const struct tcp_conn *conn)
{
    usec_t at = USEC_NEVER;

    for (unsigned i = 0; i < TIMER_COUNT; i++)
        at = usec_min(at, conn->timer[i]);
    return at;
}

void timer_set(struct tcp_conn *conn, enum tcp_timer which, usec_t at)
{
    conn->timer[which] = at;
    if (at < conn->wheel_at)
        hang(&conn->engine->wheel, conn, at);
}

void timer_stop(struct tcp_conn *conn, enum tcp_timer which)
{
    conn->timer[which] = USEC_NEVER; /* its place in the wheel is left to come up */
}

void timers_stop_all(struct tcp_conn *conn)
{
    for (unsigned i = 0; i < TIMER_COUNT; i++)
        conn->timer[i] = USEC_NEVER;
    list_del(&conn->wheel_node);
    conn->wheel_at = USEC_NEVER;
}

#define SHRINK_AFTER USEC_PER_SEC

void shrink_later(struct tcp_conn *conn, usec_t now)
{
    if (!timer_running(conn, TIMER_SHRINK))
        timer_set(conn, TIMER_SHRINK, now + SHRINK_AFTER);
}

/* An idle connection costs its records only: empty rings go back. */
static void shrink(struct tcp_conn *conn, usec_t now)
{
    usec_t active = MAX(conn->stat.last_recv_at, conn->stat.last_send_at);

    if (conn->snd.starved) {
        conn->snd.starved = false;
        conn_event(conn, TCP_EV_WRITABLE);
    }
    if (conn->state != TCP_TIME_WAIT && usec_since(active, now) < SHRINK_AFTER) {
        shrink_later(conn, now);
        return;
    }
    if (!ring_used(&conn->tx))
        ring_release(&conn->tx, &conn->engine->mem);
    if (!ring_used(&conn->rx) && !conn->ooo.count)
        ring_release(&conn->rx, &conn->engine->mem);
    if (conn->tx.size || conn->rx.size)
        shrink_later(conn, now);
}

static void fire(struct tcp_conn *conn, enum tcp_timer which, usec_t now)
{
    struct tcp_trace t = { now, conn->id, TCP_TRACE_TIMER, 0, which, 0 };

    conn->timer[which] = USEC_NEVER;
    conn_dirty(conn);
    if (conn->engine->trace)
        conn->engine->trace(conn->engine->trace_ctx, &t);
    switch (which) {
    case TIMER_REXMT:
        rto_fired(conn, now);
        break;
    case TIMER_PERSIST:
        persist_fired(conn, now);
        break;
    case TIMER_DELACK:
        delack_timeout(conn, now);
        break;
    case TIMER_KEEPALIVE:
        keepalive_fired(conn, now);
        break;
    case TIMER_LINGER:
        linger_fired(conn, now);
        break;
    case TIMER_REORDER:
        loss_reorder_fired(conn, now);
        break;
    case TIMER_TLP:
        tlp_fired(conn, now);
        break;
    case TIMER_PACE:
        conn_wants_output(conn);
        break;
    case TIMER_REASM:
        reasm_timeout(conn, now);
        break;
    case TIMER_SHRINK:
    case TIMER_COUNT:
        shrink(conn, now);
        break;
    }
}

/* The connection's place has come up: run what is due, hang it at what is next. */
static void visit(struct tcp_conn *conn, usec_t now)
{
    usec_t next;

    list_del(&conn->wheel_node);
    conn->wheel_at = USEC_NEVER;
    for (unsigned i = 0; i < TIMER_COUNT; i++) {
        if (conn->timer[i] <= now)
            fire(conn, i, now);
    }
    next = earliest(conn);
    if (next < conn->wheel_at)
        hang(&conn->engine->wheel, conn, next);
}

/* The tick of the first busy slot at or after the present one, per level; ~0 if none. */
static uint64_t next_tick(const struct wheel *w, unsigned *ret_level)
{
    for (unsigned l = 0; l < WHEEL_LEVELS; l++) {
        unsigned here = slot_of(w->tick, l);
        uint64_t ahead = w->busy[l] >> here << here;

        if (!ahead)
            continue;
        *ret_level = l;
        return (w->tick >> ((l + 1) * WHEEL_BITS) << ((l + 1) * WHEEL_BITS)) |
               (uint64_t)__builtin_ctzll(ahead) << (l * WHEEL_BITS);
    }
    return UINT64_MAX;
}

usec_t timers_next(const struct wheel *w)
{
    unsigned level;
    uint64_t tick = next_tick(w, &level);

    if (tick == UINT64_MAX)
        return USEC_NEVER;
    return MAX(tick, w->tick) << WHEEL_SHIFT;
}

/* Take a whole slot out of the wheel; its connections are visited or hung lower. */
static void run_slot(struct tcp_engine *e, unsigned level, unsigned slot, usec_t now)
{
    struct wheel *w = &e->wheel;
    struct list due, *n;

    list_init(&due);
    while ((n = list_pop(&w->slot[level][slot])))
        list_append(&due, n);
    w->busy[level] &= ~(1ULL << slot);
    while ((n = list_pop(&due))) {
        struct tcp_conn *conn = LIST_ENTRY(n, struct tcp_conn, wheel_node);

        if (conn->wheel_at <= now)
            visit(conn, now);
        else
            hang(w, conn, conn->wheel_at);
    }
}

void timers_run(struct tcp_engine *e, usec_t now)
{
    struct wheel *w = &e->wheel;
    uint64_t end = now >> WHEEL_SHIFT, tick;
    unsigned level;

    while ((tick = next_tick(w, &level)) <= end) {
        w->tick = MAX(w->tick, tick);
        run_slot(e, level, slot_of(tick, level), now);
        /* A slot that keeps filling itself for this very tick waits for the next call. */
        if (level == 0 && tick == end && w->busy[0] >> slot_of(tick, 0) & 1)
            return;
    }
    w->tick = MAX(w->tick, end);
}
