/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The decision table: may binder B have a port that holder E has? The first line
 * that fits decides, and B gets the port only if no E objects. W: unspecified
 * address. Only B's SO_REUSEADDR counts.
 *
 *  1  one is IPv6 with IPV6_V6ONLY, the other IPv4             no conflict
 *  2  E or B is EXCLBIND, E not past ESTABLISHED:
 *       a W among them, or equal addresses                     busy
 *       different specific addresses                           no conflict
 *  3  both SO_REUSEPORT, of one uid                            no conflict
 *  4  B without REUSEADDR: different specific addresses        no conflict
 *  5  B without REUSEADDR: anything else, TIME-WAIT too        busy
 *  6  B with REUSEADDR: identical addresses (two W are), E bound or listening   busy
 *  7  B with REUSEADDR: anything else                          no conflict
 *
 * The wildcards of IPv4 and IPv6 are one and the same W (tcp.4p).
 *
 * A connect() that has to find a port itself does not look at connections
 * (unless exclusive): for them the 4-tuple decides, and the engine knows it.
 * That is why connections are on a list of their own: a port shared by ten
 * thousand of them is still chosen in one step.
 */
#include "sock/ports.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#define PORT_COUNT 65536u

struct port {
    struct list idle;    /* bindings without a connection */
    struct list conns;   /* bindings of connections */
    uint32_t excl_conns; /* how many of the latter are exclusive */
};

/* ---- the decision table --------------------------------------------------------- */

static bool same_addr(const struct port_claimant *a, const struct port_claimant *b)
{
    bool a_any = ip_addr_is_any(&a->addr), b_any = ip_addr_is_any(&b->addr);

    if (a_any || b_any)
        return a_any && b_any;
    return ip_addr_eq(&a->addr, &b->addr) && a->zone == b->zone;
}

bool ports_conflict(const struct port_claimant *holder, enum port_stage stage,
                    const struct port_claimant *binder)
{
    bool same = same_addr(holder, binder);
    bool apart = !same && !ip_addr_is_any(&holder->addr) && !ip_addr_is_any(&binder->addr);

    if ((holder->v6only && ip_addr_is_v4(&binder->addr)) ||
        (binder->v6only && ip_addr_is_v4(&holder->addr)))
        return false;
    if ((holder->excl || binder->excl) && stage != PORT_CLOSING)
        return !apart;
    if (holder->reuseport && binder->reuseport && holder->uid == binder->uid)
        return false;
    if (!binder->reuseaddr)
        return !apart;
    return same && stage == PORT_IDLE;
}

static enum port_stage stage_of(const struct binding *b)
{
    if (!b->conn)
        return PORT_IDLE;
    switch (tcp_conn_state(b->conn)) {
    case TCP_SYN_SENT:
    case TCP_SYN_RCVD:
    case TCP_ESTABLISHED:
        return PORT_OPEN;
    default:
        return PORT_CLOSING;
    }
}

/* @addr's scope is settled: 0 unless it is link-local. */
static struct port_claimant claimant_of(const struct sock *s, const struct sock_addr *addr)
{
    return (struct port_claimant){
        .addr = addr->addr,
        .zone = addr->scope,
        .v6only = s->opts.v6only,
        .excl = s->opts.exclbind,
        .reuseport = s->opts.reuseport,
        .reuseaddr = s->opts.reuseaddr,
        .uid = s->owner.uid,
    };
}

static struct sock_addr local_of(const struct flow *flow)
{
    return (struct sock_addr){
        .addr = flow->local,
        .port = flow->lport,
        .scope = ip_addr_is_linklocal(&flow->local) ? flow->zone : 0,
    };
}

static bool list_conflicts(const struct list *head, const struct port_claimant *binder)
{
    LIST_FOREACH (n, head) {
        const struct binding *b = LIST_ENTRY(n, struct binding, on_port);
        struct port_claimant holder = {
            .addr = b->addr,
            .zone = b->zone,
            .v6only = b->v6only,
            .excl = b->excl,
            .reuseport = b->reuseport,
            .uid = b->uid,
        };

        if (ports_conflict(&holder, stage_of(b), binder))
            return true;
    }
    return false;
}

static bool is_busy(const struct sock_table *t, uint16_t port, const struct port_claimant *binder)
{
    const struct port *p = t->ports[port];

    return p && (list_conflicts(&p->idle, binder) || list_conflicts(&p->conns, binder));
}

/* The same for a port that connect() chooses: see the head of this file. */
static bool is_busy_for_connect(const struct sock_table *t, uint16_t port,
                                const struct port_claimant *binder)
{
    const struct port *p = t->ports[port];

    return p && (list_conflicts(&p->idle, binder) ||
                 ((p->excl_conns > 0 || binder->excl) && list_conflicts(&p->conns, binder)));
}

/* ---- bindings --------------------------------------------------------------------- */

