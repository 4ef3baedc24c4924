/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>

#include "addr.h"
#include "base/cleanup.h"

/* sockaddr_in6 once ended before its scope, and that length is still good. */
#define SIN6_SHORT offsetof(struct sockaddr_in6, sin6_scope_id)

int addr_take(int family, const struct sockaddr *addr, socklen_t len,
              struct sockaddr_storage *ret)
{
    size_t need = family == AF_INET ? sizeof(struct sockaddr_in) : SIN6_SHORT;

    if (!addr)
        return -EFAULT;
    if (len < sizeof(addr->sa_family) || len > sizeof(*ret))
        return -EINVAL;
    memset(ret, 0, sizeof(*ret));
    memcpy(ret, addr, len);
    if (ret->ss_family == AF_UNSPEC)
        return 0;
    if (len < need)
        return -EINVAL;
    return ret->ss_family == family ? 0 : -EAFNOSUPPORT;
}

void addr_make(int family, const uint8_t mapped[16], uint16_t port, uint32_t scope,
               struct sockaddr_storage *ret)
{
    memset(ret, 0, sizeof(*ret));
    if (family == AF_INET) {
        struct sockaddr_in *sin = (struct sockaddr_in *)ret;

        sin->sin_family = AF_INET;
        sin->sin_port = htons(port);
        memcpy(&sin->sin_addr, mapped + 12, 4);
    } else {
        struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)ret;

        sin6->sin6_family = AF_INET6;
        sin6->sin6_port = htons(port);
        sin6->sin6_scope_id = scope;
        memcpy(&sin6->sin6_addr, mapped, 16);
    }
}

int addr_give(const struct sockaddr_storage *from, struct sockaddr *addr, socklen_t *len)
{
    socklen_t full =
        from->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);

    if (!addr || !len)
        return -EFAULT;
    if ((int)*len < 0)
        return -EINVAL;
    memcpy(addr, from, MIN(*len, full));
    *len = full;
    return 0;
}
