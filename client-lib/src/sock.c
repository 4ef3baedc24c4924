/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The calls that make, connect and end sockets. Each asks the descriptor whether it
 * is tcpd's; if not, the kernel's own call does the work.
 */
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>

#include "addr.h"
#include "base/cleanup.h"
#include "fault.h"
#include "native.h"
#include "ours.h"
#include "rpc.h"
#include "stream/stream.h"
#include "sys.h"
#include "tcpd/client.h"

/* 0 and -errno become what the socket calls return. */
static int give(int r)
{
    if (r >= 0)
        return r;
    errno = -r;
    return -1;
}

static bool is_nonblocking(int fd)
{
    int flags = sys_fcntl(fd, F_GETFL, 0);

    return flags >= 0 && (flags & O_NONBLOCK);
}

/* The descriptor came close-on-exec; @type has the program's SOCK_NONBLOCK, SOCK_CLOEXEC. */
static void set_flags(int fd, int type)
{
    int flags = sys_fcntl(fd, F_GETFL, 0);
    int want = type & SOCK_NONBLOCK ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;

    if (flags >= 0 && want != flags)
        sys_fcntl(fd, F_SETFL, want);
    if (!(type & SOCK_CLOEXEC))
        sys_fcntl(fd, F_SETFD, 0);
}

int tcpd_socket(int domain, int type, int protocol)
{
    int kind = type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC);
    int fd, r;

    if ((domain != AF_INET && domain != AF_INET6) || kind != SOCK_STREAM)
        return native()->socket(domain, type, protocol);
    if (protocol == IPPROTO_MPTCP)
        return give(-EPROTONOSUPPORT); /* the kernel's would become its plain TCP */
    if (protocol != 0 && protocol != IPPROTO_TCP)
        return native()->socket(domain, type, protocol);

    r = rpc_socket(domain, &fd);
    if (r < 0)
        return give(r);
    set_flags(fd, type);
    ours_hint_set(fd, HINT_OURS);
    return fd;
}

int tcpd_bind(int fd, const struct sockaddr *addr, socklen_t len)
{
    int family = ours_family(fd);
    struct sockaddr_storage ss;
    struct sockaddr_in *sin = (struct sockaddr_in *)&ss;
    int r;

    if (!family)
        return native()->bind(fd, addr, len);
    r = addr_take(family, addr, len, &ss);
    if (r < 0)
        return give(r);
    if (ss.ss_family == AF_UNSPEC) {
        /* Old programs leave the family out for the wildcard. */
        if (family != AF_INET || len < sizeof(*sin) || sin->sin_addr.s_addr != INADDR_ANY)
            return give(-EAFNOSUPPORT);
        ss.ss_family = AF_INET;
    }
    return give(rpc_bind(fd, &ss));
}

int tcpd_listen(int fd, int backlog)
{
    int r;

    if (!ours_family(fd))
        return native()->listen(fd, backlog);
    r = rpc_listen(fd, backlog);
    if (r == 0)
        ours_hint_set(fd, ours_hint(fd) | HINT_LISTEN);
    return give(r);
}

/* ---- connect ------------------------------------------------------------------------ */

/*
 * connect() goes on after a handler with SA_RESTART; poll() never does, and does not
 * tell which handler ran. If there is one without the flag, it may have been that one.
 */
static bool handlers_restart(void)
{
    int sig;

    for (sig = 1; sig < NSIG; sig++) {
        struct sigaction act;

        if (sigaction(sig, NULL, &act) < 0 || (act.sa_flags & SA_RESTART))
            continue;
        if (act.sa_handler != SIG_DFL && act.sa_handler != SIG_IGN)
            return false;
    }
    return true;
}

static int send_timeout_ms(int fd)
{
    struct timeval tv = { 0 };
    socklen_t len = sizeof(tv);

    if (sys_getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, &len) < 0 || (!tv.tv_sec && !tv.tv_usec))
        return -1;
    return tv.tv_sec > 1000000 ? -1 : (int)(tv.tv_sec * 1000 + (tv.tv_usec + 999) / 1000);
}