int ports_init(struct sock_table *t, const uint8_t seed[32])
{
    t->ports = calloc(PORT_COUNT, sizeof(struct port *));
    if (!t->ports)
        return -ENOMEM;
    for (unsigned i = 0; i < 3; i++)
        t->anon_key[i] = siphash_expand(seed, i);
    for (uint32_t i = 0; i < SOCK_ANON_COUNTERS; i++)
        t->anon_counter[i] = (uint32_t)siphash(&t->anon_key[2], &i, sizeof(i));
    return 0;
}

static void free_bindings(struct list *head)
{
    LIST_FOREACH_SAFE (n, head)
        free(LIST_ENTRY(n, struct binding, on_port));
}

void ports_deinit(struct sock_table *t)
{
    for (uint32_t i = 0; i < PORT_COUNT; i++) {
        if (!t->ports[i])
            continue;
        free_bindings(&t->ports[i]->idle);
        free_bindings(&t->ports[i]->conns);
        free(t->ports[i]);
    }
    free(t->ports);
}

static struct port *port_open(struct sock_table *t, uint16_t number)
{
    struct port *p = t->ports[number];

    if (p)
        return p;
    p = calloc(1, sizeof(*p));
    if (!p)
        return NULL;
    list_init(&p->idle);
    list_init(&p->conns);
    t->ports[number] = p;
    t->ports_used++;
    return p;
}

static void port_close_if_unused(struct sock_table *t, uint16_t number)
{
    struct port *p = t->ports[number];

    if (!list_empty(&p->idle) || !list_empty(&p->conns))
        return;
    free(p);
    t->ports[number] = NULL;
    t->ports_used--;
}

/* Ports that are tried in one call: somebody who takes them all must not keep us busy. */
#define REFUSALS_MAX 4096

static int claim(struct sock_table *t, uint16_t port, bool anonymous)
{
    if (anonymous && t->world.claim_anonymous)
        return t->world.claim_anonymous(t->world.ctx, &port);
    return t->world.claim(t->world.ctx, &port);
}

/*
 * Claim @port for @s, whom nobody of ours hinders; @anonymous: the number is our choice.
 * 0, -EADDRINUSE: the kernel's, or -errno.
 */
static int hold(struct sock *s, const struct sock_addr *addr, uint16_t port, bool anonymous)
{
    struct sock_table *t = s->table;
    struct binding *b = calloc(1, sizeof(*b));
    struct port *p = port_open(t, port);
    int r = b && p ? claim(t, port, anonymous) : -ENOMEM;

    if (r < 0) {
        free(b);
        if (p)
            port_close_if_unused(t, port);
        return r;
    }
    list_append(&p->idle, &b->on_port);
    b->sock = s;
    b->port = port;
    b->addr = addr->addr;
    b->zone = addr->scope;
    b->uid = s->owner.uid;
    s->binding = b;
    s->local = *addr;
    s->local.port = port;
    ports_refresh(s);
    sock_touch(s);
    return 0;
}

void ports_refresh(struct sock *s)
{
    struct binding *b = s->binding;
    bool excl = s->opts.exclbind;

    if (!b)
        return;
    if (b->conn && excl != b->excl)
        s->table->ports[b->port]->excl_conns += excl ? 1 : -1;
    b->excl = excl;
    b->reuseport = s->opts.reuseport;
    b->v6only = s->opts.v6only && !ip_addr_is_v4(&b->addr);
}

void ports_link(struct sock *s, struct tcp_conn *conn)
{
    struct binding *b = s->binding;
    struct port *p = s->table->ports[b->port];

    s->local = local_of(tcp_conn_flow(conn));
    list_del(&b->on_port);
    list_append(&p->conns, &b->on_port);
    p->excl_conns += b->excl;
    b->conn = s->conn = conn;
    b->conn_id = s->conn_id = tcp_conn_id(conn);
    b->addr = s->local.addr;
    b->zone = s->local.scope;
    idmap_put(&s->table->links, b->conn_id, b);
    sock_touch(s);
}

void ports_orphan(struct sock *s)
{
    s->binding->sock = NULL;
    s->binding = NULL;
    s->conn = NULL;
}

void ports_release(struct sock_table *t, struct binding *b)
{
    uint16_t number = b->port;

    if (b->sock) {
        b->sock->binding = NULL;
        b->sock->conn = NULL;
        b->sock->conn_id = 0;
        sock_touch(b->sock);
    }
    if (b->conn) {
        idmap_take(&t->links, b->conn_id);
        t->ports[number]->excl_conns -= b->excl;
    }
    list_del(&b->on_port);
    free(b);
    port_close_if_unused(t, number);
    t->world.release(t->world.ctx, number);
}

int ports_bind_accepted(struct sock *s, struct tcp_conn *conn)
{
    struct sock_addr local = local_of(tcp_conn_flow(conn));
    int r;

    if (idmap_reserve(&s->table->links) < 0)
        return -ENOMEM;
    r = hold(s, &local, local.port, false);
    if (r < 0)
        return r;
    ports_link(s, conn);
    return 0;
}

/* ---- choosing ------------------------------------------------------------------------ */

bool ports_is_privileged(const struct sock_table *t, uint16_t port)
{
    return port < t->tun->smallest_nonpriv_port || tun_ports_has(&t->tun->extra_priv_ports, port);
}

