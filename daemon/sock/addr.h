/* SPDX-License-Identifier: BSD-2-Clause */
/* Which addresses a socket may be bound or connected to, and what they become. */
#ifndef TCPD_SOCK_ADDR_H
#define TCPD_SOCK_ADDR_H

#include "sock/handle.h"

/**
 * addr_check_bind() - may @s be bound to this address?
 * @addr:  scope is filled in from the device that the socket is bound to
 *
 * Errors: -EAFNOSUPPORT (an IPv6 address on an IPv4 socket), -EINVAL (link-local
 * without a device), -EADDRNOTAVAIL (not ours, not unicast, or IPv4 on V6ONLY).
 */
int addr_check_bind(const struct sock *s, struct sock_addr *addr);

/**
 * addr_check_connect() - may @s connect to this address?
 * @addr:  an unspecified one becomes the loopback address of its family
 *
 * Errors: -EAFNOSUPPORT, -EINVAL (link-local without a device), -ENETUNREACH
 * (multicast, broadcast), -EADDRNOTAVAIL (port 0; another family than the bound
 * address; IPv4 on V6ONLY).
 */
int addr_check_connect(const struct sock *s, struct sock_addr *addr);

/** addr_flow_zone() - struct flow's zone for an address: its device if it is link-local */
uint32_t addr_flow_zone(const struct sock_addr *addr);

#endif
