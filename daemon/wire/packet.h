/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What crosses the wall between netio and the engine: one TCP segment (or
 * super-frame) with the IP facts that TCP cares about. Coming in, `seg` is the
 * TCP header and payload in one piece. Going out, the header is in `hdr` and the
 * payload stays where it is: in the connection's send ring.
 */
#ifndef TCPD_WIRE_PACKET_H
#define TCPD_WIRE_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/ip_addr.h"
#include "base/seq.h"

#define TCP_HDR_MIN 20u
#define TCP_HDR_MAX 60u

/* In: how far the TCP checksum is known to be good. */
enum packet_csum {
    PACKET_CSUM_VERIFY,   /* nobody has looked: verify in full */
    PACKET_CSUM_PARTIAL,  /* may hold only the folded pseudo-header sum (came over lo, or GRO) */
    PACKET_CSUM_VERIFIED, /* the kernel has verified it */
};

/* The low two bits of `tos`: RFC 3168 5. */
enum ecn {
    ECN_NOT_ECT = 0,
    ECN_ECT1 = 1,
    ECN_ECT0 = 2,
    ECN_CE = 3,
    ECN_MASK = 3,
};

enum packet_flag {
    PACKET_SUPER = 1 << 0,    /* out: longer than the MTU; to be cut at gso_size */
    PACKET_PROGRESS = 1 << 1, /* out: the peer answers; confirm its neighbour entry */
    PACKET_PROBE_MTU = 1 << 2 /* out: a path MTU probe; never fragment, never complain */
};

struct packet {
    struct ip_addr src, dst;
    uint32_t ifindex; /* in: device it came by. out: device it must leave by, 0 = as routed */
    uint8_t ttl;      /* IPv4 TTL or IPv6 hop limit */
    uint8_t tos;      /* IPv4 TOS or IPv6 traffic class: DSCP and ECN */
    uint8_t csum;     /* in: enum packet_csum */
    uint8_t flags;    /* out: enum packet_flag */

    /* In. Borrowed for the call. */
    const uint8_t *seg;
    size_t seg_len;
    const uint8_t *ip_options; /* IPv4 options as received, for source routes; NULL if none */
    uint8_t ip_options_len;

    /* Out. hdr has no checksum yet: netio knows best who computes it. */
    uint8_t hdr_len;
    uint8_t iov_count;
    uint16_t gso_size;    /* payload bytes of each segment when PACKET_SUPER */
    uint32_t payload_len; /* sum of iov */
    uint8_t hdr[TCP_HDR_MAX];
    struct iovec iov[2]; /* into the send ring; valid until the packet has been sent */
    uint64_t conn_id;    /* 0: an answer of no connection */
    struct seq seq;      /* first sequence number, for tcp_engine_unsent() */
    uint32_t seq_len;    /* sequence space it occupies, SYN and FIN included */
};

/* The 4-tuple, from our side. `zone` is the device for link-local addresses, else 0. */
struct flow {
    struct ip_addr local, remote;
    uint16_t lport, rport;
    uint32_t zone;
};

#endif
