/* SPDX-License-Identifier: BSD-2-Clause */
/* The engine as a whole: making it, the verbs that are not one subject's, the lists. */
#include <errno.h>
#include <stdlib.h>

#include "engine/impl.h"

/* Which key of the seed is whose: siphash_expand()'s index. */
enum {
    KEY_DEMUX,
    KEY_ISN,
    KEY_TS,
    KEY_COOKIE,
    KEY_RANDOM,
    KEY_REUSEPORT,
    KEY_DEST,
};

int tcp_engine_new(const struct tcp_engine_init *init, struct tcp_engine **ret)
{
    struct tcp_engine *e = calloc(1, sizeof(*e));

    if (!e)
        return -ENOMEM;
    e->tun = init->tun;
    e->mem = init->mem;
    e->memory_mb = init->memory_mb;
    e->next_id = MAX(init->first_id, (uint64_t)1);
    e->seen_at = init->now;
    e->key_demux = siphash_expand(init->seed, KEY_DEMUX);
    e->key_isn = siphash_expand(init->seed, KEY_ISN);
    e->key_ts = siphash_expand(init->seed, KEY_TS);
    e->key_cookie = siphash_expand(init->seed, KEY_COOKIE);
    e->key_random = siphash_expand(init->seed, KEY_RANDOM);
    e->key_reuseport = siphash_expand(init->seed, KEY_REUSEPORT);
    e->key_dest = siphash_expand(init->seed, KEY_DEST);
    list_init(&e->all);
    list_init(&e->events);
    list_init(&e->dirty);
    list_init(&e->saved);
    list_init(&e->output);
    timers_init(&e->wheel, init->now);
    if (demux_init(e)) {
        free(e);
        return -ENOMEM;
    }
    *ret = e;
    return 0;
}

struct tcp_engine *tcp_engine_free(struct tcp_engine *e)
{
    struct list *n;

    if (!e)
        return NULL;
    for (unsigned i = 0; i < PORT_BUCKETS; i++) {
        while ((n = list_pop(&e->ports[i])))
            listener_free(LIST_ENTRY(n, struct tcp_listener, port_node));
    }
    while (!list_empty(&e->all)) {
        struct tcp_conn *conn = LIST_ENTRY(e->all.next, struct tcp_conn, all_node);

        conn->listener = NULL;
        conn_free(conn);
    }
    demux_free(e);
    idmap_deinit(&e->by_id);
    free(e);
    return NULL;
}

uint64_t tcp_engine_take_id(struct tcp_engine *e)
{
    return e->next_id++;
}

uint64_t engine_random(struct tcp_engine *e)
{
    uint64_t n = e->random_count++;

    return siphash(&e->key_random, &n, sizeof(n));
}

void engine_drop(struct tcp_engine *e, const struct tcp_conn *conn, enum tcp_drop why, usec_t now)
{
    struct tcp_trace t = { now, conn ? conn->id : 0, TCP_TRACE_DROP, 0, why, 0 };

    e->counters.drop[why]++;
    if (e->trace)
        e->trace(e->trace_ctx, &t);
}

/**
 * rate_allows() - may one more happen in the second that began at rate->since?
 *
 * Between half and all of @per_second, drawn anew each second: an exact number
 * that is shared by all would let a stranger count other people's segments.
 */
bool rate_allows(struct tcp_engine *e, struct rate *rate, uint32_t per_second, usec_t now)
{
    if (usec_since(rate->since, now) >= USEC_PER_SEC || !rate->since) {
        rate->since = MAX(now, (usec_t)1);
        rate->count = 0;
        rate->budget = per_second - (uint32_t)(engine_random(e) % (per_second / 2 + 1ULL));
    }
    if (rate->count >= MIN(rate->budget, per_second))
        return false;
    rate->count++;
    return true;
}

#define CLOCK_JUMP (10 * USEC_PER_SEC)

/*
 * Woken more than ten seconds after the deadline we asked for, the host was
 * suspended: round trips that span this moment measure the pause.
 */
void engine_note_time(struct tcp_engine *e, usec_t now)
{
    usec_t deadline;

    if (usec_since(e->seen_at, now) > CLOCK_JUMP) {
        deadline = timers_next(&e->wheel);
        if (deadline != USEC_NEVER && usec_since(MAX(deadline, e->seen_at), now) > CLOCK_JUMP)
            e->jumped_at = now;
    }
    e->seen_at = MAX(e->seen_at, now);
}

void tcp_engine_advance(struct tcp_engine *e, usec_t now)
{
    engine_note_time(e, now);
    timers_run(e, now);
}

usec_t tcp_engine_deadline(const struct tcp_engine *e)
{
    usec_t at = timers_next(&e->wheel);

    if (e->output_blocked && (e->reply_count || !list_empty(&e->output)))
        at = usec_min(at, e->output_blocked_until);
    return at;
}

