/* SPDX-License-Identifier: BSD-2-Clause */
/* Socket addresses: checked as the kernel checks them, and given back as it does. */
#ifndef TCPD_CLIENT_ADDR_H
#define TCPD_CLIENT_ADDR_H

#include <stdint.h>
#include <sys/socket.h>

/**
 * addr_take() - what a program gave to bind() or connect()
 * @family:  of its socket
 *
 * -EFAULT, -EINVAL (too short), -EAFNOSUPPORT. AF_UNSPEC passes.
 */
int addr_take(int family, const struct sockaddr *addr, socklen_t len,
              struct sockaddr_storage *ret);

/** addr_make() - @mapped: 16 bytes, IPv4 as mapped; @port in host order */
void addr_make(int family, const uint8_t mapped[16], uint16_t port, uint32_t scope,
               struct sockaddr_storage *ret);

/** addr_give() - cut to the caller's room; *len becomes the true length. -EINVAL, -EFAULT */
int addr_give(const struct sockaddr_storage *from, struct sockaddr *addr, socklen_t *len);

#endif
