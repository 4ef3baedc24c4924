/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The host's devices and addresses, as tables dumped from rtnetlink. An event
 * only marks a table stale; the next question reads it anew. So nothing has to be
 * kept in step message by message, and a lost event costs one dump.
 */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/ipv6.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "netio/internal.h"
#include "netio/netlink.h"

/* How often a dump is repeated that changed while it was read. */
#define DUMP_TRIES 3

struct dump {
    void *items;
    unsigned count, room;
    size_t item_bytes;
};

static void *dump_add(struct dump *d)
{
    if (d->count == d->room) {
        unsigned room = d->room ? 2 * d->room : 16;
        void *p = realloc(d->items, room * d->item_bytes);

        if (!p)
            return NULL;
        d->items = p;
        d->room = room;
    }
    return memset((uint8_t *)d->items + d->count++ * d->item_bytes, 0, d->item_bytes);
}

/* Dump with @type for @family; the result replaces *items even if it is empty. */
static int dump_run(struct netio *n, uint16_t type, size_t hdr_bytes, netlink_cb cb, struct dump *d)
{
    int r = 0;

    for (int i = 0; i < DUMP_TRIES; i++) {
        _Alignas(struct nlmsghdr) uint8_t buf[128];
        struct nlmsghdr *h = mnl_nlmsg_put_header(buf);

        h->nlmsg_type = type;
        h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
        h->nlmsg_seq = ++n->routes.seq;
        mnl_nlmsg_put_extra_header(h, hdr_bytes);
        d->count = 0;
        r = netlink_talk(n->fds.route, h, cb, d);
        if (r != -EINTR)
            break;
    }
    return r == -EINTR ? 0 : r; /* it keeps changing: an event follows */
}

/* ---- devices ------------------------------------------------------------------------------------
 */

/* IPv6's own MTU of the device: the one of router advertisements. */
static uint32_t inet6_mtu(const struct nlattr *af_spec)
{
    const struct nlattr *family, *a;

    NETLINK_EACH_NESTED(family, af_spec)
    {
        if (mnl_attr_get_type(family) != AF_INET6)
            continue;
        NETLINK_EACH_NESTED(a, family)
        {
            uint32_t conf[DEVCONF_MTU6 + 1];

            if (mnl_attr_get_type(a) != IFLA_INET6_CONF ||
                mnl_attr_get_payload_len(a) < sizeof(conf))
                continue;
            memcpy(conf, mnl_attr_get_payload(a), sizeof(conf));
            return conf[DEVCONF_MTU6];
        }
    }
    return 0;
}

static uint32_t get_u32(const struct nlattr *a)
{
    return mnl_attr_get_payload_len(a) >= sizeof(uint32_t) ? mnl_attr_get_u32(a) : 0;
}

static void read_link_attr(const struct nlattr *a, struct link *l)
{
    uint16_t len = mnl_attr_get_payload_len(a);

    switch (mnl_attr_get_type(a)) {
    case IFLA_IFNAME:
        memcpy(l->name, mnl_attr_get_payload(a), MIN((size_t)len, sizeof(l->name) - 1));
        break;
    case IFLA_MTU:
        l->mtu = get_u32(a);
        break;
    case IFLA_GSO_MAX_SIZE:
        l->gso_max = get_u32(a);
        break;
    case IFLA_ADDRESS:
        if (len == ETHER_ADDR_LEN) {
            memcpy(l->hw, mnl_attr_get_payload(a), len);
            l->hw_len = ETHER_ADDR_LEN;
        }
        break;
    case IFLA_AF_SPEC:
        l->mtu6 = inet6_mtu(a);
        break;
    default:
        break;
    }
}

static int on_link(const struct nlmsghdr *h, void *ctx)
{
    const struct ifinfomsg *m = mnl_nlmsg_get_payload(h);
    const struct nlattr *a;
    struct link *l;

    if (h->nlmsg_type != RTM_NEWLINK || mnl_nlmsg_get_payload_len(h) < sizeof(*m))
        return 0;
    l = dump_add(ctx);
    if (!l)
        return -ENOMEM;
    l->ifindex = (uint32_t)m->ifi_index;
    l->type = m->ifi_type;
    l->flags = m->ifi_flags;
    l->gso_max = UINT32_MAX;
    NETLINK_EACH_ATTR(a, h, sizeof(*m))
    read_link_attr(a, l);
    return 0;
}

