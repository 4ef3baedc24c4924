/* SPDX-License-Identifier: BSD-2-Clause */
/* Socket calls of an unmodified program: the client library's, under the old names. */
#include <stdarg.h>

#include "next.h"
#include "tcpd/client.h"

int socket(int domain, int type, int protocol)
{
    return tcpd_socket(domain, type, protocol);
}

int bind(int fd, __CONST_SOCKADDR_ARG addr, socklen_t len)
{
    return tcpd_bind(fd, addr.__sockaddr__, len);
}

int listen(int fd, int backlog)
{
    return tcpd_listen(fd, backlog);
}

int connect(int fd, __CONST_SOCKADDR_ARG addr, socklen_t len)
{
    return tcpd_connect(fd, addr.__sockaddr__, len);
}

int accept(int fd, __SOCKADDR_ARG addr, socklen_t *restrict len)
{
    return tcpd_accept(fd, addr.__sockaddr__, len);
}

int accept4(int fd, __SOCKADDR_ARG addr, socklen_t *restrict len, int flags)
{
    return tcpd_accept4(fd, addr.__sockaddr__, len, flags);
}

int shutdown(int fd, int how)
{
    return tcpd_shutdown(fd, how);
}

int getsockname(int fd, __SOCKADDR_ARG addr, socklen_t *restrict len)
{
    return tcpd_getsockname(fd, addr.__sockaddr__, len);
}

int getpeername(int fd, __SOCKADDR_ARG addr, socklen_t *restrict len)
{
    return tcpd_getpeername(fd, addr.__sockaddr__, len);
}

int getsockopt(int fd, int level, int name, void *restrict value, socklen_t *restrict len)
{
    return tcpd_getsockopt(fd, level, name, value, len);
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
    return tcpd_setsockopt(fd, level, name, value, len);
}

int ioctl(int fd, unsigned long request, ...)
{
    va_list ap;
    void *arg;

    va_start(ap, request);
    arg = va_arg(ap, void *);
    va_end(ap);
    return tcpd_ioctl(fd, request, arg);
}
