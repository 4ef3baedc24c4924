/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Data calls: the kernel's own, on the descriptor itself; what this adds is exact
 * errors. A read costs nothing extra until it fails. A write to a socket of tcpd is
 * made with MSG_NOSIGNAL, because only afterwards is it known whether TCP would have
 * raised SIGPIPE; whether a number may be such a socket is a look at one byte.
 */
#include <signal.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "fault.h"
#include "native.h"
#include "ours.h"
#include "rpc.h"
#include "sys.h"
#include "tcpd/client.h"

#define DISCARD_CHUNK  2048
#define DISCARD_CHUNKS 32

static ssize_t read_result(int fd, ssize_t r, int flags)
{
    if (__builtin_expect(r < 0, 0))
        errno = fault_of_read(fd, errno, flags);
    return r;
}

static ssize_t write_result(int fd, ssize_t r, int flags)
{
    if (__builtin_expect(r < 0, 0))
        errno = fault_of_write(fd, errno, flags);
    return r;
}

/* What waits on a listening descriptor are connections: not for read(). */
static bool is_listener(int fd)
{
    if (__builtin_expect(!(ours_hint(fd) & HINT_LISTEN), 1) || !ours_family(fd))
        return false;
    errno = ENOTCONN;
    return true;
}

/* TCP reports nothing there, and AF_UNIX would read the data instead. */
static bool is_error_queue(int fd, int flags)
{
    if (__builtin_expect(!(flags & MSG_ERRQUEUE), 1) || !ours_family(fd))
        return false;
    errno = EAGAIN;
    return true;
}

/* ---- reads --------------------------------------------------------------------------- */

ssize_t tcpd_read(int fd, void *buf, size_t len)
{
    if (is_listener(fd))
        return -1;
    return read_result(fd, native()->read(fd, buf, len), 0);
}

ssize_t tcpd_readv(int fd, const struct iovec *iov, int count)
{
    if (is_listener(fd))
        return -1;
    return read_result(fd, native()->readv(fd, iov, count), 0);
}

/* MSG_TRUNC of tcp(7): as a read, but the bytes go nowhere. */
static ssize_t discard(int fd, size_t len, int flags)
{
    char nowhere[DISCARD_CHUNK];
    struct iovec iov[DISCARD_CHUNKS];
    struct msghdr msg = { .msg_iov = iov };

    while (len > 0 && msg.msg_iovlen < DISCARD_CHUNKS) {
        size_t n = MIN(len, sizeof(nowhere));

        iov[msg.msg_iovlen++] = (struct iovec){ nowhere, n };
        len -= n;
    }
    return read_result(fd, native()->recvmsg(fd, &msg, flags & ~MSG_TRUNC), flags);
}

ssize_t tcpd_recv(int fd, void *buf, size_t len, int flags)
{
    if (is_listener(fd) || is_error_queue(fd, flags))
        return -1;
    if ((flags & (MSG_TRUNC | MSG_PEEK)) == MSG_TRUNC && ours_family(fd))
        return discard(fd, len, flags);
    return read_result(fd, native()->recv(fd, buf, len, flags), flags);
}

ssize_t tcpd_recvfrom(int fd, void *buf, size_t len, int flags, struct sockaddr *addr,
                      socklen_t *addr_len)
{
    ssize_t r;

    if (!addr)
        return tcpd_recv(fd, buf, len, flags);
    if (!ours_maybe(fd) || !ours_family(fd))
        return read_result(fd, native()->recvfrom(fd, buf, len, flags, addr, addr_len), flags);
    r = tcpd_recv(fd, buf, len, flags);
    if (r >= 0 && addr_len)
        *addr_len = 0; /* a connection does not say it again */
    return r;
}

/* Descriptors that come by another socket may be tcpd's, whatever their numbers were. */
static void forget_received(struct msghdr *msg)
{
    struct cmsghdr *cmsg;

    for (cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
        size_t i, count = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);

        if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
            continue;
        for (i = 0; i < count; i++) {
            int fd;

            memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof(int), sizeof(fd));
            ours_forget(fd);
        }
    }
}

ssize_t tcpd_recvmsg(int fd, struct msghdr *msg, int flags)
{
    struct msghdr plain;
    ssize_t r;

    if (is_listener(fd) || is_error_queue(fd, flags))
        return -1;
    if (!msg->msg_name || !ours_maybe(fd) || !ours_family(fd)) {
        r = native()->recvmsg(fd, msg, flags);
        if (r >= 0 && msg->msg_controllen)
            forget_received(msg);
        return read_result(fd, r, flags);
    }
    plain = *msg;
    plain.msg_name = NULL;
    plain.msg_namelen = 0;
    r = native()->recvmsg(fd, &plain, flags);
    if (r >= 0) {
        msg->msg_namelen = 0;
        msg->msg_controllen = plain.msg_controllen;
        msg->msg_flags = plain.msg_flags;
    }
    return read_result(fd, r, flags);
}

