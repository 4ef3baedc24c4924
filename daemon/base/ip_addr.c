/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/ip_addr.h"

#include <arpa/inet.h>
#include <stdio.h>

const char *ip_addr_format(const struct ip_addr *a, char buf[IP_ADDR_STRLEN])
{
    if (ip_addr_is_v4(a))
        (void)inet_ntop(AF_INET, a->b + 12, buf, IP_ADDR_STRLEN);
    else
        (void)inet_ntop(AF_INET6, a->b, buf, IP_ADDR_STRLEN);
    return buf;
}

const char *ip_addr_format_port(const struct ip_addr *a, uint16_t port, char buf[IP_ADDR_STRLEN])
{
    char addr[IP_ADDR_STRLEN];

    if (ip_addr_is_any(a))
        (void)snprintf(buf, IP_ADDR_STRLEN, "*:%u", port);
    else if (ip_addr_is_v4(a))
        (void)snprintf(buf, IP_ADDR_STRLEN, "%.46s:%u", ip_addr_format(a, addr), port);
    else
        (void)snprintf(buf, IP_ADDR_STRLEN, "[%.46s]:%u", ip_addr_format(a, addr), port);
    return buf;
}
