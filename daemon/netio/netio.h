/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The network edge: raw and packet sockets, port claims, routes, neighbours,
 * conntrack. Holds no TCP knowledge: it moves struct packet between the kernel
 * and the engine and answers questions about the host.
 *
 * Split in two because of who may open what: the supervisor calls
 * netio_open_privileged() once and keeps the fds; every worker calls netio_new()
 * on them. All fds are CLOEXEC and non-blocking, and are entered in the fd registry.
 */
#ifndef TCPD_NETIO_NETIO_H
#define TCPD_NETIO_NETIO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/usec.h"
#include "wire/icmp.h"
#include "wire/packet.h"
#include "wire/path.h"

struct netio;

/* What the supervisor opens once; -1 where the kernel or a capability refuses. */
struct netio_fds {
    int raw4_in, raw6_in;     /* IPPROTO_TCP, with the port filter */
    int raw4_out, raw6_out;   /* IPPROTO_RAW (v4: HDRINCL), for everything that fits the MTU */
    int icmp4, icmp6;
    int packet_out;           /* AF_PACKET SOCK_RAW + PACKET_VNET_HDR, unbound, super-frames */
    int route;                /* NETLINK_ROUTE requests */
    int route_events;         /* NETLINK_ROUTE notifications */
    int conntrack;            /* NETLINK_NETFILTER */
    int port_map;             /* eBPF array map, mmapable: the 65,536-bit port filter; -1: classic filter */
    int drop_prog;            /* eBPF "drop all" for port claims; -1: classic BPF */
};

int netio_open_privileged(struct netio_fds *ret);

/* How netio tells of what it found. Called from netio_input() and netio_route_input() only. */
struct netio_handler {
    void *ctx;
    void (*packet)(void *ctx, const struct packet *pkt, usec_t now);
    void (*icmp)(void *ctx, const struct icmp_error *err, usec_t now);
    void (*routes_changed)(void *ctx, usec_t now); /* ask netio_route() again for every flow */
};

/* The deferred-close list and fd registry of the state room, so that no claim is
 * closed before the commit that no longer needs it. NULL functions: close at once. */
struct netio_registry {
    void *ctx;
    void (*claimed)(void *ctx, int fd, uint16_t port); /* a claim fd was made */
    void (*close_later)(void *ctx, int fd);
};

struct netio_init {
    struct netio_fds fds;
    struct netio_handler handler;
    struct netio_registry registry;
    bool raw_only;           /* _link_mode=raw */
    unsigned claim_pool;     /* ephemeral claims kept for reuse */
    uint16_t anon_low, anon_high;
};

int netio_new(const struct netio_init *init, struct netio **ret);
struct netio *netio_free(struct netio *n);

/** netio_adopt_claim() - a claim fd that a former worker left behind */
void netio_adopt_claim(struct netio *n, int fd, uint16_t port);

/** netio_adopt_done() - close the adopted claims that nobody has claimed since, all but a pool */
void netio_adopt_done(struct netio *n);

/** netio_set_raw_only() - _link_mode: no super-frames from now on, or again where they may go */
void netio_set_raw_only(struct netio *n, bool raw_only);

/** netio_ifindex() - index of the device called @name; -ENODEV */
int netio_ifindex(struct netio *n, const char *name);
/** netio_ifname() - the name of a device, at most 16 bytes with its end; -ENODEV */
int netio_ifname(struct netio *n, uint32_t ifindex, char name[16]);

/** netio_set_ports() - change what netio_init said of anonymous ports; obeyed from now on */
void netio_set_ports(struct netio *n, uint16_t anon_low, uint16_t anon_high, unsigned claim_pool);

/* The sockets that packets come in by; asking one that has nothing costs a system call. */
enum netio_source {
    NETIO_RAW4 = 1 << 0,
    NETIO_RAW6 = 1 << 1,
    NETIO_ICMP4 = 1 << 2,
    NETIO_ICMP6 = 1 << 3,
    NETIO_ALL = 15,
};

/**
 * netio_input() - read packets and ICMP errors, at most @budget packets
 * @sources:  bits of enum netio_source: those that are known, or thought, to be readable
 *
 * Returns the sources in which more may be waiting.
 */
unsigned netio_input(struct netio *n, unsigned sources, unsigned budget, usec_t now);

/** netio_route_input() - read rtnetlink notifications */
void netio_route_input(struct netio *n, usec_t now);

/* The fds to watch for reading: netio_input() for the first ones, in the order of enum
 * netio_source, route_input() for the last. */
struct netio_watch {
    int input[4];
    int route_events;
};
void netio_watch(const struct netio *n, struct netio_watch *ret);

/**
 * netio_send() - queue one packet of the engine; leaves with the next netio_flush()
 *
 * Builds the IP header and the TCP checksum. The payload is borrowed until
 * netio_flush() has returned.
 * Errors: -EAGAIN: the queue is full, flush first.
 */
int netio_send(struct netio *n, const struct packet *pkt);

/**
 * netio_flush() - send what is queued (sendmmsg)
 * @unsent:  called for each packet that the kernel refused, with its negative errno
 *
 * Returns true if the kernel's buffers are full and POLLOUT should be awaited.
 */
bool netio_flush(struct netio *n, void (*unsent)(void *ctx, const struct packet *pkt, int error),
                 void *ctx);

/* ---- port claims: the functions behind struct sock_world ------------------------------------ */

int netio_claim(struct netio *n, uint16_t *port);
/** netio_claim_anonymous() - the same for a number that nobody asked for: kept in the pool after use */
int netio_claim_anonymous(struct netio *n, uint16_t *port);
void netio_release(struct netio *n, uint16_t port);
uint16_t netio_pool(struct netio *n, unsigned index);
/** netio_close_claims() - at stop, after the last connection has ended */
void netio_close_claims(struct netio *n);
unsigned netio_claims(const struct netio *n);

/* ---- routes ------------------------------------------------------------------------------------ */

/**
 * netio_route() - the kernel's answer for a flow, as a struct path
 *
 * Policy rules see source, ports and protocol. gso_max is non-zero only where
 * super-frames are allowed: a plain unicast route over an Ethernet-like device,
 * next hop resolvable, no IPsec policies, not loopback.
 * Errors: -ENETUNREACH, -EHOSTUNREACH, -EACCES, -EADDRNOTAVAIL.
 */
int netio_route(struct netio *n, const struct flow *flow, uint32_t bound_ifindex, struct path *ret);
bool netio_is_local(struct netio *n, const struct ip_addr *addr, uint32_t scope);

struct netio_stats {
    uint64_t packets_in, packets_out, supers_out, supers_cut, send_errors, icmp_in;
    uint64_t short_in, not_ours;
    unsigned claims;
};
void netio_stats(const struct netio *n, struct netio_stats *ret);

#endif
