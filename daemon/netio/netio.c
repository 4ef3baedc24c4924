/* SPDX-License-Identifier: BSD-2-Clause */
#include "netio/netio.h"

#include <errno.h>
#include <stdlib.h>

#include "netio/internal.h"

DEFINE_CLEANUP(struct netio *, netio_free)

/* design.md 3: what one wake-up takes in. */
#define INPUT_BYTES (1u << 20)

static int sendq_init(struct netio *n)
{
    struct sendq *q = &n->sendq;

    q->slot = calloc(SEND_BATCH, sizeof(*q->slot));
    q->part = calloc(SEND_BATCH, sizeof(*q->part));
    q->msg = calloc(SEND_BATCH, sizeof(*q->msg));
    q->cut_msg = calloc(SEND_BATCH, sizeof(*q->cut_msg));
    return q->slot && q->part && q->msg && q->cut_msg ? 0 : -ENOMEM;
}

static void sendq_deinit(struct netio *n)
{
    free(n->sendq.slot);
    free(n->sendq.part);
    free(n->sendq.msg);
    free(n->sendq.cut_msg);
}

int netio_new(const struct netio_init *init, struct netio **ret)
{
    _cleanup_(netio_freep) struct netio *n = NULL;
    int r;

    n = calloc(1, sizeof(*n));
    if (!n)
        return -ENOMEM;
    n->fds = init->fds;
    n->handler = init->handler;
    n->registry = init->registry;
    n->raw_only = init->raw_only;
    n->ct = calloc(CONNTRACK_CACHE_SLOTS, sizeof(*n->ct));
    if (!n->ct)
        return -ENOMEM;
    r = port_filter_init(&n->filter, n->fds.port_map, n->fds.raw4_in, n->fds.raw6_in);
    if (!r)
        r = claims_init(n, init);
    if (!r)
        r = receiver_init(n);
    if (!r)
        r = sendq_init(n);
    if (!r)
        r = routes_init(n);
    if (r)
        return r;
    conntrack_init(n);
    *ret = TAKE(n);
    return 0;
}

struct netio *netio_free(struct netio *n)
{
    if (!n)
        return NULL;
    routes_deinit(n);
    sendq_deinit(n);
    receiver_deinit(n);
    claims_deinit(n);
    port_filter_deinit(&n->filter);
    free(n->ct);
    free(n);
    return NULL;
}

/* The families take turns, batch by batch, so that neither waits for the other. */
unsigned netio_input(struct netio *n, unsigned sources, unsigned budget, usec_t now)
{
    size_t bytes = INPUT_BYTES;

    n->now = now;
    if (n->routes_lost)
        netio_route_input(n, now);
    if (sources & NETIO_ICMP4 && !icmp_in_receive(n, n->fds.icmp4, AF_INET))
        sources &= ~(unsigned)NETIO_ICMP4;
    if (sources & NETIO_ICMP6 && !icmp_in_receive(n, n->fds.icmp6, AF_INET6))
        sources &= ~(unsigned)NETIO_ICMP6;
    while (budget && bytes && sources & (NETIO_RAW4 | NETIO_RAW6)) {
        if (sources & NETIO_RAW4 &&
            !receiver_batch(n, n->fds.raw4_in, AF_INET, &budget, &bytes))
            sources &= ~(unsigned)NETIO_RAW4;
        if (sources & NETIO_RAW6 && budget &&
            !receiver_batch(n, n->fds.raw6_in, AF_INET6, &budget, &bytes))
            sources &= ~(unsigned)NETIO_RAW6;
    }
    return sources;
}

void netio_watch(const struct netio *n, struct netio_watch *ret)
{
    *ret = (struct netio_watch){
        .input = { n->fds.raw4_in, n->fds.raw6_in, n->fds.icmp4, n->fds.icmp6 },
        .route_events = n->fds.route_events,
    };
}

void netio_stats(const struct netio *n, struct netio_stats *ret)
{
    *ret = n->stats;
    ret->claims = n->ports.open;
}
