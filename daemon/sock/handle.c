/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of sockets. A struct sock is found by its id; what its connection
 * holds (a port) belongs to the binding, which outlives the handle: see ports.h.
 *
 * A closed handle stays on the `closed` list until the commit has asked for its
 * id: so closing needs no memory and cannot fail.
 */
#include "sock/handle.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "sock/listener.h"
#include "sock/ports.h"
#include "sock/quota.h"
#include "sock/readiness.h"

int sock_table_new(const struct sock_table_init *init, struct sock_table **ret)
{
    struct sock_table *t = calloc(1, sizeof(*t));

    if (!t)
        return -ENOMEM;
    t->engine = init->engine;
    t->tun = init->tun;
    t->world = init->world;
    list_init(&t->all);
    list_init(&t->ready);
    list_init(&t->dirty);
    list_init(&t->closed);
    if (ports_init(t, init->seed) < 0) {
        free(t);
        return -ENOMEM;
    }
    *ret = t;
    return 0;
}

static void free_all(struct list *head)
{
    LIST_FOREACH_SAFE (n, head)
        free(LIST_ENTRY(n, struct sock, on_all));
}

struct sock_table *sock_table_free(struct sock_table *t)
{
    if (!t)
        return NULL;
    ports_deinit(t);
    quota_deinit(t);
    free_all(&t->all);
    free_all(&t->closed);
    idmap_deinit(&t->socks);
    idmap_deinit(&t->links);
    free(t);
    return NULL;
}

int sock_alloc(struct sock_table *t, int family, const struct cred *owner, struct sock **ret)
{
    struct sock *s;

    if (idmap_reserve(&t->socks) < 0)
        return -ENOMEM;
    s = calloc(1, sizeof(*s));
    if (!s)
        return -ENOMEM;
    s->table = t;
    s->id = tcp_engine_take_id(t->engine);
    s->family = family;
    s->state = SOCK_IDLE;
    s->owner = *owner;
    s->local.addr = s->remote.addr = family == AF_INET ? IP_ADDR_ANY4 : IP_ADDR_ANY6;
    list_init(&s->queue);
    list_init(&s->on_queue);
    list_init(&s->on_all);
    list_init(&s->on_ready);
    list_init(&s->on_dirty);
    list_init(&s->on_starved);
    idmap_put(&t->socks, s->id, s);
    list_append(&t->all, &s->on_all);
    sock_touch(s);
    *ret = s;
    return 0;
}

void sock_discard(struct sock *s)
{
    struct sock_table *t = s->table;

    idmap_take(&t->socks, s->id);
    list_del(&s->on_queue);
    list_del(&s->on_ready);
    list_del(&s->on_dirty);
    list_del(&s->on_starved);
    list_del(&s->on_all);
    list_append(&t->closed, &s->on_all);
    if (s->charged)
        quota_release_socket(s);
}

int sock_new(struct sock_table *t, int family, const struct cred *cred, struct sock **ret)
{
    struct sock *s;
    int r;

    if (family != AF_INET && family != AF_INET6)
        return -EAFNOSUPPORT;
    r = sock_alloc(t, family, cred, &s);
    if (r < 0)
        return r;
    r = quota_charge_socket(s);
    if (r < 0) {
        sock_discard(s);
        return r;
    }
    tcp_config_init(&s->config, t->tun);
    *ret = s;
    return 0;
}

void sock_set_dead(struct sock *s, int error)
{
    if (s->state == SOCK_DEAD)
        return;
    s->state = SOCK_DEAD;
    s->so_error = error;
    readiness_add(s, SOCK_READY_DEAD);
    sock_touch(s);
}

/* The program has no more interest: its connection ends on its own. */
static void let_go(struct sock *s, bool abort, usec_t now)
{
    struct tcp_conn *conn = s->conn;

    ports_orphan(s);
    tcp_conn_set_user(conn, 0);
    if (abort)
        tcp_conn_abort(conn, now);
    else
        tcp_conn_close(conn, now);
}

static void leave(struct sock *s, bool abort, usec_t now)
{
    if (s->listener)
        listener_stop(s, now);
    if (s->conn)
        let_go(s, abort, now);
    else if (s->binding)
        ports_release(s->table, s->binding);
}

