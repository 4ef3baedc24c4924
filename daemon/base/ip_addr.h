/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One address type for both families: 16 bytes, an IPv4 address in its mapped
 * form ::ffff:a.b.c.d (RFC 4291 2.5.5.2). So a 4-tuple hashes and compares the
 * same way whatever its family, and a dual-stack listener needs no second lookup.
 */
#ifndef TCPD_BASE_IP_ADDR_H
#define TCPD_BASE_IP_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct ip_addr {
    uint8_t b[16];
};

#define IP_ADDR_STRLEN 64

static const struct ip_addr IP_ADDR_ANY6 = { { 0 } };
static const struct ip_addr IP_ADDR_ANY4 = { { [10] = 0xff, [11] = 0xff } };

static inline bool ip_addr_is_v4(const struct ip_addr *a)
{
    return memcmp(a->b, IP_ADDR_ANY4.b, 12) == 0;
}

static inline bool ip_addr_eq(const struct ip_addr *a, const struct ip_addr *b)
{
    return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

/** ip_addr_is_any() - 0.0.0.0 (mapped) or :: */
static inline bool ip_addr_is_any(const struct ip_addr *a)
{
    return ip_addr_eq(a, &IP_ADDR_ANY4) || ip_addr_eq(a, &IP_ADDR_ANY6);
}

/** ip_addr_v4() - from the four bytes of an IPv4 address in network order */
static inline struct ip_addr ip_addr_v4(const void *four_bytes)
{
    struct ip_addr a = IP_ADDR_ANY4;

    memcpy(a.b + 12, four_bytes, 4);
    return a;
}

/** ip_addr_v6() - from the sixteen bytes of an IPv6 address in network order */
static inline struct ip_addr ip_addr_v6(const void *sixteen_bytes)
{
    struct ip_addr a;

    memcpy(a.b, sixteen_bytes, sizeof(a.b));
    return a;
}

/** ip_addr_is_linklocal() - fe80::/10: means something only together with a device */
static inline bool ip_addr_is_linklocal(const struct ip_addr *a)
{
    return a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80;
}

/** ip_addr_is_loopback() - 127.0.0.0/8 or ::1 */
static inline bool ip_addr_is_loopback(const struct ip_addr *a)
{
    static const struct ip_addr one = { { [15] = 1 } };

    return ip_addr_is_v4(a) ? a->b[12] == 127 : ip_addr_eq(a, &one);
}

/** ip_addr_is_unicast() - neither unspecified, multicast nor limited broadcast */
static inline bool ip_addr_is_unicast(const struct ip_addr *a)
{
    if (ip_addr_is_any(a))
        return false;
    if (ip_addr_is_v4(a))
        return a->b[12] != 0 && a->b[12] < 224;
    return a->b[0] != 0xff;
}

/**
 * ip_addr_format() - as text: dotted quad for a mapped address, else RFC 5952
 * @a:    borrowed
 * @buf:  at least IP_ADDR_STRLEN bytes
 *
 * Returns @buf.
 */
const char *ip_addr_format(const struct ip_addr *a, char buf[IP_ADDR_STRLEN]);

/**
 * ip_addr_format_port() - "10.0.0.1:80", "[::1]:80"; an unspecified address is "*"
 */
const char *ip_addr_format_port(const struct ip_addr *a, uint16_t port, char buf[IP_ADDR_STRLEN]);

#endif
