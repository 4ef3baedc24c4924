/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bind() and connect(): a socket gets its addresses.
 *
 * A bind of its own comes first or is made on the way: the route gives the
 * source address, then the port is chosen for the whole 4-tuple, then the engine
 * sends the SYN. A step that fails leaves the socket as it was.
 */
#include <errno.h>

#include "sock/addr.h"
#include "sock/handle.h"
#include "sock/ports.h"

int sock_bind(struct sock *s, const struct sock_addr *addr, const struct cred *cred)
{
    struct sock_addr wanted = *addr;
    int r;

    if (s->state != SOCK_IDLE)
        return -EINVAL;
    r = addr_check_bind(s, &wanted);
    if (r < 0)
        return r;
    if (wanted.port != 0 && ports_is_privileged(s->table, wanted.port) && !cred->bind_service)
        return -EACCES;
    r = ports_bind(s, &wanted);
    if (r < 0)
        return r;
    s->state = SOCK_BOUND;
    return 0;
}

static int check_state(const struct sock *s)
{
    switch (s->state) {
    case SOCK_IDLE:
    case SOCK_BOUND:
        return 0;
    case SOCK_LISTENING:
        return -EOPNOTSUPP;
    case SOCK_CONNECTING:
        return -EALREADY;
    case SOCK_CONNECTED:
        return -EISCONN;
    case SOCK_DEAD:
        break;
    }
    return -ECONNABORTED;
}

/* The 4-tuple, as far as it is known before a port is chosen, and the way to the peer. */
static int find_way(const struct sock *s, const struct sock_addr *remote, struct tcp_open *ret)
{
    const struct sock_world *world = &s->table->world;
    bool v4 = ip_addr_is_v4(&remote->addr);
    struct flow flow = {
        .local = v4 ? IP_ADDR_ANY4 : IP_ADDR_ANY6,
        .remote = remote->addr,
        .rport = remote->port,
        .lport = s->local.port,
        .zone = addr_flow_zone(remote),
    };
    struct path path;
    int r;

    if (!ip_addr_is_any(&s->local.addr))
        flow.local = s->local.addr;
    r = world->route(world->ctx, &flow, s->config.bound_ifindex, &path);
    if (r < 0)
        return r;
    if (ip_addr_is_any(&flow.local))
        flow.local = path.src;
    if (ip_addr_is_any(&flow.local) || ip_addr_is_v4(&flow.local) != v4)
        return -EADDRNOTAVAIL;
    if (flow.lport == flow.rport && ip_addr_eq(&flow.local, &flow.remote))
        return -EADDRNOTAVAIL; /* itself */
    *ret = (struct tcp_open){ .flow = flow, .path = path, .config = s->config, .user = s->id };
    return 0;
}

static int open_connection(struct sock *s, struct tcp_open *open, usec_t now)
{
    struct sock_table *t = s->table;
    bool was_bound = s->binding != NULL;
    struct sock_addr before = s->local;
    struct tcp_conn *conn;
    int r;

    if (idmap_reserve(&t->links) < 0)
        return -ENOMEM;
    r = was_bound ? 0 : ports_bind_for(s, &open->flow, now);
    if (r < 0)
        return r;
    r = tcp_connect(t->engine, open, now, &conn);
    if (r < 0) {
        if (!was_bound)
            ports_release(t, s->binding);
        s->local = before;
        return r;
    }
    ports_link(s, conn);
    return 0;
}

int sock_connect(struct sock *s, const struct sock_addr *addr, const struct cred *cred, usec_t now)
{
    struct sock_addr remote = *addr;
    struct tcp_open open;
    int r;

    r = check_state(s);
    if (r < 0)
        return r;
    r = addr_check_connect(s, &remote);
    if (r < 0)
        return r;
    r = find_way(s, &remote, &open);
    if (r < 0)
        return r;
    r = open_connection(s, &open, now);
    if (r < 0)
        return r;
    s->remote = remote;
    s->state = SOCK_CONNECTING;
    sock_touch(s);
    return -EINPROGRESS;
}