/* Until the handshake has ended one way or the other. 0 or -errno. */
static int connect_wait(int fd)
{
    int limit = send_timeout_ms(fd);
    int64_t deadline = sys_now_ms() + limit;
    struct pollfd pfd = { .fd = fd, .events = POLLOUT };

    for (;;) {
        int left = limit < 0 ? -1 : (int)MAX(deadline - sys_now_ms(), (int64_t)0);
        int r = native()->poll(&pfd, 1, left);

        if (r > 0)
            break;
        if (r == 0)
            return -EINPROGRESS; /* as the kernel's TCP when SO_SNDTIMEO is over */
        if (errno != EINTR)
            return -errno;
        if (limit >= 0 || !handlers_restart())
            return -EINTR;
    }
    return pfd.revents & (POLLERR | POLLHUP) ? -fault_take(fd) : 0;
}

/* The pair of a failed connection is gone for good: a new one takes the number over. */
static int replace_dead(int fd, int family)
{
    int fresh, r;
    int fd_flags = sys_fcntl(fd, F_GETFD, 0);
    int flags = sys_fcntl(fd, F_GETFL, 0);

    r = rpc_socket(family, &fresh);
    if (r < 0)
        return r;
    sys_fcntl(fresh, F_SETFL, flags);
    r = sys_dup3(fresh, fd, fd_flags & FD_CLOEXEC ? O_CLOEXEC : 0);
    sys_close(fresh);
    return MIN(r, 0);
}

static bool is_dead(int fd)
{
    struct pollfd pfd = { .fd = fd };
    struct sockaddr_storage ss;
    socklen_t len = sizeof(ss);

    /* A fresh descriptor hangs up as well, but has no peer. */
    return sys_poll(&pfd, 0) > 0 && (pfd.revents & POLLHUP) &&
           sys_getpeername(fd, &ss, &len) == 0;
}

/*
 * After a failed attempt TCP allows another. What the first one left is said first, if
 * nobody asked. Registrations with an epoll set stay with the old one: programs make a
 * new socket for the next address, as a rule.
 */
static int connect_anew(int fd, int family, const struct sockaddr_storage *addr)
{
    int r = fault_take(fd);

    if (r > 0)
        return -r;
    r = replace_dead(fd, family);
    return r < 0 ? r : rpc_connect(fd, addr);
}

int tcpd_connect(int fd, const struct sockaddr *addr, socklen_t len)
{
    int family = ours_family(fd);
    struct sockaddr_storage ss;
    int r;

    if (!family)
        return native()->connect(fd, addr, len);
    r = addr_take(family, addr, len, &ss);
    if (r < 0)
        return give(r);
    r = rpc_connect(fd, &ss);
    if ((r == -ENOTCONN || r == -ENOTSOCK || r == -EINVAL) && is_dead(fd))
        r = connect_anew(fd, family, &ss);
    if ((r == -EINPROGRESS || r == -EALREADY) && !is_nonblocking(fd))
        r = connect_wait(fd);
    return give(r);
}

/* ---- accept -------------------------------------------------------------------------- */

/* 0 if @fd listens, else -errno. Asked once per number: reading on would eat data. */
static int must_listen(int fd)
{
    int listens = 0;
    socklen_t len = sizeof(listens);
    int r;

    if (ours_hint(fd) & HINT_LISTEN)
        return 0;
    r = rpc_getopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len);
    if (r < 0)
        return r;
    if (!listens)
        return -EINVAL;
    ours_hint_set(fd, ours_hint(fd) | HINT_LISTEN);
    return 0;
}

/* The number that accept() got last: near the limit, look for a free one first, because
 * a connection that is taken and finds none is lost, which the kernel's never is. */
static int last_accepted;

static int must_have_number(void)
{
    struct rlimit lim;
    int fd;

    if (getrlimit(RLIMIT_NOFILE, &lim) < 0 ||
        (rlim_t)__atomic_load_n(&last_accepted, __ATOMIC_RELAXED) + 16 < lim.rlim_cur)
        return 0;
    fd = sys_fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
    if (fd >= 0)
        sys_close(fd);
    return fd == -EMFILE ? -EMFILE : 0;
}

static int message_fd(struct msghdr *msg)
{
    struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg);
    int fd;

    if (!cmsg || cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS ||
        cmsg->cmsg_len != CMSG_LEN(sizeof(int)))
        return -1;
    memcpy(&fd, CMSG_DATA(cmsg), sizeof(fd));
    return fd;
}

