/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who a segment belongs to. Connections: open addressing with linear probing,
 * keyed so that no peer can choose its bucket. Listeners: a bucket per port, the most specific address wins.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/impl.h"

/* A slot whose connection was removed: a search goes on past it. */
static struct tcp_conn *const TOMB = (struct tcp_conn *)1;

static uint32_t hash_flow(const struct tcp_engine *e, const struct flow *flow)
{
    return (uint32_t)siphash(&e->key_demux, flow, sizeof(*flow));
}

static bool flow_eq(const struct flow *a, const struct flow *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

_Static_assert(sizeof(struct flow) == 16 + 16 + 2 + 2 + 4, "hashed as bytes: no padding allowed");

int demux_init(struct tcp_engine *e)
{
    for (unsigned i = 0; i < PORT_BUCKETS; i++)
        list_init(&e->ports[i]);
    e->conns.cap = 64;
    e->conns.slot = calloc(e->conns.cap, sizeof(struct tcp_conn *));
    return e->conns.slot ? 0 : -ENOMEM;
}

void demux_free(struct tcp_engine *e)
{
    free(e->conns.slot);
}

static void put(const struct tcp_engine *e, struct conn_table *t, struct tcp_conn *conn)
{
    uint32_t i = hash_flow(e, &conn->flow) & (t->cap - 1);

    while (t->slot[i] && t->slot[i] != TOMB)
        i = (i + 1) & (t->cap - 1);
    if (t->slot[i] == TOMB)
        t->deleted--;
    t->slot[i] = conn;
    t->count++;
}

/* Twice the room if it is really full, the same if it is full of tombs. */
static int rehash(struct tcp_engine *e)
{
    struct conn_table *old = &e->conns, new = { 0 };

    new.cap = old->count * 2 > old->cap ? old->cap * 2 : old->cap;
    new.slot = calloc(new.cap, sizeof(struct tcp_conn *));
    if (!new.slot)
        return -ENOMEM;
    for (uint32_t i = 0; i < old->cap; i++) {
        if (old->slot[i] && old->slot[i] != TOMB)
            put(e, &new, old->slot[i]);
    }
    free(old->slot);
    *old = new;
    return 0;
}

int demux_insert(struct tcp_engine *e, struct tcp_conn *conn)
{
    struct conn_table *t = &e->conns;

    if ((t->count + t->deleted + 1) * 4 > t->cap * 3 && rehash(e))
        return -ENOMEM;
    put(e, t, conn);
    return 0;
}

static uint32_t slot_of(const struct tcp_engine *e, const struct flow *flow)
{
    const struct conn_table *t = &e->conns;
    uint32_t i = hash_flow(e, flow) & (t->cap - 1);

    while (t->slot[i] && (t->slot[i] == TOMB || !flow_eq(&t->slot[i]->flow, flow)))
        i = (i + 1) & (t->cap - 1);
    return i;
}

struct tcp_conn *demux_find(const struct tcp_engine *e, const struct flow *flow)
{
    return e->conns.slot[slot_of(e, flow)];
}

void demux_remove(struct tcp_engine *e, struct tcp_conn *conn)
{
    struct conn_table *t = &e->conns;
    uint32_t i = slot_of(e, &conn->flow);

    if (t->slot[i] != conn)
        return;
    t->slot[i] = TOMB;
    t->count--;
    t->deleted++;
}

/* ---- listeners ------------------------------------------------------------------ */

void demux_listener_add(struct tcp_engine *e, struct tcp_listener *l)
{
    list_append(&e->ports[l->port % PORT_BUCKETS], &l->port_node);
}

/* 0: not for it. 1: a wildcard of the other family, 2: of this family, 3: this very address. */
static int match(const struct tcp_listener *l, const struct flow *flow)
{
    bool v4 = ip_addr_is_v4(&flow->local);

    if (l->port != flow->lport || (v4 && l->v6only))
        return 0;
    if (l->zone && flow->zone && l->zone != flow->zone)
        return 0;
    if (ip_addr_eq(&l->addr, &flow->local))
        return 3;
    if (!ip_addr_is_any(&l->addr))
        return 0;
    if (ip_addr_is_v4(&l->addr) == v4)
        return 2;
    return v4 ? 1 : 0;
}

struct tcp_listener *demux_listener(struct tcp_engine *e, const struct flow *flow)
{
    struct tcp_listener *found = NULL;
    uint64_t spread = 0;
    int best = 0;

    LIST_FOREACH(n, &e->ports[flow->lport % PORT_BUCKETS])
    {
        struct tcp_listener *l = LIST_ENTRY(n, struct tcp_listener, port_node);
        int m = match(l, flow);
        uint64_t in[2], weight;

        if (!m || m < best)
            continue;
        /* Equals share by rendezvous hashing: a listener that comes or goes moves only its own. */
        in[0] = siphash(&e->key_reuseport, flow, sizeof(*flow));
        in[1] = l->user;
        weight = siphash(&e->key_reuseport, in, sizeof(in));
        if (m > best || weight >= spread) {
            found = l;
            spread = weight;
        }
        best = m;
    }
    return found;
}