/* The range of anonymous ports; false if it is empty. */
static bool anon_range(const struct sock_table *t, uint32_t *ret_low, uint32_t *ret_count)
{
    uint32_t low = MAX(t->tun->smallest_anon_port, t->tun->smallest_nonpriv_port);
    uint32_t high = MIN(t->tun->largest_anon_port, PORT_COUNT - 1);

    if (low > high)
        return false;
    *ret_low = low;
    *ret_count = high - low + 1;
    return true;
}

/*
 * RFC 6056 3.3.2: a random start, then upwards with one wrap. Ports that nobody
 * holds come first; only when there are none left are those tried that the
 * decision table would let the binder share.
 */
static int bind_anonymous(struct sock *s, const struct sock_addr *addr)
{
    struct sock_table *t = s->table;
    struct port_claimant binder = claimant_of(s, addr);
    uint64_t start = siphash(&t->anon_key[2], &s->id, sizeof(s->id));
    uint32_t low, count;
    int r;

    if (!anon_range(t, &low, &count))
        return -EADDRNOTAVAIL;
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < count; i++) {
            uint16_t port = (uint16_t)(low + (start % count + i) % count);
            bool held = t->ports[port] != NULL;

            if (ports_is_privileged(t, port) || held != (pass == 1))
                continue;
            if (held && is_busy(t, port, &binder))
                continue;
            r = hold(s, addr, port, true);
            if (r != -EADDRINUSE)
                return r;
        }
    }
    return -EADDRNOTAVAIL;
}

int ports_bind(struct sock *s, const struct sock_addr *addr)
{
    struct port_claimant binder = claimant_of(s, addr);

    if (addr->port == 0)
        return bind_anonymous(s, addr);
    if (is_busy(s->table, addr->port, &binder))
        return -EADDRINUSE;
    return hold(s, addr, addr->port, false);
}

/* Try one port for @flow: 0, -EADDRINUSE: not this one, or -errno. */
static int try_for(struct sock *s, struct flow *flow, uint16_t port, usec_t now)
{
    struct sock_table *t = s->table;
    struct port_claimant binder;
    struct sock_addr local;

    flow->lport = port;
    local = local_of(flow);
    binder = claimant_of(s, &local);
    if (port == flow->rport && ip_addr_eq(&flow->local, &flow->remote))
        return -EADDRINUSE; /* it would talk to itself */
    if (ports_is_privileged(t, port) || is_busy_for_connect(t, port, &binder))
        return -EADDRINUSE;
    if (!tcp_flow_free(t->engine, flow, now))
        return -EADDRINUSE;
    return hold(s, &local, port, true);
}

/* How many ports the pool offers, without asking for each. */
static unsigned pool_size(const struct sock_table *t)
{
    unsigned low = 0, high = 1;

    while (high < PORT_COUNT && t->world.pool(t->world.ctx, high - 1) != 0) {
        low = high;
        high *= 2;
    }
    while (high - low > 1) { /* number low - 1 exists, number high - 1 does not */
        unsigned mid = low + (high - low) / 2;

        if (t->world.pool(t->world.ctx, mid - 1) != 0)
            low = mid;
        else
            high = mid;
    }
    return low;
}

/*
 * Not before the pool is as large as it may be: it is gone through in turn, so a
 * 4-tuple comes again only after that many others, and the peer, who may still
 * hold the old one in TIME-WAIT, sees a later timestamp and a higher number.
 */
static int bind_from_pool(struct sock *s, struct flow *flow, uint64_t start, usec_t now)
{
    struct sock_table *t = s->table;
    unsigned size = pool_size(t);

    if (size < t->tun->claim_pool)
        return -EADDRINUSE;
    for (unsigned i = 0; i < size; i++) {
        unsigned n = (unsigned)((start + i) % size);
        int r = try_for(s, flow, t->world.pool(t->world.ctx, n), now);

        if (r != -EADDRINUSE)
            return r;
    }
    return -EADDRINUSE;
}

int ports_bind_for(struct sock *s, struct flow *flow, usec_t now)
{
    struct sock_table *t = s->table;
    struct { struct ip_addr local, remote; uint32_t rport; } id = {
        flow->local, flow->remote, flow->rport,
    };
    uint64_t offset = siphash(&t->anon_key[0], &id, sizeof(id));
    uint32_t *counter = &t->anon_counter[siphash(&t->anon_key[1], &id, sizeof(id)) %
                                         SOCK_ANON_COUNTERS];
    uint32_t low, count, refused = 0;
    int r;

    r = bind_from_pool(s, flow, offset + *counter, now);
    if (r != -EADDRINUSE) {
        ++*counter;
        return r;
    }
    if (!anon_range(t, &low, &count))
        return -EADDRNOTAVAIL;
    for (uint32_t i = 0; i < count; i++) {
        r = try_for(s, flow, (uint16_t)(low + (offset + ++*counter) % count), now);
        if (r == -EADDRINUSE && ++refused < REFUSALS_MAX)
            continue;
        return r == -EADDRINUSE ? -EADDRNOTAVAIL : r;
    }
    return -EADDRNOTAVAIL;
}