/* ---- packets ---------------------------------------------------------------- */

static bool output_may_go(const struct tcp_engine *e, usec_t now)
{
    return !e->output_blocked || now >= e->output_blocked_until;
}

bool tcp_engine_has_packets(const struct tcp_engine *e, usec_t now)
{
    return output_may_go(e, now) && (e->reply_count || !list_empty(&e->output));
}

/* Round robin: who sent a packet and has more goes to the end of the list. */
bool tcp_engine_next_packet(struct tcp_engine *e, usec_t now, struct packet *ret)
{
    struct list *n;

    if (!output_may_go(e, now))
        return false;
    e->output_blocked = false;
    if (reply_next(e, ret))
        return true;
    while ((n = list_pop(&e->output))) {
        struct tcp_conn *conn = LIST_ENTRY(n, struct tcp_conn, output_node);

        if (output_next(conn, now, ret)) {
            list_append(&e->output, &conn->output_node);
            return true;
        }
    }
    return false;
}

void tcp_engine_unsent(struct tcp_engine *e, const struct packet *pkt, int error, usec_t now)
{
    struct tcp_conn *conn = pkt->conn_id ? tcp_engine_find(e, pkt->conn_id) : NULL;

    if (error == -EAGAIN || error == -ENOBUFS || error == -ENOMEM) {
        if (!e->output_blocked) {
            e->output_blocked = true;
            e->output_blocked_until = now + USEC_PER_MSEC;
        }
    }
    if (!conn || conn->state == TCP_CLOSED)
        return;
    if (error == -EAGAIN || error == -ENOBUFS || error == -ENOMEM) {
        output_unsent(conn, pkt, now);
        return;
    }
    /* Refused: as if lost on the way, so the timer asks again and backs off. */
    conn_dirty(conn);
    if (error == -EMSGSIZE)
        conn_event(conn, TCP_EV_PATH); /* the MTU has changed: tcp_conn_set_path() sends again */
    else
        conn->soft_error = -error;
}

void tcp_engine_resume(struct tcp_engine *e)
{
    e->output_blocked = false;
}

/* ---- events -------------------------------------------------------------------- */

bool tcp_engine_next_event(struct tcp_engine *e, struct tcp_event *ret)
{
    struct list *n = list_pop(&e->events);
    struct tcp_conn *conn;

    if (!n)
        return false;
    conn = LIST_ENTRY(n, struct tcp_conn, event_node);
    *ret = (struct tcp_event){
        .conn = conn,
        .conn_id = conn->id,
        .user = conn->listener ? conn->listener->user : conn->user,
        .listener = conn->listener,
        .what = conn->events,
        .error = conn->error,
    };
    conn->events = 0;
    if (conn->gone)
        conn_dirty(conn); /* the next commit frees it, however many passed before this was fetched */
    return true;
}

/* ---- commit -------------------------------------------------------------------- */

struct tcp_conn *tcp_engine_next_dirty(struct tcp_engine *e)
{
    struct list *n = list_pop(&e->dirty);

    if (!n)
        return NULL;
    list_append(&e->saved, n);
    return LIST_ENTRY(n, struct tcp_conn, dirty_node);
}

void tcp_engine_committed(struct tcp_engine *e)
{
    struct list *n;

    while ((n = list_pop(&e->saved))) {
        struct tcp_conn *conn = LIST_ENTRY(n, struct tcp_conn, dirty_node);

        conn->tx.head = conn->snd.una_pos;
        if (conn->gone && !conn->events) {
            conn_free(conn);
            continue;
        }
        if (conn->snd.blocked && ring_used(&conn->tx) < conn->tune.snd_buf) {
            conn->snd.blocked = false;
            conn_event(conn, TCP_EV_WRITABLE);
        }
    }
}

/* ---- walking ------------------------------------------------------------------- */

struct tcp_conn *tcp_engine_first(struct tcp_engine *e)
{
    return list_empty(&e->all) ? NULL : LIST_ENTRY(e->all.next, struct tcp_conn, all_node);
}

struct tcp_conn *tcp_engine_next(struct tcp_engine *e, struct tcp_conn *conn)
{
    return conn->all_node.next == &e->all
               ? NULL
               : LIST_ENTRY(conn->all_node.next, struct tcp_conn, all_node);
}

struct tcp_conn *tcp_engine_find(struct tcp_engine *e, uint64_t id)
{
    return idmap_get(&e->by_id, id);
}

const struct tcp_counters *tcp_engine_counters(const struct tcp_engine *e)
{
    return &e->counters;
}

void tcp_engine_set_trace(struct tcp_engine *e, void (*hook)(void *ctx, const struct tcp_trace *t),
                          void *ctx)
{
    e->trace = hook;
    e->trace_ctx = ctx;
}
