/* SPDX-License-Identifier: BSD-2-Clause */
/* The options of a TCP header: RFC 9293 3.2, RFC 7323, RFC 2018. */
#ifndef TCPD_WIRE_TCP_OPTIONS_H
#define TCPD_WIRE_TCP_OPTIONS_H

#include "wire/tcp_header.h"

#define TCP_OPTIONS_MAX 40u

/**
 * tcp_options_parse() - decode @len bytes of options
 * @syn:  whether the segment is a SYN: MSS, scale and SACK-permitted mean
 *        nothing elsewhere (RFC 9293 3.7.1, RFC 7323 2.2, RFC 2018 2)
 *
 * Returns false if an option has an illegal length or runs over the end (MUST-7).
 */
bool tcp_options_parse(const uint8_t *p, size_t len, bool syn, struct tcp_options *ret);

/** tcp_options_build() - encode, padded to 4 bytes; returns the length, at most 40 */
uint8_t tcp_options_build(const struct tcp_options *opt, uint8_t buf[TCP_OPTIONS_MAX]);

/** tcp_options_max_sacks() - how many SACK blocks fit beside the other options */
uint8_t tcp_options_max_sacks(const struct tcp_options *opt);

#endif
