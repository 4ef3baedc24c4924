/* SPDX-License-Identifier: BSD-2-Clause */
#include "loop/world.h"

static int claim(void *ctx, uint16_t *port)
{
    return netio_claim(ctx, port);
}

static int claim_anonymous(void *ctx, uint16_t *port)
{
    return netio_claim_anonymous(ctx, port);
}

static void release(void *ctx, uint16_t port)
{
    netio_release(ctx, port);
}

static uint16_t pool(void *ctx, unsigned n)
{
    return netio_pool(ctx, n);
}

static int route(void *ctx, const struct flow *flow, uint32_t bound_ifindex, struct path *ret)
{
    return netio_route(ctx, flow, bound_ifindex, ret);
}

static bool is_local(void *ctx, const struct ip_addr *addr, uint32_t scope)
{
    return netio_is_local(ctx, addr, scope);
}

static int ifindex(void *ctx, const char *name)
{
    return netio_ifindex(ctx, name);
}

static int ifname(void *ctx, uint32_t index, char name[16])
{
    return netio_ifname(ctx, index, name);
}

struct sock_world world_of_netio(struct netio *n)
{
    return (struct sock_world){
        .ctx = n,
        .claim = claim,
        .claim_anonymous = claim_anonymous,
        .release = release,
        .pool = pool,
        .route = route,
        .is_local = is_local,
        .ifindex = ifindex,
        .ifname = ifname,
    };
}

static void claimed(void *ctx, int fd, uint16_t port)
{
    state_fd_add(ctx, fd, STATE_FD_CLAIM, port);
}

static void close_later(void *ctx, int fd)
{
    state_fd_close_later(ctx, fd);
}

struct netio_registry world_registry(struct state *s)
{
    return (struct netio_registry){ s, claimed, close_later };
}

void world_netio_pairs(void *ctx, void (*pair)(void *arg, const char *name, uint64_t value),
                       void *arg)
{
    struct netio_stats stats;

    netio_stats(ctx, &stats);
    pair(arg, "packets_in", stats.packets_in);
    pair(arg, "packets_out", stats.packets_out);
    pair(arg, "supers_out", stats.supers_out);
    pair(arg, "supers_cut", stats.supers_cut);
    pair(arg, "send_errors", stats.send_errors);
    pair(arg, "icmp_in", stats.icmp_in);
    pair(arg, "short_in", stats.short_in);
    pair(arg, "not_ours", stats.not_ours);
}

unsigned world_port_claims(void *ctx)
{
    return netio_claims(ctx);
}