void sock_close(struct sock *s, bool unread, usec_t now)
{
    bool zero_linger = s->opts.linger_on && s->opts.linger_sec == 0;

    leave(s, unread || zero_linger || s->state == SOCK_CONNECTING, now);
    sock_discard(s);
}

void sock_abort(struct sock *s, int error, usec_t now)
{
    if (s->listener_id != 0 && s->conn) { /* its events take it out of the queue */
        tcp_conn_abort(s->conn, now);
        return;
    }
    sock_set_dead(s, error);
    if (s->conn)
        tcp_conn_abort(s->conn, now); /* the binding goes with its TCP_EV_GONE */
    else
        leave(s, true, now);
    sock_touch(s);
}

int sock_shutdown(struct sock *s, int how, usec_t now)
{
    if (how != SHUT_RD && how != SHUT_WR && how != SHUT_RDWR)
        return -EINVAL;
    if (s->state != SOCK_CONNECTED || !s->conn)
        return -ENOTCONN;
    if (how != SHUT_WR)
        s->shut |= 1u << SHUT_RD;
    if (how != SHUT_RD && !(s->shut & 1u << SHUT_WR)) {
        s->shut |= 1u << SHUT_WR;
        tcp_conn_shutdown(s->conn, now);
    }
    sock_touch(s);
    return 0;
}

/* ---- looking ------------------------------------------------------------------ */

bool sock_is_queued(const struct sock *s)
{
    return s->listener_id != 0;
}

uint64_t sock_id(const struct sock *s)
{
    return s->id;
}

int sock_family(const struct sock *s)
{
    return s->family;
}

enum sock_state sock_state(const struct sock *s)
{
    return s->state;
}

const struct cred *sock_owner(const struct sock *s)
{
    return &s->owner;
}

struct sock *sock_find(struct sock_table *t, uint64_t id)
{
    return idmap_get(&t->socks, id);
}

struct sock *sock_first(struct sock_table *t)
{
    return list_empty(&t->all) ? NULL : LIST_ENTRY(t->all.next, struct sock, on_all);
}

struct sock *sock_next(struct sock_table *t, struct sock *s)
{
    return s->on_all.next == &t->all ? NULL : LIST_ENTRY(s->on_all.next, struct sock, on_all);
}

void sock_name(const struct sock *s, struct sock_addr *ret)
{
    *ret = s->local;
}

int sock_peer(const struct sock *s, struct sock_addr *ret)
{
    if (s->state != SOCK_CONNECTED)
        return -ENOTCONN;
    *ret = s->remote;
    return 0;
}

int sock_error(struct sock *s)
{
    int error = s->so_error;

    if (error != 0)
        sock_touch(s);
    s->so_error = 0;
    return error;
}

struct tcp_conn *sock_conn(const struct sock *s)
{
    return s->conn;
}

struct tcp_listener *sock_listener(const struct sock *s)
{
    return s->listener;
}

uint32_t sock_queued(const struct sock *s)
{
    return s->queued;
}

uint32_t sock_backlog(const struct sock *s)
{
    return s->backlog;
}

bool sock_linger(const struct sock *s, uint32_t *ret_sec)
{
    *ret_sec = s->opts.linger_sec;
    return s->opts.linger_on;
}

bool sock_oob_inline(const struct sock *s)
{
    return s->opts.oobinline;
}

void sock_usage(const struct sock_table *t, struct sock_usage *ret)
{
    *ret = t->usage;
    ret->connections = t->links.used;
    ret->ports = t->ports_used;
}

/* ---- commit ------------------------------------------------------------------- */

struct sock *sock_next_dirty(struct sock_table *t)
{
    struct list *n = list_pop(&t->dirty);

    return n ? LIST_ENTRY(n, struct sock, on_dirty) : NULL;
}

uint64_t sock_next_closed(struct sock_table *t)
{
    struct list *n = list_pop(&t->closed);
    uint64_t id;

    if (!n)
        return 0;
    id = LIST_ENTRY(n, struct sock, on_all)->id;
    free(LIST_ENTRY(n, struct sock, on_all));
    return id;
}

void sock_save(const struct sock *s, struct sock_record *ret)
{
    memset(ret, 0, sizeof(*ret));
#define SAVE_SAVED(name) ret->name = s->name;
#define SAVE_REBUILT(name)
#define SAVE_DROPPED(name)
#define FIELD(tag, type, name, fate, note) SAVE_##fate(name)
#include "state/records_sock.def"
}
