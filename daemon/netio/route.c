/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which way a flow goes is the kernel's decision: we ask it (RTM_GETROUTE) with
 * everything that policy rules may look at, and remember the answer until
 * rtnetlink reports any change of links, addresses, routes or rules. A device
 * that goes down takes its IPv4 routes along without a word about each, hence the
 * whole cache goes.
 *
 * An MTU that comes from the kernel's own path MTU cache is left out: it expires
 * without notice, other sockets may have been fooled into it, and path MTU
 * discovery for our flows is the engine's.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_arp.h>
#include <linux/lwtunnel.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/random.h>

#include "netio/internal.h"
#include "netio/netlink.h"

#define IP4_PACKET_MAX 65535u
#define IP6_PACKET_MAX (65535u + IP6_HDR_LEN)

/* What is read from one answer. */
struct answer {
    uint8_t family, type;
    bool cloned;  /* rtm_flags */
    bool expires; /* of the path MTU cache, or of a router advertisement */
    bool has_gateway, encap, has_src;
    uint32_t oif, mtu;
    struct ip_addr gateway, src;
};

int routes_init(struct netio *n)
{
    struct routes *t = &n->routes;

    t->cache = calloc(ROUTE_CACHE_SLOTS, sizeof(*t->cache));
    n->neighbour = calloc(NEIGHBOUR_SLOTS, sizeof(*n->neighbour));
    if (!t->cache || !n->neighbour)
        return -ENOMEM;
    t->generation = 1;
    t->links_stale = t->addresses_stale = t->ipsec_stale = true;
    /* A former worker's answers may still wait on the socket: do not take them for ours. */
    (void)getrandom(&t->seq, sizeof(t->seq), 0);
    return 0;
}

void routes_deinit(struct netio *n)
{
    free(n->routes.cache);
    free(n->routes.link);
    free(n->routes.address);
    free(n->neighbour);
}

void route_flush(struct netio *n)
{
    n->routes.generation++;
    n->routes.ipsec_stale = true;
}

/* ---- the question -------------------------------------------------------------------------------
 */

static void put_addr(struct nlmsghdr *h, uint16_t type, const struct ip_addr *a, bool v4)
{
    if (v4)
        mnl_attr_put(h, type, 4, a->b + 12);
    else
        mnl_attr_put(h, type, 16, a->b);
}

static bool read_addr(const struct nlattr *a, uint8_t family, struct ip_addr *ret)
{
    uint16_t len = mnl_attr_get_payload_len(a);

    if (family == AF_INET && len == 4)
        *ret = ip_addr_v4(mnl_attr_get_payload(a));
    else if (family == AF_INET6 && len == 16)
        *ret = ip_addr_v6(mnl_attr_get_payload(a));
    else
        return false;
    return true;
}

/* RTA_VIA: a next hop of the other family; two bytes of family, then the address. */
static bool read_via(const struct nlattr *a, struct ip_addr *ret)
{
    const uint8_t *p = mnl_attr_get_payload(a);
    uint16_t len = mnl_attr_get_payload_len(a), family;

    if (len < sizeof(family))
        return false;
    memcpy(&family, p, sizeof(family));
    if (family == AF_INET && len == 2 + 4)
        *ret = ip_addr_v4(p + 2);
    else if (family == AF_INET6 && len == 2 + 16)
        *ret = ip_addr_v6(p + 2);
    else
        return false;
    return true;
}

static uint32_t read_mtu(const struct nlattr *metrics)
{
    const struct nlattr *a;

    NETLINK_EACH_NESTED(a, metrics)
    {
        if (mnl_attr_get_type(a) == RTAX_MTU && mnl_attr_get_payload_len(a) == 4)
            return mnl_attr_get_u32(a);
    }
    return 0;
}

static void read_attr(const struct nlattr *a, struct answer *ans)
{
    switch (mnl_attr_get_type(a)) {
    case RTA_OIF:
        if (mnl_attr_get_payload_len(a) == 4)
            ans->oif = mnl_attr_get_u32(a);
        break;
    case RTA_GATEWAY:
        ans->has_gateway = read_addr(a, ans->family, &ans->gateway);
        break;
    case RTA_VIA:
        ans->has_gateway = read_via(a, &ans->gateway);
        break;
    case RTA_PREFSRC:
        ans->has_src = read_addr(a, ans->family, &ans->src);
        break;
    case RTA_METRICS:
        ans->mtu = read_mtu(a);
        break;
    case RTA_ENCAP_TYPE:
        ans->encap = true;
        break;
    case RTA_CACHEINFO:
        if (mnl_attr_get_payload_len(a) >= sizeof(struct rta_cacheinfo)) {
            struct rta_cacheinfo ci;

            memcpy(&ci, mnl_attr_get_payload(a), sizeof(ci));
            ans->expires = ci.rta_expires != 0;
        }
        break;
    default:
        break;
    }
}

