/* SPDX-License-Identifier: BSD-2-Clause */
/* The IPv4 header, RFC 791. */
#ifndef TCPD_WIRE_IP4_H
#define TCPD_WIRE_IP4_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ip_addr.h"

#define IP4_HDR_MIN 20u

struct ip4_header {
    struct ip_addr src, dst;
    uint8_t tos, ttl, proto;
    bool df, mf;
    uint16_t frag_offset;   /* in units of 8 bytes */
    uint16_t total_len;     /* header included */
    uint8_t hdr_len;        /* bytes, options included */
    const uint8_t *options; /* NULL if none */
    uint8_t options_len;
};

/**
 * ip4_parse() - decode a header
 * @data, @len:  begins at the version byte; borrowed, and stays borrowed by ret->options
 *
 * The header lies inside @len. The total length need not: an ICMP error quotes
 * only the beginning of a packet; who needs the whole packet compares it with @len.
 * The header checksum is the kernel's to verify.
 * Errors: -EBADMSG.
 */
int ip4_parse(const uint8_t *data, size_t len, struct ip4_header *ret);

/**
 * ip4_build() - encode a header without options, checksum included
 * @h:  src, dst, tos, ttl, proto, df, total_len are used; the identification is 0,
 *      as RFC 6864 4 allows for what is never fragmented
 */
void ip4_build(const struct ip4_header *h, uint8_t ret[IP4_HDR_MIN]);

#endif
