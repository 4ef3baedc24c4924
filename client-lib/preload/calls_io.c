/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Data calls of an unmodified program. What the C library calls within itself (stdio,
 * the resolver) does not pass here; there a broken connection is ECONNRESET or EPIPE.
 */
#undef _FILE_OFFSET_BITS /* both names are defined here, so none may stand for the other */
#include <stdlib.h>

#include "next.h"
#include "tcpd/client.h"

ssize_t read(int fd, void *buf, size_t len)
{
    return tcpd_read(fd, buf, len);
}

ssize_t readv(int fd, const struct iovec *iov, int count)
{
    return tcpd_readv(fd, iov, count);
}

ssize_t recv(int fd, void *buf, size_t len, int flags)
{
    return tcpd_recv(fd, buf, len, flags);
}

ssize_t recvfrom(int fd, void *restrict buf, size_t len, int flags, __SOCKADDR_ARG addr,
                 socklen_t *restrict addr_len)
{
    return tcpd_recvfrom(fd, buf, len, flags, addr.__sockaddr__, addr_len);
}

ssize_t recvmsg(int fd, struct msghdr *msg, int flags)
{
    return tcpd_recvmsg(fd, msg, flags);
}

int recvmmsg(int fd, struct mmsghdr *msgs, unsigned count, int flags, struct timespec *timeout)
{
    return tcpd_recvmmsg(fd, msgs, count, flags, timeout);
}

ssize_t write(int fd, const void *buf, size_t len)
{
    return tcpd_write(fd, buf, len);
}

ssize_t writev(int fd, const struct iovec *iov, int count)
{
    return tcpd_writev(fd, iov, count);
}

ssize_t send(int fd, const void *buf, size_t len, int flags)
{
    return tcpd_send(fd, buf, len, flags);
}

ssize_t sendto(int fd, const void *buf, size_t len, int flags, __CONST_SOCKADDR_ARG addr,
               socklen_t addr_len)
{
    return tcpd_sendto(fd, buf, len, flags, addr.__sockaddr__, addr_len);
}

ssize_t sendmsg(int fd, const struct msghdr *msg, int flags)
{
    return tcpd_sendmsg(fd, msg, flags);
}

int sendmmsg(int fd, struct mmsghdr *msgs, unsigned count, int flags)
{
    return tcpd_sendmmsg(fd, msgs, count, flags);
}

ssize_t sendfile(int out_fd, int in_fd, off_t *offset, size_t count)
{
    return tcpd_sendfile(out_fd, in_fd, offset, count);
}

#if __SIZEOF_LONG__ == 8
ssize_t sendfile64(int out_fd, int in_fd, off64_t *offset, size_t count)
{
    return tcpd_sendfile(out_fd, in_fd, offset, count);
}
#endif

/* Programs built with _FORTIFY_SOURCE call these, with the size of their buffer. */
extern void __chk_fail(void) __attribute__((noreturn));
ssize_t __read_chk(int fd, void *buf, size_t len, size_t room);
ssize_t __recv_chk(int fd, void *buf, size_t len, size_t room, int flags);
ssize_t __recvfrom_chk(int fd, void *restrict buf, size_t len, size_t room, int flags,
                       __SOCKADDR_ARG addr, socklen_t *restrict addr_len);

ssize_t __read_chk(int fd, void *buf, size_t len, size_t room)
{
    if (len > room)
        __chk_fail();
    return tcpd_read(fd, buf, len);
}

ssize_t __recv_chk(int fd, void *buf, size_t len, size_t room, int flags)
{
    if (len > room)
        __chk_fail();
    return tcpd_recv(fd, buf, len, flags);
}

ssize_t __recvfrom_chk(int fd, void *restrict buf, size_t len, size_t room, int flags,
                       __SOCKADDR_ARG addr, socklen_t *restrict addr_len)
{
    if (len > room)
        __chk_fail();
    return tcpd_recvfrom(fd, buf, len, flags, addr.__sockaddr__, addr_len);
}
