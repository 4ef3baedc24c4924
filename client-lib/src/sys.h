/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls for the library's own use: 0 or more, or -errno; errno is kept.
 * Not the C library's functions: those are cancellation points and may be interposed.
 */
#ifndef TCPD_CLIENT_SYS_H
#define TCPD_CLIENT_SYS_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SYS_CALL(number, ...)                                                                      \
    ({                                                                                             \
        int kept_ = errno;                                                                         \
        long got_ = syscall(number, ##__VA_ARGS__);                                                \
        if (got_ < 0)                                                                              \
            got_ = -errno;                                                                         \
        errno = kept_;                                                                             \
        got_;                                                                                      \
    })

static inline int sys_socket(int family, int type)
{
    return (int)SYS_CALL(SYS_socket, family, type, 0);
}

static inline int sys_connect(int fd, const void *addr, socklen_t len)
{
    return (int)SYS_CALL(SYS_connect, fd, addr, len);
}

static inline int sys_close(int fd)
{
    return (int)SYS_CALL(SYS_close, fd);
}

static inline ssize_t sys_sendmsg(int fd, const struct msghdr *msg, int flags)
{
    return SYS_CALL(SYS_sendmsg, fd, msg, flags);
}

static inline ssize_t sys_recvmsg(int fd, struct msghdr *msg, int flags)
{
    return SYS_CALL(SYS_recvmsg, fd, msg, flags);
}

static inline int sys_fcntl(int fd, int cmd, long arg)
{
    return (int)SYS_CALL(SYS_fcntl, fd, cmd, arg);
}

static inline int sys_dup3(int from, int to, int flags)
{
    return (int)SYS_CALL(SYS_dup3, from, to, flags);
}

static inline int sys_getsockname(int fd, void *addr, socklen_t *len)
{
    return (int)SYS_CALL(SYS_getsockname, fd, addr, len);
}

static inline int sys_getpeername(int fd, void *addr, socklen_t *len)
{
    return (int)SYS_CALL(SYS_getpeername, fd, addr, len);
}

static inline int sys_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
    return (int)SYS_CALL(SYS_getsockopt, fd, level, name, value, len);
}

static inline int sys_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
    return (int)SYS_CALL(SYS_setsockopt, fd, level, name, value, len);
}

/** sys_poll() - one descriptor; @timeout_ms < 0 waits for ever */
static inline int sys_poll(struct pollfd *pfd, int timeout_ms)
{
    struct timespec ts = { timeout_ms / 1000, timeout_ms % 1000 * 1000000L };

    return (int)SYS_CALL(SYS_ppoll, pfd, 1, timeout_ms < 0 ? NULL : &ts, NULL, 8);
}

/** sys_cookie() - SO_COOKIE, the number of a socket that is never given again; 0 if none */
static inline uint64_t sys_cookie(int fd)
{
    uint64_t cookie = 0;
    socklen_t len = sizeof(cookie);

    return sys_getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) < 0 ? 0 : cookie;
}

static inline int64_t sys_now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

#endif