static int on_route(const struct nlmsghdr *h, void *ctx)
{
    const struct rtmsg *m = mnl_nlmsg_get_payload(h);
    struct answer *ans = ctx;
    const struct nlattr *a;

    if (h->nlmsg_type != RTM_NEWROUTE || mnl_nlmsg_get_payload_len(h) < sizeof(*m))
        return -EBADMSG;
    *ans = (struct answer){
        .family = m->rtm_family,
        .type = m->rtm_type,
        .cloned = m->rtm_flags & RTM_F_CLONED,
    };
    NETLINK_EACH_ATTR(a, h, sizeof(*m))
    read_attr(a, ans);
    return 0;
}

static int ask(struct netio *n, const struct flow *f, uint32_t oif, uint32_t rtm_flags,
               struct answer *ret)
{
    _Alignas(struct nlmsghdr) uint8_t buf[256];
    bool v4 = ip_addr_is_v4(&f->remote);
    struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
    struct rtmsg *m;

    h->nlmsg_type = RTM_GETROUTE;
    h->nlmsg_flags = NLM_F_REQUEST;
    h->nlmsg_seq = ++n->routes.seq;
    m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
    m->rtm_family = v4 ? AF_INET : AF_INET6;
    m->rtm_dst_len = v4 ? 32 : 128;
    m->rtm_flags = rtm_flags;
    put_addr(h, RTA_DST, &f->remote, v4);
    if (!ip_addr_is_any(&f->local)) {
        m->rtm_src_len = m->rtm_dst_len;
        put_addr(h, RTA_SRC, &f->local, v4);
    }
    if (oif)
        mnl_attr_put_u32(h, RTA_OIF, oif);
    mnl_attr_put_u8(h, RTA_IP_PROTO, IPPROTO_TCP);
    if (f->lport)
        mnl_attr_put_u16(h, RTA_SPORT, htons(f->lport));
    if (f->rport)
        mnl_attr_put_u16(h, RTA_DPORT, htons(f->rport));
    return netlink_talk(n->fds.route, h, on_route, ret);
}

/* ---- the answer ---------------------------------------------------------------------------------
 */

static int errno_of(int r)
{
    switch (r) {
    case -EHOSTUNREACH:
    case -EACCES:
    case -EADDRNOTAVAIL:
        return r;
    default:
        return -ENETUNREACH; /* no route, a blackhole, a device that is gone */
    }
}

static uint32_t path_mtu(const struct answer *ans, const struct link *l)
{
    bool v4 = ans->family == AF_INET;
    uint32_t mtu = l->mtu;

    if (!v4 && l->mtu6)
        mtu = MIN(mtu, l->mtu6);
    if (ans->mtu && !(v4 ? ans->expires : ans->cloned))
        mtu = MIN(mtu, ans->mtu);
    return MIN(mtu, v4 ? IP4_PACKET_MAX : IP6_PACKET_MAX);
}

static bool super_allowed(struct netio *n, const struct answer *ans, const struct link *l)
{
    return !n->raw_only && n->fds.packet_out >= 0 && ans->type == RTN_UNICAST && !ans->encap &&
           l->type == ARPHRD_ETHER && l->hw_len == ETHER_ADDR_LEN && !l->no_gso &&
           (l->flags & IFF_UP) && !(l->flags & (IFF_NOARP | IFF_LOOPBACK | IFF_POINTOPOINT)) &&
           !ipsec_active(n);
}

void netio_set_raw_only(struct netio *n, bool raw_only)
{
    if (n->raw_only == raw_only)
        return;
    n->raw_only = raw_only;
    route_flush(n);
}

/* Device limits below a few segments are not worth the trouble. */
static uint32_t super_max(struct netio *n, const struct answer *ans, const struct link *l)
{
    uint32_t max = MIN(SUPER_FRAME_MAX, l->gso_max);

    return super_allowed(n, ans, l) && max > 2 * l->mtu ? max : 0;
}

