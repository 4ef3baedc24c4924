/* SPDX-License-Identifier: BSD-2-Clause */
/* All that TCP needs to know of a route. Made by netio, kept by a connection. */
#ifndef TCPD_WIRE_PATH_H
#define TCPD_WIRE_PATH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/ip_addr.h"

struct path {
    struct ip_addr src; /* the source address that the kernel would choose, or the bound one */
    uint32_t ifindex;   /* device by which packets leave */
    uint32_t mtu;       /* bytes of the largest IP packet, header included */
    uint32_t gso_max;   /* bytes of the largest super-frame, link header included; 0 = none */
    bool on_link;       /* the peer is on a directly attached network */
    bool loopback;      /* the peer is this host */
};

#endif
