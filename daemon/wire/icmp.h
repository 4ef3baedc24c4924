/* SPDX-License-Identifier: BSD-2-Clause */
/* An ICMP or ICMPv6 error about a TCP segment of ours, reduced to what TCP can use. */
#ifndef TCPD_WIRE_ICMP_H
#define TCPD_WIRE_ICMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/packet.h"

struct icmp_error {
    struct flow flow;   /* of the quoted segment, from our side; zone is filled by netio */
    struct seq seq;     /* sequence number of the quoted segment */
    bool ipv6;
    uint8_t type, code; /* as on the wire */
    uint32_t mtu;       /* fragmentation needed / packet too big: the next hop's, 0 if unknown */
    int error;          /* errno that fits: EHOSTUNREACH, ENETUNREACH, ECONNREFUSED, EMSGSIZE, ... */
    bool hard;          /* port or protocol unreachable: kills a connection that is being opened */
};

/**
 * icmp4_parse() - an ICMPv4 message (from its type byte on), as a raw socket gives it
 * @data, @len:  after the outer IP header
 *
 * Verifies the ICMP checksum and all lengths. Errors: -EBADMSG: malformed, or
 * no error about TCP.
 */
int icmp4_parse(const uint8_t *data, size_t len, struct icmp_error *ret);

/** icmp6_parse() - the same for ICMPv6; the kernel has verified the checksum. RFC 4443. */
int icmp6_parse(const uint8_t *data, size_t len, struct icmp_error *ret);

#endif