static int fill(struct netio *n, const struct answer *ans, struct route *r)
{
    const struct link *l = link_find(n, ans->oif);

    if (ans->type != RTN_UNICAST && ans->type != RTN_LOCAL && ans->type != RTN_ANYCAST)
        return -ENETUNREACH;
    if (!l)
        return -ENETUNREACH;
    r->path = (struct path){
        .src = r->flow.local,
        .ifindex = ans->oif,
        .mtu = path_mtu(ans, l),
        .on_link = !ans->has_gateway,
        .loopback = ans->type == RTN_LOCAL || l->flags & IFF_LOOPBACK,
    };
    if (ip_addr_is_any(&r->flow.local)) {
        if (!ans->has_src)
            return -EADDRNOTAVAIL;
        r->path.src = ans->src;
    }
    if (!r->path.loopback)
        r->path.gso_max = super_max(n, ans, l);
    memcpy(r->hw, l->hw, sizeof(r->hw));
    r->next_hop = ans->has_gateway ? ans->gateway : r->flow.remote;
    return 0;
}

/*
 * With a device given, IPv4 takes a destination without any route for a
 * neighbour. We do not: RTM_F_FIB_MATCH tells whether a route was found.
 */
static int resolve(struct netio *n, struct route *r)
{
    bool v4 = ip_addr_is_v4(&r->flow.remote);
    uint32_t oif = r->flow.zone ? r->flow.zone : r->bound_ifindex;
    struct answer ans, match;
    int err;

    if (!ip_addr_is_unicast(&r->flow.remote))
        return -ENETUNREACH;
    if (!ip_addr_is_any(&r->flow.local)) {
        if (ip_addr_is_v4(&r->flow.local) != v4 || !netio_is_local(n, &r->flow.local, r->flow.zone))
            return -EADDRNOTAVAIL;
    }
    if (ip_addr_is_linklocal(&r->flow.remote) && !oif)
        return -ENETUNREACH;

    err = ask(n, &r->flow, oif, 0, &ans);
    if (err)
        return errno_of(err);
    if (v4 && oif && ans.type == RTN_UNICAST && ask(n, &r->flow, oif, RTM_F_FIB_MATCH, &match))
        return -ENETUNREACH;
    return fill(n, &ans, r);
}

/* ---- the cache ----------------------------------------------------------------------------------
 */

static bool flow_eq(const struct flow *a, const struct flow *b)
{
    return ip_addr_eq(&a->local, &b->local) && ip_addr_eq(&a->remote, &b->remote) &&
           a->lport == b->lport && a->rport == b->rport && a->zone == b->zone;
}

/* A collision costs a question to the kernel, no more: no need for a keyed hash. */
static uint32_t flow_slot(const struct flow *f, uint32_t ifindex)
{
    uint64_t h = (uint64_t)f->lport << 32 | (uint64_t)f->rport << 16 | ifindex, w[4];

    memcpy(w, &f->local, 16);
    memcpy(w + 2, &f->remote, 16);
    for (unsigned i = 0; i < 4; i++)
        h = (h ^ w[i]) * 0x9e3779b97f4a7c15ULL;
    return (uint32_t)(h >> 40) % ROUTE_CACHE_SLOTS;
}

int route_lookup(struct netio *n, const struct flow *flow, uint32_t bound_ifindex,
                 const struct route **ret)
{
    struct route *slot = &n->routes.cache[flow_slot(flow, bound_ifindex)];
    struct route fresh;
    int r;

    if (slot->generation == n->routes.generation && slot->bound_ifindex == bound_ifindex &&
        flow_eq(&slot->flow, flow)) {
        *ret = slot;
        return 0;
    }
    fresh = (struct route){
        .flow = *flow,
        .bound_ifindex = bound_ifindex,
        .generation = n->routes.generation,
    };
    r = resolve(n, &fresh);
    if (r)
        return r;
    *slot = fresh;
    *ret = slot;
    return 0;
}

int netio_route(struct netio *n, const struct flow *flow, uint32_t bound_ifindex, struct path *ret)
{
    const struct route *route;
    int r;

    r = route_lookup(n, flow, bound_ifindex, &route);
    if (r == 0)
        *ret = route->path;
    return r;
}

/*
 * The table of addresses answers at once. What is not in it may still be local:
 * by a route of type local, like all of 127.0.0.0/8, or because it is so new that
 * its notification has not been read.
 */
bool netio_is_local(struct netio *n, const struct ip_addr *addr, uint32_t scope)
{
    struct flow f = { .local = ip_addr_is_v4(addr) ? IP_ADDR_ANY4 : IP_ADDR_ANY6, .remote = *addr };
    struct answer ans;

    if (!ip_addr_is_unicast(addr))
        return false;
    if (address_is_local(n, addr, ip_addr_is_linklocal(addr) ? scope : 0))
        return true;
    if (ip_addr_is_linklocal(addr))
        return false;
    return ask(n, &f, 0, 0, &ans) == 0 && ans.type == RTN_LOCAL;
}