/* Takes one connection off the queue. The new descriptor, or -errno. */
static int take_connection(int fd, struct stream_accept_msg *ret)
{
    union {
        struct cmsghdr align;
        uint8_t mem[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec iov = { .iov_base = ret, .iov_len = sizeof(*ret) };
    struct msghdr msg = {
        .msg_iov = &iov, .msg_iovlen = 1,
        .msg_control = control.mem, .msg_controllen = sizeof(control.mem),
    };
    ssize_t n = native()->recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
    int got;

    if (n < 0)
        return errno == ECONNRESET ? -EINVAL : -errno;
    got = n > 0 ? message_fd(&msg) : -1;
    if (got < 0 && (msg.msg_flags & MSG_CTRUNC))
        return -EMFILE;
    if (got >= 0 && n == sizeof(*ret) && ret->magic == STREAM_ACCEPT_MAGIC)
        return got;
    if (got >= 0)
        sys_close(got);
    return -EINVAL; /* shut down, or tcpd is gone: it does not listen any more */
}

int tcpd_accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
    struct stream_accept_msg msg;
    struct sockaddr_storage peer;
    int r, conn;

    if (!ours_family(fd))
        return native()->accept4(fd, addr, len, flags);
    if (flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC))
        return give(-EINVAL);
    if (addr && (!len || (int)*len < 0))
        return give(len ? -EINVAL : -EFAULT);
    r = must_listen(fd);
    if (r < 0)
        return give(r);
    r = must_have_number();
    if (r < 0)
        return give(r);

    conn = take_connection(fd, &msg);
    if (conn < 0)
        return give(conn);
    __atomic_store_n(&last_accepted, conn, __ATOMIC_RELAXED);
    set_flags(conn, flags);
    ours_hint_set(conn, HINT_OURS | (ours_hint(fd) & HINT_LINGER));
    if (addr) {
        addr_make(msg.family, msg.addr, msg.port, msg.scope, &peer);
        addr_give(&peer, addr, len);
    }
    return conn;
}

int tcpd_accept(int fd, struct sockaddr *addr, socklen_t *len)
{
    if (!ours_family(fd))
        return native()->accept(fd, addr, len);
    return tcpd_accept4(fd, addr, len, 0);
}

/* ---- ends and names ---------------------------------------------------------------------- */

int tcpd_shutdown(int fd, int how)
{
    int r;

    if (!ours_family(fd))
        return native()->shutdown(fd, how);
    if (how != SHUT_RD && how != SHUT_WR && how != SHUT_RDWR)
        return give(-EINVAL);
    r = rpc_shutdown(fd, how);
    if (r == -ENETDOWN)
        r = -ENOTCONN; /* with tcpd went the connection */
    if (r < 0)
        return give(r);
    /* A dead one has no other end to tell; that is not the program's error. */
    if (native()->shutdown(fd, how) < 0 && errno != ENOTCONN)
        return -1;
    return 0;
}

/* SO_LINGER: the close waits, a signal ends the waiting. Non-blocking ones do not wait. */
static void linger(int fd)
{
    struct linger l = { 0 };
    socklen_t len = sizeof(l);

    if (is_nonblocking(fd) || rpc_getopt(fd, SOL_SOCKET, SO_LINGER, &l, &len) < 0)
        return;
    if (len == sizeof(l) && l.l_onoff && l.l_linger > 0)
        rpc_drain(fd, MIN(l.l_linger, 1000000) * 1000);
}

int tcpd_close(int fd)
{
    if ((ours_hint(fd) & HINT_LINGER) && ours_family(fd))
        linger(fd);
    ours_forget(fd);
    return native()->close(fd);
}

static int name_give(int fd, bool peer, int family, struct sockaddr *addr, socklen_t *len)
{
    struct sockaddr_storage ss;
    int r = rpc_name(fd, peer, family, &ss);

    return give(r < 0 ? r : addr_give(&ss, addr, len));
}

int tcpd_getsockname(int fd, struct sockaddr *addr, socklen_t *len)
{
    int family = ours_family(fd);

    return family ? name_give(fd, false, family, addr, len)
                  : native()->getsockname(fd, addr, len);
}

int tcpd_getpeername(int fd, struct sockaddr *addr, socklen_t *len)
{
    int family = ours_family(fd);

    return family ? name_give(fd, true, family, addr, len)
                  : native()->getpeername(fd, addr, len);
}

int tcpd_attach(int fd)
{
    struct sockaddr_storage ss;
    int family = ours_family(fd);
    int r = family ? rpc_name(fd, false, family, &ss) : -ENOTSOCK;

    return give(r == -EINVAL ? -ENOTSOCK : r); /* tcpd does not know it any more */
}
