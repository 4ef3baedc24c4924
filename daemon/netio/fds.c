/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The sockets of this room, opened once by whoever has the rights.
 *
 * The PMTU trap: a raw socket makes the kernel believe any ICMP "fragmentation
 * needed" that quotes a packet of the socket's protocol, and it stores the lie for
 * the whole host. That goes for the TCP receiver (protocol 6) and for the ICMP
 * socket (a quote of a ping) alike, in older kernels for the sender too (255).
 * IP_PMTUDISC_INTERFACE closes it, and at the same time makes the sender ignore
 * what others stored. IPv6 sockets are safe as long as IPV6_RECVERR stays off.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/icmp.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/icmp6.h>
#include <string.h>
#include <unistd.h>

#include "netio/internal.h"

#define RECV_BUFFER  (8 << 20)
#define SEND_BUFFER  (8 << 20)
#define EVENT_BUFFER (2 << 20)

static int set_int(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof(value)) ? -errno : 0;
}

/* The forced variants need CAP_NET_ADMIN; without it the system's limit is what we get. */
static void set_buffers(int fd, int recv_bytes, int send_bytes)
{
    if (recv_bytes && set_int(fd, SOL_SOCKET, SO_RCVBUFFORCE, recv_bytes))
        (void)set_int(fd, SOL_SOCKET, SO_RCVBUF, recv_bytes);
    if (send_bytes && set_int(fd, SOL_SOCKET, SO_SNDBUFFORCE, send_bytes))
        (void)set_int(fd, SOL_SOCKET, SO_SNDBUF, send_bytes);
}

static int open_socket(int family, int type, int proto)
{
    int fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, proto);

    return fd < 0 ? -errno : fd;
}

/* What every raw socket that receives needs: the device of each packet, and no PMTU trap. */
static int tame_raw4(int fd)
{
    int r = set_int(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_INTERFACE);

    return r ? r : set_int(fd, IPPROTO_IP, IP_PKTINFO, 1);
}

static int open_raw4_in(int map_fd)
{
    int fd = open_socket(AF_INET, SOCK_RAW, IPPROTO_TCP);
    int r;

    if (fd < 0)
        return fd;
    r = tame_raw4(fd);
    if (!r && map_fd >= 0)
        r = filter_attach_map(fd, false, map_fd);
    if (r) {
        (void)close(fd);
        return r;
    }
    set_buffers(fd, RECV_BUFFER, 0);
    return fd;
}

static int open_raw6_in(int map_fd)
{
    int fd = open_socket(AF_INET6, SOCK_RAW, IPPROTO_TCP);
    int r;

    if (fd < 0)
        return fd;
    r = set_int(fd, IPPROTO_IPV6, IPV6_CHECKSUM, 16);
    if (!r)
        r = set_int(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
    if (!r)
        r = set_int(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
    if (!r)
        r = set_int(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1);
    if (!r && map_fd >= 0)
        r = filter_attach_map(fd, true, map_fd);
    if (r) {
        (void)close(fd);
        return r;
    }
    set_buffers(fd, RECV_BUFFER, 0);
    return fd;
}

/* A sender must never receive: whatever has its protocol number would pile up in its buffer. */
static int open_raw_out(int family)
{
    int fd = open_socket(family, SOCK_RAW, IPPROTO_RAW);
    int r;

    if (fd < 0)
        return fd;
    r = filter_attach_drop(fd, -1);
    if (!r && family == AF_INET)
        r = set_int(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_INTERFACE);
    if (!r && family == AF_INET6)
        r = set_int(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE);
    if (r) {
        (void)close(fd);
        return r;
    }
    set_buffers(fd, 0, SEND_BUFFER);
    return fd;
}

static int open_icmp4(void)
{
    struct icmp_filter filter = {
        .data = ~(1u << ICMP_DEST_UNREACH | 1u << ICMP_TIME_EXCEEDED | 1u << ICMP_PARAMETERPROB),
    };
    int fd = open_socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
    int r;

    if (fd < 0)
        return fd;
    r = tame_raw4(fd);
    if (!r && setsockopt(fd, SOL_RAW, ICMP_FILTER, &filter, sizeof(filter)))
        r = -errno;
    if (r) {
        (void)close(fd);
        return r;
    }
    set_buffers(fd, RECV_BUFFER / 8, 0);
    return fd;
}

static int open_icmp6(void)
{
    struct icmp6_filter filter;
    int fd = open_socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6);
    int r;

    if (fd < 0)
        return fd;
    ICMP6_FILTER_SETBLOCKALL(&filter);
    ICMP6_FILTER_SETPASS(ICMP6_DST_UNREACH, &filter);
    ICMP6_FILTER_SETPASS(ICMP6_PACKET_TOO_BIG, &filter);
    ICMP6_FILTER_SETPASS(ICMP6_TIME_EXCEEDED, &filter);
    ICMP6_FILTER_SETPASS(ICMP6_PARAM_PROB, &filter);
    r = set_int(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
    if (!r && setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof(filter)))
        r = -errno;
    if (r) {
        (void)close(fd);
        return r;
    }
    set_buffers(fd, RECV_BUFFER / 8, 0);
    return fd;
}

/* Protocol 0: it sends, and no packet of the host is copied to it. */
static int open_packet_out(void)
{
    int fd = open_socket(AF_PACKET, SOCK_RAW, 0);
    int r;

    if (fd < 0)
        return fd;
    r = set_int(fd, SOL_PACKET, PACKET_VNET_HDR, 1);
    if (r) {
        (void)close(fd);
        return r;
    }
    set_buffers(fd, 0, SEND_BUFFER);
    return fd;
}

static int open_netlink(int proto)
{
    int fd = open_socket(AF_NETLINK, SOCK_RAW, proto);

    if (fd >= 0)
        (void)set_int(fd, SOL_NETLINK, NETLINK_CAP_ACK, 1);
    return fd;
}

static int open_route_events(void)
{
    static const int groups[] = {
        RTNLGRP_LINK,      RTNLGRP_NEIGH,       RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV4_ROUTE,
        RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV6_ROUTE,  RTNLGRP_IPV6_IFINFO,
        RTNLGRP_IPV6_RULE, RTNLGRP_NEXTHOP,
    };
    const struct sockaddr_nl any = { .nl_family = AF_NETLINK };
    int fd = open_socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);

    if (fd < 0)
        return fd;
    set_buffers(fd, EVENT_BUFFER, 0);
    /* A socket without a port of its own gets nothing of what is sent to groups. */
    if (bind(fd, (const struct sockaddr *)&any, sizeof(any))) {
        int r = -errno;

        (void)close(fd);
        return r;
    }
    for (unsigned i = 0; i < ARRAY_LEN(groups); i++) {
        int r = set_int(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, groups[i]);

        if (r && groups[i] != RTNLGRP_NEXTHOP) { /* the youngest of them, Linux 5.3 */
            (void)close(fd);
            return r;
        }
    }
    return fd;
}