int tcpd_recvmmsg(int fd, struct mmsghdr *msgs, unsigned count, int flags,
                  struct timespec *timeout)
{
    int i, n;

    if (is_listener(fd))
        return -1;
    n = native()->recvmmsg(fd, msgs, count, flags, timeout);
    for (i = 0; i < n; i++) {
        if (msgs[i].msg_hdr.msg_controllen)
            forget_received(&msgs[i].msg_hdr);
        if (msgs[i].msg_hdr.msg_name && ours_maybe(fd))
            msgs[i].msg_hdr.msg_namelen = 0;
    }
    return (int)read_result(fd, n, flags);
}

/* ---- writes ---------------------------------------------------------------------------- */

ssize_t tcpd_write(int fd, const void *buf, size_t len)
{
    ssize_t r;

    if (!ours_maybe(fd))
        return native()->write(fd, buf, len);
    r = native()->send(fd, buf, len, MSG_NOSIGNAL);
    if (r < 0 && errno == ENOTSOCK) { /* the number means something else by now */
        ours_forget(fd);
        return native()->write(fd, buf, len);
    }
    return write_result(fd, r, 0);
}

ssize_t tcpd_writev(int fd, const struct iovec *iov, int count)
{
    struct msghdr msg = {
        .msg_iov = (struct iovec *)(uintptr_t)iov,
        .msg_iovlen = (size_t)count,
    };
    ssize_t r;

    if (count < 0 || !ours_maybe(fd))
        return native()->writev(fd, iov, count);
    r = native()->sendmsg(fd, &msg, MSG_NOSIGNAL);
    if (r < 0 && (errno == ENOTSOCK || errno == EMSGSIZE)) { /* EMSGSIZE: count above IOV_MAX */
        ours_forget(fd);
        return native()->writev(fd, iov, count);
    }
    return write_result(fd, r, 0);
}

ssize_t tcpd_send(int fd, const void *buf, size_t len, int flags)
{
    if (!ours_maybe(fd))
        return native()->send(fd, buf, len, flags);
    return write_result(fd, native()->send(fd, buf, len, flags | MSG_NOSIGNAL), flags);
}

ssize_t tcpd_sendto(int fd, const void *buf, size_t len, int flags, const struct sockaddr *addr,
                    socklen_t addr_len)
{
    if (!addr && !addr_len)
        return tcpd_send(fd, buf, len, flags);
    /* TCP does not look at the address. */
    if (ours_maybe(fd) && ours_family(fd))
        return tcpd_send(fd, buf, len, flags);
    return native()->sendto(fd, buf, len, flags, addr, addr_len);
}

ssize_t tcpd_sendmsg(int fd, const struct msghdr *msg, int flags)
{
    struct msghdr plain;

    if (!ours_maybe(fd) || !ours_family(fd))
        return native()->sendmsg(fd, msg, flags);
    /* An address or descriptors would mean something to AF_UNIX; to TCP they do not. */
    plain = (struct msghdr){ .msg_iov = msg->msg_iov, .msg_iovlen = msg->msg_iovlen };
    return write_result(fd, native()->sendmsg(fd, &plain, flags | MSG_NOSIGNAL), flags);
}

int tcpd_sendmmsg(int fd, struct mmsghdr *msgs, unsigned count, int flags)
{
    unsigned i;

    if (!ours_maybe(fd) || !ours_family(fd))
        return native()->sendmmsg(fd, msgs, count, flags);
    for (i = 0; i < count && i < 1024; i++) {
        ssize_t r = tcpd_sendmsg(fd, &msgs[i].msg_hdr, flags);

        if (r < 0)
            return i ? (int)i : -1;
        msgs[i].msg_len = (unsigned)r;
    }
    return (int)i;
}

/* sendfile() has no MSG_NOSIGNAL: the signal is held back, and taken away if it came. */
ssize_t tcpd_sendfile(int out_fd, int in_fd, off_t *offset, size_t count)
{
    static const struct timespec now = { 0, 0 };
    sigset_t pipe_set, kept, pending;
    ssize_t r;
    int err;

    if (!ours_maybe(out_fd))
        return native()->sendfile(out_fd, in_fd, offset, count);
    sigemptyset(&pipe_set);
    sigaddset(&pipe_set, SIGPIPE);
    sigpending(&pending);
    pthread_sigmask(SIG_BLOCK, &pipe_set, &kept);
    r = native()->sendfile(out_fd, in_fd, offset, count);
    err = errno;
    if (r < 0 && err == EPIPE && !sigismember(&pending, SIGPIPE))
        sigtimedwait(&pipe_set, NULL, &now);
    pthread_sigmask(SIG_SETMASK, &kept, NULL);
    errno = err;
    return write_result(out_fd, r, 0);
}
