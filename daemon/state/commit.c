/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The commit. Against SIGKILL, not against power loss: what this process stored
 * is there for the next one, in the order of the stores; so an order is all that
 * is needed, and the release store of the generation gives it.
 */
#include "base/cleanup.h"
#include "engine/engine.h"
#include "sock/sock.h"
#include "sock/sock_record.h"
#include "state/records.h"
#include "state/state_internal.h"

uint64_t state_generation(const struct state *s)
{
    return __atomic_load_n(&s->header->generation, __ATOMIC_ACQUIRE);
}

struct global_copy *state_global_copy(struct state *s, uint64_t generation)
{
    struct global_copy *copies =
        (void *)((uint8_t *)s->header + layout_section(s->header, SECTION_GLOBAL)->offset);

    return &copies[generation & 1];
}

void state_commit_store(struct state *s, uint64_t generation)
{
    struct global_copy *copy = state_global_copy(s, generation);

    copy->global = s->global;
    copy->generation = generation;
    __atomic_store_n(&s->header->generation, generation, __ATOMIC_RELEASE);
}

void state_commit_done(struct state *s)
{
    move_log_committed(&s->moves);
    slots_committed(&s->conns);
    slots_committed(&s->socks);
    arena_committed(&s->arena);
    registry_committed(&s->registry);
}

/* What was given out and is in no record was seen by nobody, and may be given out again. */
static void id_seen(struct state *s, uint64_t id)
{
    s->global.next_id = MAX(s->global.next_id, id + 1);
}

static void save_conns(struct state *s, struct tcp_engine *e, uint64_t generation)
{
    const struct tcp_conn *conn;
    struct conn_record *rec;

    while ((conn = tcp_engine_next_dirty(e))) {
        if (tcp_conn_gone(conn)) {
            slots_bury(&s->conns, tcp_conn_id(conn), generation);
            continue;
        }
        rec = slots_write(&s->conns, tcp_conn_id(conn), generation);
        id_seen(s, tcp_conn_id(conn));
        if (rec)
            tcp_conn_save(conn, rec);
    }
}

static void save_socks(struct state *s, struct sock_table *t, uint64_t generation)
{
    const struct sock *sock;
    struct sock_record *rec;
    uint64_t id;

    while ((sock = sock_next_dirty(t))) {
        rec = slots_write(&s->socks, sock_id(sock), generation);
        id_seen(s, sock_id(sock));
        if (rec)
            sock_save(sock, rec);
    }
    while ((id = sock_next_closed(t)))
        slots_bury(&s->socks, id, generation);
}

void state_commit(struct state *s, struct tcp_engine *e, struct sock_table *t)
{
    const uint64_t generation = state_generation(s) + 1;

    save_conns(s, e, generation);
    save_socks(s, t, generation);
    state_commit_store(s, generation);

    /* What the engine frees while it is told belongs to the next commit, so it comes last. */
    state_commit_done(s);
    tcp_engine_committed(e);
}