/* An fd or, where this kernel or our rights do not go so far, -1. */
static int or_none(int fd)
{
    return fd < 0 ? -1 : fd;
}

static void close_all(struct netio_fds *f)
{
    int *const fds[] = { &f->raw4_in,      &f->raw6_in,   &f->raw4_out,   &f->raw6_out,
                         &f->icmp4,        &f->icmp6,     &f->packet_out, &f->route,
                         &f->route_events, &f->conntrack, &f->port_map,   &f->drop_prog };

    for (unsigned i = 0; i < ARRAY_LEN(fds); i++) {
        if (*fds[i] >= 0)
            (void)close(*fds[i]);
        *fds[i] = -1;
    }
}

/* Both receivers use the map, or neither does. */
static void open_receivers(struct netio_fds *f)
{
    f->raw4_in = open_raw4_in(f->port_map);
    f->raw6_in = open_raw6_in(f->port_map);
    if (f->port_map < 0 || (f->raw4_in >= 0 && f->raw6_in >= 0))
        return;
    /* A kernel without IPv6 is fine; a program that is refused is not. */
    if (f->raw4_in >= 0 && f->raw6_in == -EAFNOSUPPORT)
        return;
    if (f->raw4_in >= 0)
        (void)close(f->raw4_in);
    if (f->raw6_in >= 0)
        (void)close(f->raw6_in);
    (void)close(f->port_map);
    f->port_map = -1;
    f->raw4_in = open_raw4_in(-1);
    f->raw6_in = open_raw6_in(-1);
}

int netio_open_privileged(struct netio_fds *ret)
{
    struct netio_fds f;
    int r = 0;

    f.port_map = or_none(filter_map_new());
    f.drop_prog = or_none(filter_drop_new());
    open_receivers(&f);
    f.raw4_out = open_raw_out(AF_INET);
    f.raw6_out = or_none(open_raw_out(AF_INET6));
    f.icmp4 = open_icmp4();
    f.icmp6 = or_none(open_icmp6());
    f.packet_out = or_none(open_packet_out());
    f.route = open_netlink(NETLINK_ROUTE);
    f.route_events = open_route_events();
    f.conntrack = or_none(open_netlink(NETLINK_NETFILTER));

    /* Without these there is no TCP at all. */
    if (f.raw4_in < 0)
        r = f.raw4_in;
    else if (f.raw4_out < 0)
        r = f.raw4_out;
    else if (f.icmp4 < 0)
        r = f.icmp4;
    else if (f.route < 0)
        r = f.route;
    else if (f.route_events < 0)
        r = f.route_events;
    f.raw6_in = or_none(f.raw6_in);
    if (r) {
        close_all(&f);
        return r;
    }
    *ret = f;
    return 0;
}