static struct link *find(struct routes *t, uint32_t ifindex)
{
    for (unsigned i = 0; i < t->links; i++) {
        if (t->link[i].ifindex == ifindex)
            return &t->link[i];
    }
    return NULL;
}

/* The ban on super-frames outlives the dump while the device keeps its number and name. */
static void keep_bans(struct routes *t, const struct dump *d)
{
    struct link *fresh = d->items;

    for (unsigned i = 0; i < d->count; i++) {
        const struct link *old = find(t, fresh[i].ifindex);

        if (old && strcmp(old->name, fresh[i].name) == 0)
            fresh[i].no_gso = old->no_gso;
    }
}

static int refresh_links(struct netio *n)
{
    struct dump d = { .item_bytes = sizeof(struct link) };
    struct routes *t = &n->routes;
    int r;

    if (!t->links_stale)
        return 0;
    r = dump_run(n, RTM_GETLINK, sizeof(struct ifinfomsg), on_link, &d);
    if (r) {
        free(d.items);
        return r;
    }
    keep_bans(t, &d);
    free(t->link);
    t->link = d.items;
    t->links = d.count;
    t->links_stale = false;
    return 0;
}

struct link *link_find(struct netio *n, uint32_t ifindex)
{
    return refresh_links(n) ? NULL : find(&n->routes, ifindex);
}

int netio_ifindex(struct netio *n, const char *name)
{
    if (refresh_links(n))
        return -ENODEV;
    for (unsigned i = 0; i < n->routes.links; i++) {
        if (strncmp(n->routes.link[i].name, name, IFNAMSIZ) == 0)
            return (int)n->routes.link[i].ifindex;
    }
    return -ENODEV;
}

int netio_ifname(struct netio *n, uint32_t ifindex, char name[16])
{
    const struct link *l = link_find(n, ifindex);

    if (!l)
        return -ENODEV;
    memcpy(name, l->name, IFNAMSIZ);
    return 0;
}

/* ---- addresses ----------------------------------------------------------------------------------
 */

static int on_address(const struct nlmsghdr *h, void *ctx)
{
    const struct ifaddrmsg *m = mnl_nlmsg_get_payload(h);
    const struct nlattr *a, *local = NULL, *address = NULL;
    size_t want;
    uint32_t flags;
    struct address *item;

    if (h->nlmsg_type != RTM_NEWADDR || mnl_nlmsg_get_payload_len(h) < sizeof(*m))
        return 0;
    if (m->ifa_family != AF_INET && m->ifa_family != AF_INET6)
        return 0;
    flags = m->ifa_flags;
    want = m->ifa_family == AF_INET ? 4 : 16;
    NETLINK_EACH_ATTR(a, h, sizeof(*m))
    {
        if (mnl_attr_get_type(a) == IFA_LOCAL && mnl_attr_get_payload_len(a) == want)
            local = a;
        else if (mnl_attr_get_type(a) == IFA_ADDRESS && mnl_attr_get_payload_len(a) == want)
            address = a;
        else if (mnl_attr_get_type(a) == IFA_FLAGS)
            flags = get_u32(a);
    }
    if (!local)
        local = address; /* on a point-to-point device IFA_ADDRESS is the peer's */
    /* An address that may turn out to be somebody else's is not ours yet. */
    if (!local || (flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED) && !(flags & IFA_F_OPTIMISTIC)))
        return 0;
    item = dump_add(ctx);
    if (!item)
        return -ENOMEM;
    item->ifindex = m->ifa_index;
    item->addr = want == 4 ? ip_addr_v4(mnl_attr_get_payload(local))
                           : ip_addr_v6(mnl_attr_get_payload(local));
    return 0;
}

bool address_is_local(struct netio *n, const struct ip_addr *addr, uint32_t ifindex)
{
    struct routes *t = &n->routes;

    if (t->addresses_stale) {
        struct dump d = { .item_bytes = sizeof(struct address) };

        if (dump_run(n, RTM_GETADDR, sizeof(struct ifaddrmsg), on_address, &d)) {
            free(d.items);
            return false;
        }
        free(t->address);
        t->address = d.items;
        t->addresses = d.count;
        t->addresses_stale = false;
    }
    for (unsigned i = 0; i < t->addresses; i++) {
        if (ip_addr_eq(&t->address[i].addr, addr) && (!ifindex || t->address[i].ifindex == ifindex))
            return true;
    }
    return false;
}
