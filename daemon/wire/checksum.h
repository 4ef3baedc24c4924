/* SPDX-License-Identifier: BSD-2-Clause */
/* The Internet checksum, RFC 1071. Sums are kept unfolded in memory byte order. */
#ifndef TCPD_WIRE_CHECKSUM_H
#define TCPD_WIRE_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/ip_addr.h"

/**
 * checksum_partial() - add @len bytes, the first of which is at an even offset, to @sum
 *
 * Returns a sum to be given to the next call or to checksum_fold().
 */
uint32_t checksum_partial(uint32_t sum, const void *data, size_t len);

/** checksum_iov() - as checksum_partial() over pieces of any length, odd ones too */
uint32_t checksum_iov(uint32_t sum, const struct iovec *iov, int count);

/** checksum_pseudo() - the pseudo-header of RFC 9293 3.1 or RFC 8200 8.1, by the address family */
uint32_t checksum_pseudo(const struct ip_addr *src, const struct ip_addr *dst, uint8_t proto,
                         uint32_t len);

/** checksum_fold() - to 16 bits, not inverted, ready to be compared with or stored as it is */
uint16_t checksum_fold(uint32_t sum);

#endif
