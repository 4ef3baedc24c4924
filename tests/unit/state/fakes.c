/* SPDX-License-Identifier: BSD-2-Clause */
#include "fakes.h"

#include <string.h>

#include "sock/sock_record.h"
#include "state/records.h"

void fake_conn_dirty(struct tcp_engine *e, uint64_t id, uint64_t value)
{
    e->dirty[e->dirty_count++] = (struct tcp_conn){ id, value, false };
}

void fake_conn_gone(struct tcp_engine *e, uint64_t id)
{
    e->dirty[e->dirty_count++] = (struct tcp_conn){ id, 0, true };
}

void fake_sock_dirty(struct sock_table *t, uint64_t id, int value)
{
    t->dirty[t->dirty_count++] = (struct sock){ id, value };
}

void fake_sock_closed(struct sock_table *t, uint64_t id)
{
    t->closed[t->closed_count++] = id;
}

struct tcp_conn *tcp_engine_next_dirty(struct tcp_engine *e)
{
    if (e->at)
        e->at(e->ctx);
    if (e->next < e->dirty_count)
        return &e->dirty[e->next++];
    e->next = e->dirty_count = 0;
    return NULL;
}

void tcp_engine_committed(struct tcp_engine *e)
{
    e->committed++;
    if (e->at_committed)
        e->at_committed(e->ctx);
}

bool tcp_conn_gone(const struct tcp_conn *conn)
{
    return conn->gone;
}

uint64_t tcp_conn_id(const struct tcp_conn *conn)
{
    return conn->id;
}

void tcp_conn_save(const struct tcp_conn *conn, struct conn_record *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->id = conn->id;
    ret->user = conn->value;
}

struct sock *sock_next_dirty(struct sock_table *t)
{
    return t->dirty_count ? &t->dirty[--t->dirty_count] : NULL;
}

uint64_t sock_next_closed(struct sock_table *t)
{
    return t->closed_count ? t->closed[--t->closed_count] : 0;
}

uint64_t sock_id(const struct sock *s)
{
    return s->id;
}

void sock_save(const struct sock *s, struct sock_record *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->id = s->id;
    ret->so_error = s->value;
}
