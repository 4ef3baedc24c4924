/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A packet socket sends below the place where the kernel encrypts. So where IPsec
 * policies exist no super-frames are sent at all. Asked again after every change
 * of routes: whoever installs policies changes routes or rules along with them.
 */
#include <errno.h>
#include <netinet/in.h>
#include <linux/xfrm.h> /* after netinet/in.h: both define IPv6 addresses */
#include <unistd.h>

#include "netio/internal.h"
#include "netio/netlink.h"

static int on_policy(const struct nlmsghdr *h, void *ctx)
{
    const struct xfrm_userpolicy_info *p = mnl_nlmsg_get_payload(h);
    bool *found = ctx;

    /* Above the three directions are policies of single sockets: key daemons have those. */
    if (mnl_nlmsg_get_payload_len(h) >= sizeof(*p) && p->dir < XFRM_POLICY_MAX)
        *found = true;
    return 0;
}

static bool ask(void)
{
    _Alignas(struct nlmsghdr) uint8_t buf[256];
    struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
    bool found = false;
    int fd, r;

    fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_XFRM);
    if (fd < 0)
        return errno != ENOPROTOOPT && errno != EPROTONOSUPPORT && errno != EAFNOSUPPORT;
    h->nlmsg_type = XFRM_MSG_GETPOLICY;
    h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    h->nlmsg_seq = 1;
    r = netlink_talk(fd, h, on_policy, &found);
    (void)close(fd);
    /* Not to know is as good as a yes: secrecy is not to be gambled with. */
    return found || r;
}

bool ipsec_active(struct netio *n)
{
    if (n->routes.ipsec_stale) {
        n->routes.ipsec = ask();
        n->routes.ipsec_stale = false;
    }
    return n->routes.ipsec;
}
