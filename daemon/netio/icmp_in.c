/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ICMP errors come in by raw ICMP sockets, so the INPUT rules have had their say.
 * They are parsed here and believed by the engine only if the quoted sequence
 * number is one that it has sent.
 */
#include <errno.h>
#include <string.h>

#include "netio/internal.h"

/* Errors of one wake-up; a flood of them must not starve the segments. */
#define ICMP_BUDGET 32

static uint32_t device_of(struct msghdr *h)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO &&
            c->cmsg_len >= CMSG_LEN(sizeof(struct in_pktinfo))) {
            struct in_pktinfo info;

            memcpy(&info, CMSG_DATA(c), sizeof(info));
            return (uint32_t)info.ipi_ifindex;
        }
        if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO &&
            c->cmsg_len >= CMSG_LEN(sizeof(struct in6_pktinfo))) {
            struct in6_pktinfo info;

            memcpy(&info, CMSG_DATA(c), sizeof(info));
            return (uint32_t)info.ipi6_ifindex;
        }
    }
    return 0;
}

static int parse(int family, const uint8_t *data, size_t len, struct icmp_error *ret)
{
    struct ip4_header ip;

    if (family == AF_INET6)
        return icmp6_parse(data, len, ret);
    if (ip4_parse(data, len, &ip) || ip.total_len > len)
        return -EBADMSG;
    return icmp4_parse(data + ip.hdr_len, (size_t)ip.total_len - ip.hdr_len, ret);
}

static void deliver(struct netio *n, int family, struct msghdr *h, size_t len)
{
    struct icmp_error err;

    if (parse(family, h->msg_iov->iov_base, len, &err)) {
        n->stats.short_in++;
        return;
    }
    if (!port_filter_has(&n->filter, err.flow.lport)) {
        n->stats.not_ours++;
        return;
    }
    if (ip_addr_is_linklocal(&err.flow.remote) || ip_addr_is_linklocal(&err.flow.local))
        err.flow.zone = device_of(h);
    n->stats.icmp_in++;
    n->handler.icmp(n->handler.ctx, &err, n->now);
}

bool icmp_in_receive(struct netio *n, int fd, int family)
{
    _Alignas(struct cmsghdr) uint8_t control[128];

    if (fd < 0)
        return false;
    for (unsigned i = 0; i < ICMP_BUDGET; i++) {
        struct iovec iov = { n->receiver.buffer, RECV_BUFFER_BYTES };
        struct msghdr h = {
            .msg_iov = &iov,
            .msg_iovlen = 1,
            .msg_control = control,
            .msg_controllen = sizeof(control),
        };
        ssize_t len = recvmsg(fd, &h, MSG_DONTWAIT);

        if (len < 0)
            return errno == EINTR;
        deliver(n, family, &h, (size_t)len);
    }
    return true;
}
