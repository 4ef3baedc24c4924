/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Options: tcpd's, but for those that are about the descriptor itself.
 */
#include <linux/sockios.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>

#include "base/cleanup.h"
#include "fault.h"
#include "native.h"
#include "ours.h"
#include "rpc.h"
#include "sys.h"
#include "tcpd/client.h"

#ifndef SO_RCVTIMEO_NEW
#define SO_RCVTIMEO_NEW 66
#define SO_SNDTIMEO_NEW 67
#endif

static int fail(int r)
{
    errno = -r;
    return -1;
}

/* The kernel applies these to the waiting in read(), write() and accept(). */
static bool is_native(int level, int name)
{
    if (level != SOL_SOCKET)
        return false;
    return name == SO_RCVTIMEO || name == SO_SNDTIMEO || name == SO_RCVTIMEO_NEW ||
           name == SO_SNDTIMEO_NEW;
}

/* These mean something to both sides: how bytes are read, once they are there. */
static bool is_both(int level, int name)
{
    return level == SOL_SOCKET && (name == SO_OOBINLINE || name == SO_RCVLOWAT);
}

/* What needs no asking. */
static bool is_known(int fd, int family, int level, int name, int *ret)
{
    if (level != SOL_SOCKET)
        return false;
    switch (name) {
    case SO_TYPE:
        *ret = SOCK_STREAM;
        return true;
    case SO_DOMAIN:
        *ret = family;
        return true;
    case SO_PROTOCOL:
        *ret = IPPROTO_TCP;
        return true;
    case SO_ERROR:
        *ret = fault_take(fd);
        return true;
    default:
        return false;
    }
}

int tcpd_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
    int family = ours_family(fd);
    int known, r;

    if (!family || is_native(level, name))
        return native()->getsockopt(fd, level, name, value, len);
    if (!len || !value)
        return fail(-EFAULT);
    if ((int)*len < 0)
        return fail(-EINVAL);
    if (is_known(fd, family, level, name, &known)) {
        *len = MIN(*len, (socklen_t)sizeof(known));
        memcpy(value, &known, *len);
        return 0;
    }
    r = rpc_getopt(fd, level, name, value, len);
    return r < 0 ? fail(r) : 0;
}

static void linger_hint(int fd, const void *value, socklen_t len)
{
    uint8_t hint = (uint8_t)(ours_hint(fd) & ~HINT_LINGER);
    struct linger l;

    if (len < sizeof(l))
        return;
    memcpy(&l, value, sizeof(l));
    ours_hint_set(fd, l.l_onoff && l.l_linger > 0 ? hint | HINT_LINGER : hint);
}

int tcpd_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
    int r;

    if (!ours_family(fd) || is_native(level, name))
        return native()->setsockopt(fd, level, name, value, len);
    if (!value && len)
        return fail(-EFAULT);
    r = rpc_setopt(fd, level, name, value, len);
    if (r < 0)
        return fail(r);
    if (is_both(level, name))
        return native()->setsockopt(fd, level, name, value, len);
    if (level == SOL_SOCKET && name == SO_LINGER)
        linger_hint(fd, value, len);
    return 0;
}

static int queue_ioctl(int fd, unsigned long request, int *ret)
{
    uint32_t unsent, unacked;
    int r = rpc_queue(fd, &unsent, &unacked);

    if (r < 0)
        return fail(r);
    if (!ret)
        return fail(-EFAULT);
    *ret = (int)MIN(request == SIOCOUTQ ? unacked : unsent, (uint32_t)INT32_MAX);
    return 0;
}

/* Addresses and routes are asked for through any socket of the family; ours is none. */
static int inet_ioctl(int family, unsigned long request, void *arg)
{
    int fd = native()->socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int r, err;

    if (fd < 0)
        return -1;
    r = native()->ioctl(fd, request, arg);
    err = errno;
    sys_close(fd);
    errno = err;
    return r;
}

int tcpd_ioctl(int fd, unsigned long request, void *arg)
{
    int family, r;

    if ((request == SIOCOUTQ || request == SIOCOUTQNSD) && ours_family(fd))
        return queue_ioctl(fd, request, arg);
    if (request == FIONREAD && (ours_hint(fd) & HINT_LISTEN) && ours_family(fd))
        return fail(-EINVAL); /* what waits there are connections, not bytes */
    r = native()->ioctl(fd, request, arg);
    if (r >= 0 || (errno != ENOTTY && errno != EINVAL) || (request & ~0xfful) != 0x8900)
        return r;
    family = ours_family(fd);
    return family ? inet_ioctl(family, request, arg) : r;
}
