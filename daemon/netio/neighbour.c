/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hardware addresses of next hops, for super-frames only: whatever goes by raw
 * socket is resolved by the kernel. While an address is unknown, super-frames
 * leave in pieces by raw socket, and that makes the kernel resolve it.
 *
 * A packet socket does not touch the kernel's neighbour entry, which would go
 * stale and be collected under a busy connection. So once in a while the kernel
 * is told that it is in use (NTF_USE), and that the peer answers (MSG_CONFIRM).
 */
#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "netio/internal.h"
#include "netio/netlink.h"

#ifndef MSG_PROBE
#define MSG_PROBE 0x10 /* linux/socket.h */
#endif

#define POKE_EVERY  (2 * USEC_PER_SEC)
#define RETRY_AFTER (100 * USEC_PER_MSEC)

struct answer {
    bool valid;
    uint8_t hw[ETHER_ADDR_LEN];
};

static struct neighbour *slot_of(struct netio *n, const struct ip_addr *addr, uint32_t ifindex)
{
    uint64_t w[2], h = ifindex;

    memcpy(w, addr, sizeof(w));
    for (unsigned i = 0; i < 2; i++)
        h = (h ^ w[i]) * 0x9e3779b97f4a7c15ULL;
    return &n->neighbour[(h >> 40) % NEIGHBOUR_SLOTS];
}

static bool is_entry(const struct neighbour *e, const struct ip_addr *addr, uint32_t ifindex)
{
    return e->used && e->ifindex == ifindex && ip_addr_eq(&e->addr, addr);
}

static int on_entry(const struct nlmsghdr *h, void *ctx)
{
    const struct ndmsg *m = mnl_nlmsg_get_payload(h);
    const struct nlattr *a;
    struct answer *ans = ctx;

    if (mnl_nlmsg_get_payload_len(h) < sizeof(*m))
        return -EBADMSG;
    if (!(m->ndm_state & (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT)))
        return 0;
    NETLINK_EACH_ATTR(a, h, sizeof(*m))
    {
        if (mnl_attr_get_type(a) != NDA_LLADDR || mnl_attr_get_payload_len(a) != ETHER_ADDR_LEN)
            continue;
        memcpy(ans->hw, mnl_attr_get_payload(a), ETHER_ADDR_LEN);
        ans->valid = true;
    }
    return 0;
}

static struct nlmsghdr *put_request(struct netio *n, uint8_t *buf, uint16_t type,
                                    const struct ip_addr *addr, uint32_t ifindex, uint8_t ntf)
{
    struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
    struct ndmsg *m;

    h->nlmsg_type = type;
    h->nlmsg_flags = NLM_F_REQUEST;
    h->nlmsg_seq = ++n->routes.seq;
    m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
    m->ndm_family = ip_addr_is_v4(addr) ? AF_INET : AF_INET6;
    m->ndm_ifindex = (int)ifindex;
    m->ndm_flags = ntf;
    if (ip_addr_is_v4(addr))
        mnl_attr_put(h, NDA_DST, 4, addr->b + 12);
    else
        mnl_attr_put(h, NDA_DST, 16, addr->b);
    return h;
}

const uint8_t *neighbour_find(struct netio *n, const struct ip_addr *addr, uint32_t ifindex)
{
    struct neighbour *e = slot_of(n, addr, ifindex);
    _Alignas(struct nlmsghdr) uint8_t buf[128];
    struct answer ans = { 0 };
    bool known = is_entry(e, addr, ifindex);
    int r;

    if (known && e->resolved)
        return e->hw;
    if (known && usec_since(e->checked_at, n->now) < RETRY_AFTER)
        return NULL;
    r = netlink_talk(n->fds.route, put_request(n, buf, RTM_GETNEIGH, addr, ifindex, 0), on_entry,
                     &ans);
    *e = (struct neighbour){
        .addr = *addr,
        .ifindex = ifindex,
        .used = true,
        .resolved = r == 0 && ans.valid,
        .checked_at = n->now,
    };
    memcpy(e->hw, ans.hw, sizeof(e->hw));
    return e->resolved ? e->hw : NULL;
}

/* Sends nothing: with MSG_PROBE an empty datagram only confirms the entry of its next hop. */
static void confirm(struct netio *n, const struct ip_addr *addr, uint32_t ifindex)
{
    struct sockaddr_in in = { .sin_family = AF_INET };
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_scope_id = ifindex };

    if (ip_addr_is_v4(addr)) {
        memcpy(&in.sin_addr, addr->b + 12, 4);
        (void)sendto(n->fds.raw4_out, "", 0, MSG_CONFIRM | MSG_PROBE | MSG_DONTWAIT,
                     (struct sockaddr *)&in, sizeof(in));
    } else {
        memcpy(&in6.sin6_addr, addr->b, 16);
        (void)sendto(n->fds.raw6_out, "", 0, MSG_CONFIRM | MSG_PROBE | MSG_DONTWAIT,
                     (struct sockaddr *)&in6, sizeof(in6));
    }
}

void neighbour_in_use(struct netio *n, const struct ip_addr *addr, uint32_t ifindex, bool progress)
{
    struct neighbour *e = slot_of(n, addr, ifindex);
    _Alignas(struct nlmsghdr) uint8_t buf[128];
    struct nlmsghdr *h;

    if (!is_entry(e, addr, ifindex))
        return;
    if (e->poked_at && usec_since(e->poked_at, n->now) < POKE_EVERY)
        return;
    e->poked_at = MAX(n->now, (usec_t)1);
    h = put_request(n, buf, RTM_NEWNEIGH, addr, ifindex, NTF_USE);
    h->nlmsg_flags |= NLM_F_CREATE | NLM_F_ACK;
    (void)netlink_talk(n->fds.route, h, NULL, NULL);
    if (progress)
        confirm(n, addr, ifindex);
}

/* The time of the last poke stays: our own pokes cause these events. */
void neighbour_forget(struct netio *n, const struct ip_addr *addr, uint32_t ifindex)
{
    struct neighbour *e = slot_of(n, addr, ifindex);

    if (!is_entry(e, addr, ifindex))
        return;
    e->resolved = false;
    e->checked_at = n->now > RETRY_AFTER ? n->now - RETRY_AFTER : 0;
}

void neighbour_forget_all(struct netio *n)
{
    memset(n->neighbour, 0, NEIGHBOUR_SLOTS * sizeof(*n->neighbour));
}
