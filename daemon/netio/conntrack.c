/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Connection tracking does not see what leaves by packet socket. It would call
 * the peer's acknowledgments of it INVALID, and common rule sets drop or reset
 * those. So before its first super-frame the entry of a connection is told to be
 * liberal about windows, in both directions.
 *
 * The mark is set anew from time to time: entries can be flushed and made again
 * from the middle of a connection. What a connection's answer was is kept in a
 * table of fixed size; a verdict that was pushed out is asked for again.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <string.h>
#include <unistd.h>

#include "netio/internal.h"
#include "netio/netlink.h"

#define MARK_EVERY (10 * USEC_PER_SEC)
#define LOOK_EVERY USEC_PER_SEC /* while there is no entry: rules may come to be */

/* Present as long as connection tracking is loaded, whatever network namespace we are in. */
#define TRACKING_FILE "/proc/sys/net/netfilter/nf_conntrack_max"

static void put_tuple(struct nlmsghdr *h, const struct flow *f)
{
    bool v4 = ip_addr_is_v4(&f->remote);
    struct nlattr *tuple = mnl_attr_nest_start(h, CTA_TUPLE_ORIG), *part;

    part = mnl_attr_nest_start(h, CTA_TUPLE_IP);
    if (v4) {
        mnl_attr_put(h, CTA_IP_V4_SRC, 4, f->local.b + 12);
        mnl_attr_put(h, CTA_IP_V4_DST, 4, f->remote.b + 12);
    } else {
        mnl_attr_put(h, CTA_IP_V6_SRC, 16, f->local.b);
        mnl_attr_put(h, CTA_IP_V6_DST, 16, f->remote.b);
    }
    mnl_attr_nest_end(h, part);
    part = mnl_attr_nest_start(h, CTA_TUPLE_PROTO);
    mnl_attr_put_u8(h, CTA_PROTO_NUM, IPPROTO_TCP);
    mnl_attr_put_u16(h, CTA_PROTO_SRC_PORT, htons(f->lport));
    mnl_attr_put_u16(h, CTA_PROTO_DST_PORT, htons(f->rport));
    mnl_attr_nest_end(h, part);
    mnl_attr_nest_end(h, tuple);
}

static void put_liberal(struct nlmsghdr *h)
{
    const struct nf_ct_tcp_flags liberal = {
        .flags = IP_CT_TCP_FLAG_BE_LIBERAL,
        .mask = IP_CT_TCP_FLAG_BE_LIBERAL,
    };
    struct nlattr *info = mnl_attr_nest_start(h, CTA_PROTOINFO);
    struct nlattr *tcp = mnl_attr_nest_start(h, CTA_PROTOINFO_TCP);

    mnl_attr_put(h, CTA_PROTOINFO_TCP_FLAGS_ORIGINAL, sizeof(liberal), &liberal);
    mnl_attr_put(h, CTA_PROTOINFO_TCP_FLAGS_REPLY, sizeof(liberal), &liberal);
    mnl_attr_nest_end(h, tcp);
    mnl_attr_nest_end(h, info);
}

/* The kernel finds the entry by the tuple of either direction: whoever opened, ours is one. */
static int mark(struct netio *n, const struct flow *f)
{
    _Alignas(struct nlmsghdr) uint8_t buf[512];
    struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
    struct nfgenmsg *m;

    h->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW;
    h->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK; /* no NLM_F_CREATE: change, do not make */
    h->nlmsg_seq = ++n->routes.seq;
    m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
    m->nfgen_family = ip_addr_is_v4(&f->remote) ? AF_INET : AF_INET6;
    m->version = NFNETLINK_V0;
    put_tuple(h, f);
    put_liberal(h);
    return netlink_talk(n->fds.conntrack, h, NULL, NULL);
}

/* Asks about an entry that cannot exist: "no entry" shows that entries can be asked about. */
void conntrack_init(struct netio *n)
{
    struct flow nobody = { .local = IP_ADDR_ANY4, .remote = IP_ADDR_ANY4 };

    if (n->fds.conntrack >= 0 && mark(n, &nobody) == -ENOENT)
        n->ct_presence = CT_MARKABLE;
    else
        n->ct_presence = access(TRACKING_FILE, F_OK) == 0 ? CT_UNMARKABLE : CT_ABSENT;
}

static struct ct_verdict *verdict_of(struct netio *n, uint64_t conn_id)
{
    return &n->ct[conn_id % CONNTRACK_CACHE_SLOTS];
}

bool conntrack_allows_super(struct netio *n, uint64_t conn_id, const struct flow *flow)
{
    struct ct_verdict *v = verdict_of(n, conn_id);
    int r;

    if (v->conn_id == conn_id && n->now < v->until)
        return !v->raw_only;
    if (n->ct_presence != CT_MARKABLE)
        conntrack_init(n); /* its module may have been loaded since */
    if (n->ct_presence == CT_MARKABLE)
        r = mark(n, flow);
    else
        r = n->ct_presence == CT_ABSENT ? -ENOENT : -EOPNOTSUPP;
    *v = (struct ct_verdict){
        .conn_id = conn_id,
        .until = n->now + (r == -ENOENT ? LOOK_EVERY : MARK_EVERY),
        .raw_only = r != 0 && r != -ENOENT,
    };
    return !v->raw_only;
}
