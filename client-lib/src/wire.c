/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/un.h>

#include "base/cleanup.h"
#include "sys.h"
#include "wire.h"

#define CONNECT_SECONDS 10
/* Programs expect the lowest numbers for themselves: above what they look at. */
#define HIGH_FD 900

/* Moves @fd to a high number, never to 0-2: those belong to the program. */
static int move_high(int fd)
{
    struct rlimit lim;
    int high = HIGH_FD;
    int r;

    if (getrlimit(RLIMIT_NOFILE, &lim) == 0 && lim.rlim_cur <= HIGH_FD)
        high = MAX((int)(lim.rlim_cur / 4 * 3), 3);
    r = sys_fcntl(fd, F_DUPFD_CLOEXEC, high);
    if (r < 0)
        r = sys_fcntl(fd, F_DUPFD_CLOEXEC, 3);
    sys_close(fd);
    return r;
}

int wire_open(const char *path)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    struct timeval limit = { .tv_sec = CONNECT_SECONDS };
    int fd, r;

    if (strlen(path) >= sizeof(un.sun_path))
        return -ENAMETOOLONG;
    memcpy(un.sun_path, path, strlen(path) + 1);

    fd = sys_socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC);
    if (fd < 0)
        return fd;
    /* A full backlog makes connect() wait; not for ever. */
    sys_setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    do
        r = sys_connect(fd, &un, sizeof(un));
    while (r == -EINTR);
    if (r < 0) {
        sys_close(fd);
        return r == -EAGAIN ? -ETIMEDOUT : r;
    }
    return move_high(fd);
}

int wire_send(int fd, const Tcpd__V1__Request *req, int shown)
{
    uint8_t buf[WIRE_REQUEST_MAX];
    union {
        struct cmsghdr align;
        uint8_t mem[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec iov = { .iov_base = buf };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.mem };
    struct cmsghdr *cmsg;
    struct ucred who;
    ssize_t r;

    if (tcpd__v1__request__get_packed_size(req) > sizeof(buf))
        return -EMSGSIZE;
    iov.iov_len = tcpd__v1__request__pack(req, buf);

    /* What acts is the effective identity, as for the kernel's own checks. */
    who.pid = (pid_t)SYS_CALL(SYS_getpid);
    who.uid = (uid_t)SYS_CALL(SYS_geteuid);
    who.gid = (gid_t)SYS_CALL(SYS_getegid);

    memset(&control, 0, sizeof(control));
    msg.msg_controllen = sizeof(control.mem);
    cmsg = CMSG_FIRSTHDR(&msg);
    cmsg->cmsg_level = SOL_SOCKET;
    cmsg->cmsg_type = SCM_CREDENTIALS;
    cmsg->cmsg_len = CMSG_LEN(sizeof(who));
    memcpy(CMSG_DATA(cmsg), &who, sizeof(who));
    if (shown >= 0) {
        cmsg = CMSG_NXTHDR(&msg, cmsg);
        cmsg->cmsg_level = SOL_SOCKET;
        cmsg->cmsg_type = SCM_RIGHTS;
        cmsg->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(cmsg), &shown, sizeof(int));
    } else {
        msg.msg_controllen = CMSG_SPACE(sizeof(who));
    }
    do
        r = sys_sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (r == -EINTR);
    return r < 0 ? (int)r : 0;
}

static void take_fds(struct msghdr *msg, struct answer *ret)
{
    struct cmsghdr *cmsg;

    for (cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
        size_t count, i;

        if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
            continue;
        count = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (i = 0; i < count; i++) {
            int fd;

            memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof(int), sizeof(fd));
            if (ret->fd < 0)
                ret->fd = fd;
            else
                sys_close(fd);
        }
    }
}

int wire_recv(int fd, struct answer *ret)
{
    union {
        struct cmsghdr align;
        uint8_t mem[CMSG_SPACE(4 * sizeof(int))];
    } control;
    struct iovec iov = { .iov_base = ret->buf, .iov_len = sizeof(ret->buf) };
    struct msghdr msg = {
        .msg_iov = &iov, .msg_iovlen = 1,
        .msg_control = control.mem, .msg_controllen = sizeof(control.mem),
    };
    ssize_t r;

    do
        r = sys_recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    while (r == -EINTR);
    if (r < 0)
        return (int)r;
    ret->fd = -1;
    take_fds(&msg, ret);
    ret->fd_lost = ret->fd < 0 && (msg.msg_flags & MSG_CTRUNC);
    ret->len = (size_t)r;
    return r > 0;
}

static void *arena_alloc(void *ctx, size_t size)
{
    struct wire_arena *arena = ctx;
    void *p;

    size = (size + 15) & ~(size_t)15;
    if (size > sizeof(arena->mem) - arena->used)
        return NULL;
    p = arena->mem + arena->used;
    arena->used += size;
    return p;
}

static void arena_free(void *ctx, void *p)
{
    /* The arena goes as a whole. */
}

Tcpd__V1__Reply *wire_unpack(const struct answer *a, struct wire_arena *arena)
{
    arena->used = 0;
    arena->alloc = (ProtobufCAllocator){ arena_alloc, arena_free, arena };
    return tcpd__v1__reply__unpack(&arena->alloc, a->len, a->buf);
}
