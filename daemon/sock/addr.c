/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IPv4 addresses come as mapped ones whatever the socket's family, so the rules
 * for a mapped address on an IPv6 socket are simply the rules for IPv4 addresses.
 */
#include "sock/addr.h"

#include <errno.h>
#include <sys/socket.h>

static const struct ip_addr loopback4 = { { [10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1 } };
static const struct ip_addr loopback6 = { { [15] = 1 } };

static int check_family(const struct sock *s, const struct ip_addr *addr)
{
    if (s->family == AF_INET && !ip_addr_is_v4(addr))
        return -EAFNOSUPPORT;
    if (s->family == AF_INET6 && s->opts.v6only && ip_addr_is_v4(addr))
        return -EADDRNOTAVAIL;
    return 0;
}

/* A link-local address needs its device; for any other the scope says nothing. */
static int settle_scope(const struct sock *s, struct sock_addr *addr)
{
    uint32_t bound = s->config.bound_ifindex;

    if (!ip_addr_is_linklocal(&addr->addr)) {
        addr->scope = 0;
        return 0;
    }
    if (addr->scope == 0)
        addr->scope = bound;
    if (addr->scope == 0 || (bound != 0 && addr->scope != bound))
        return -EINVAL;
    return 0;
}

int addr_check_bind(const struct sock *s, struct sock_addr *addr)
{
    const struct sock_world *world = &s->table->world;
    int r;

    r = check_family(s, &addr->addr);
    if (r < 0)
        return r;
    r = settle_scope(s, addr);
    if (r < 0)
        return r;
    if (ip_addr_is_any(&addr->addr))
        return 0;
    if (!ip_addr_is_unicast(&addr->addr) ||
        !world->is_local(world->ctx, &addr->addr, addr->scope))
        return -EADDRNOTAVAIL;
    return 0;
}

/* tcp.4p and illumos: connecting to nowhere in particular is connecting to this host. */
static void any_to_loopback(const struct sock *s, struct ip_addr *addr)
{
    bool v4 = ip_addr_is_v4(addr) || (s->binding && ip_addr_is_v4(&s->local.addr));

    if (ip_addr_is_any(addr))
        *addr = v4 ? loopback4 : loopback6;
}

int addr_check_connect(const struct sock *s, struct sock_addr *addr)
{
    int r;

    r = check_family(s, &addr->addr);
    if (r < 0)
        return r;
    if (addr->port == 0)
        return -EADDRNOTAVAIL;
    any_to_loopback(s, &addr->addr);
    r = settle_scope(s, addr);
    if (r < 0)
        return r;
    if (!ip_addr_is_unicast(&addr->addr))
        return -ENETUNREACH;
    /* Bound to an address of one family is bound to that family; :: is open to both. */
    if (s->binding && !ip_addr_eq(&s->local.addr, &IP_ADDR_ANY6) &&
        ip_addr_is_v4(&s->local.addr) != ip_addr_is_v4(&addr->addr))
        return -EADDRNOTAVAIL;
    return 0;
}

uint32_t addr_flow_zone(const struct sock_addr *addr)
{
    return ip_addr_is_linklocal(&addr->addr) ? addr->scope : 0;
}
