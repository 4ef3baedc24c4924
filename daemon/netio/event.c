/* SPDX-License-Identifier: BSD-2-Clause */
/* rtnetlink notifications: nothing is taken from them but that something changed. */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "netio/internal.h"
#include "netio/netlink.h"

#define EVENT_BYTES 32768

static void on_neighbour(struct netio *n, const struct nlmsghdr *h)
{
    const struct ndmsg *m = mnl_nlmsg_get_payload(h);
    const struct nlattr *a;

    if (mnl_nlmsg_get_payload_len(h) < sizeof(*m))
        return;
    NETLINK_EACH_ATTR(a, h, sizeof(*m))
    {
        uint16_t len = mnl_attr_get_payload_len(a);
        struct ip_addr addr;

        if (mnl_attr_get_type(a) != NDA_DST || (len != 4 && len != 16))
            continue;
        addr = len == 4 ? ip_addr_v4(mnl_attr_get_payload(a)) : ip_addr_v6(mnl_attr_get_payload(a));
        neighbour_forget(n, &addr, (uint32_t)m->ndm_ifindex);
    }
}

/* True: routes may have changed. */
static bool on_event(struct netio *n, const struct nlmsghdr *h)
{
    switch (h->nlmsg_type) {
    case RTM_NEWNEIGH:
    case RTM_DELNEIGH:
        on_neighbour(n, h);
        return false;
    case RTM_NEWADDR:
    case RTM_DELADDR:
        n->routes.addresses_stale = true;
        return true;
    case RTM_NEWLINK:
    case RTM_DELLINK:
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
    case RTM_NEWRULE:
    case RTM_DELRULE:
    case RTM_NEWNEXTHOP:
    case RTM_DELNEXTHOP:
        return true;
    default:
        return false;
    }
}

static void forget_everything(struct netio *n)
{
    n->routes.addresses_stale = true;
    neighbour_forget_all(n);
}

/* Reads one message of the socket. 1: read, 0: none waits. */
static int read_events(struct netio *n, bool *changed)
{
    _Alignas(struct nlmsghdr) uint8_t buf[EVENT_BYTES];
    struct sockaddr_nl from = { 0 };
    struct iovec iov = { buf, sizeof(buf) };
    struct msghdr m = {
        .msg_name = &from,
        .msg_namelen = sizeof(from),
        .msg_iov = &iov,
        .msg_iovlen = 1,
    };
    ssize_t len = recvmsg(n->fds.route_events, &m, MSG_DONTWAIT);
    int left;

    if (len < 0 && errno == EINTR)
        return 1;
    if (len < 0 && errno != ENOBUFS)
        return 0;
    if (len < 0 || m.msg_flags & MSG_TRUNC) { /* events were lost */
        forget_everything(n);
        *changed = true;
        return 1;
    }
    if (from.nl_pid != 0)
        return 1;
    left = (int)len;
    for (struct nlmsghdr *h = (struct nlmsghdr *)buf; mnl_nlmsg_ok(h, left);
         h = mnl_nlmsg_next(h, &left))
        *changed |= on_event(n, h);
    return 1;
}

/* Messages of one wake-up: a storm of them must not keep the loop. */
#define EVENT_BUDGET 1024

void netio_route_input(struct netio *n, usec_t now)
{
    bool changed = n->routes_lost;

    n->now = now;
    n->routes_lost = false;
    for (int i = 0; i < EVENT_BUDGET && read_events(n, &changed); i++)
        ;
    if (!changed)
        return;
    n->routes.links_stale = true; /* a router's MTU changes a device without an event of its own */
    route_flush(n);
    if (n->handler.routes_changed)
        n->handler.routes_changed(n->handler.ctx, now);
}
