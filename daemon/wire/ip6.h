/* SPDX-License-Identifier: BSD-2-Clause */
/* The IPv6 header, RFC 8200. */
#ifndef TCPD_WIRE_IP6_H
#define TCPD_WIRE_IP6_H

#include <stddef.h>
#include <stdint.h>

#include "base/ip_addr.h"

#define IP6_HDR_LEN 40u

struct ip6_header {
    struct ip_addr src, dst;
    uint8_t tclass, hop_limit, next_header;
    uint32_t flow_label; /* 20 bits */
    uint16_t payload_len;
};

/**
 * ip6_parse() - decode the fixed header
 * @data, @len:  borrowed; the payload need not lie inside @len, as in an ICMPv6 quote
 *
 * Errors: -EBADMSG.
 */
int ip6_parse(const uint8_t *data, size_t len, struct ip6_header *ret);

/** ip6_build() - encode the fixed header */
void ip6_build(const struct ip6_header *h, uint8_t ret[IP6_HDR_LEN]);

/**
 * ip6_find_upper() - where the upper layer's header begins
 * @data, @len:   from the fixed header on
 * @ret_proto:    protocol of what begins there
 * @ret_offset:   its distance from @data; not above @len
 *
 * Steps over hop-by-hop, routing, destination options and fragment headers.
 * Errors: -EBADMSG: the chain leaves @len, or a fragment is not the first one.
 */
int ip6_find_upper(const uint8_t *data, size_t len, uint8_t *ret_proto, size_t *ret_offset);

#endif
