/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a program does to descriptor numbers. To it the session's descriptor does not
 * exist: closing it is EBADF, a number that it wants is vacated first.
 *
 * These run in children of vfork(), in the parent's memory: session_owns() is false
 * there, so the child's calls are the kernel's own, and nothing but the hint UNKNOWN
 * is stored.
 */
#undef _FILE_OFFSET_BITS /* both names are defined here, so none may stand for the other */
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>

#include <linux/close_range.h>

#include "next.h"
#include "ours.h"
#include "session.h"
#include "tcpd/client.h"

static bool is_hidden(int fd)
{
    if (!session_owns(fd))
        return false;
    errno = EBADF;
    return true;
}

int close(int fd)
{
    return is_hidden(fd) ? -1 : tcpd_close(fd);
}

/* The number @fd has just come to mean what some other number means. */
static int copied(int fd)
{
    if (fd >= 0)
        ours_forget(fd);
    return fd;
}

int dup(int fd)
{
    return is_hidden(fd) ? -1 : copied(next()->dup(fd));
}

int dup2(int from, int to)
{
    if (is_hidden(from))
        return -1;
    if (from != to)
        session_make_way(to);
    return copied(next()->dup2(from, to));
}

int dup3(int from, int to, int flags)
{
    if (is_hidden(from))
        return -1;
    if (from != to)
        session_make_way(to);
    return copied(next()->dup3(from, to, flags));
}

int fcntl(int fd, int cmd, ...)
{
    va_list ap;
    void *arg;

    va_start(ap, cmd);
    arg = va_arg(ap, void *);
    va_end(ap);
    if (is_hidden(fd))
        return -1;
    if (cmd == F_DUPFD || cmd == F_DUPFD_CLOEXEC)
        return copied(next()->fcntl(fd, cmd, arg));
    return next()->fcntl(fd, cmd, arg);
}

int fcntl64(int fd, int cmd, ...) __attribute__((alias("fcntl")));

int close_range(unsigned first, unsigned last, int flags)
{
    int hidden = session_fd();
    int r = 0;

    if (flags & CLOSE_RANGE_CLOEXEC)
        return next()->close_range(first, last, flags); /* which the session's is already */
    ours_forget_range(first, last);
    if (hidden < 0 || (unsigned)hidden < first || (unsigned)hidden > last || first > last ||
        !session_owns(hidden))
        return next()->close_range(first, last, flags);
    if ((unsigned)hidden > first)
        r = next()->close_range(first, (unsigned)hidden - 1, flags);
    if (r == 0 && (unsigned)hidden < last)
        r = next()->close_range((unsigned)hidden + 1, last, flags);
    return r;
}

void closefrom(int low)
{
    int kept = errno;

    low = low < 0 ? 0 : low;
    if (close_range((unsigned)low, ~0u, 0) < 0) {
        ours_forget_range((unsigned)low, ~0u);
        next()->closefrom(low); /* the session goes as well; it will be made again */
    }
    errno = kept;
}
