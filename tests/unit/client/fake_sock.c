/* SPDX-License-Identifier: BSD-2-Clause */
#include "fake_sock.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "fake.h"
#include "stream/stream.h"

#define SOCKS 256

static struct fake_sock socks[SOCKS];
static int private_fd;
static struct sockaddr_un private_name;
static socklen_t private_len;

int64_t fake_now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static uint64_t cookie_of(int fd)
{
    uint64_t cookie = 0;
    socklen_t len = sizeof(cookie);

    getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len);
    return cookie;
}

/* ---- descriptors ---------------------------------------------------------------- */

int fake_fresh(int family)
{
    static unsigned serial;
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int n = snprintf(un.sun_path + 1, sizeof(un.sun_path) - 1, "tcpd/%c/%x.%x",
                     family == AF_INET ? '4' : '6', (unsigned)getpid(), ++serial);

    assert(fd >= 0);
    assert(bind(fd, (struct sockaddr *)&un,
                (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n)) == 0);
    return fd;
}

static int pair_with(int app_fd)
{
    int ours;

    if (connect(app_fd, (struct sockaddr *)&private_name, private_len) < 0)
        return -1;
    ours = accept4(private_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    assert(ours >= 0);
    return ours;
}

static struct fake_sock *sock_by_cookie(uint64_t cookie)
{
    size_t i;

    for (i = 0; i < SOCKS; i++)
        if (socks[i].used && socks[i].cookie == cookie)
            return &socks[i];
    return NULL;
}

static struct fake_sock *sock_add(uint64_t cookie, int family)
{
    size_t i;

    for (i = 0; i < SOCKS && socks[i].used; i++)
        ;
    assert(i < SOCKS);
    socks[i] = (struct fake_sock){ .used = true, .cookie = cookie, .family = family, .ours = -1 };
    memcpy(socks[i].local.addr, "\0\0\0\0\0\0\0\0\0\0\xff\xff\0\0\0", 16);
    if (family == AF_INET6)
        memset(socks[i].local.addr, 0, 16);
    return &socks[i];
}

int fake_family(int fd)
{
    struct sockaddr_un un = { 0 };
    socklen_t len = sizeof(un);

    getsockname(fd, (struct sockaddr *)&un, &len);
    return un.sun_path[6] == '4' ? AF_INET : AF_INET6;
}

struct fake_sock *fake_find(int fd)
{
    return sock_by_cookie(cookie_of(fd));
}

/* Fresh becomes attached: connected to us, and full. */
struct fake_sock *fake_attach(int fd)
{
    static const char filler[8192];
    struct fake_sock *s = sock_by_cookie(cookie_of(fd));
    ssize_t n;

    if (s)
        return s;
    s = sock_add(cookie_of(fd), fake_family(fd));
    s->ours = pair_with(fd);
    assert(s->ours >= 0);
    while ((n = send(fd, filler, sizeof(filler), MSG_DONTWAIT)) > 0)
        s->filled += (size_t)n;
    return s;
}

static void sock_break(struct fake_sock *s, int error)
{
    s->error = error;
    s->connecting = s->connected = false;
    close(s->ours); /* the sentinel is unread: ECONNRESET */
    s->ours = -1;
}

static void sock_end(struct fake_sock *s)
{
    char sentinel[65536];

    while (recv(s->ours, sentinel, sizeof(sentinel), 0) > 0)
        ;
    close(s->ours);
    if (s->peer)
        s->peer->peer = NULL;
    *s = (struct fake_sock){ 0 };
}

/* All but the last byte of the filler is taken out: writable. */
static void sock_establish(struct fake_sock *s)
{
    char buf[65536];

    while (s->filled > 1) {
        ssize_t n = recv(s->ours, buf, MIN(sizeof(buf), s->filled - 1), 0);

        assert(n > 0);
        s->filled -= (size_t)n;
    }
    s->connecting = false;
    s->connected = true;
}

static struct fake_sock *listener_of(uint16_t port)
{
    size_t i;

    for (i = 0; i < SOCKS; i++)
        if (socks[i].used && socks[i].listening && socks[i].local.port == port)
            return &socks[i];
    return NULL;
}

static void message_send(struct fake_sock *listener, const struct stream_accept_msg *m, int fd)
{
    union {
        struct cmsghdr align;
        uint8_t mem[CMSG_SPACE(sizeof(int))];
    } control = { .mem = { 0 } };
    struct iovec iov = { (void *)(uintptr_t)m, sizeof(*m) };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.mem,
                          .msg_controllen = sizeof(control.mem) };
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &fd, sizeof(fd));
    assert(sendmsg(listener->ours, &msg, MSG_NOSIGNAL) == sizeof(*m));
}

void fake_accept_push(struct fake_sock *listener, struct fake_sock *from, uint32_t magic)
{
    struct stream_accept_msg m = { .magic = magic, .family = (uint16_t)listener->family };
    int app = fake_fresh(listener->family);
    struct fake_sock *s = sock_add(cookie_of(app), listener->family);

    s->ours = pair_with(app);
    assert(s->ours >= 0 && send(app, "", 1, 0) == 1);
    s->connected = true;
    s->local = listener->local;
    memcpy(s->local.addr, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x7f\0\0\1", 16);
    memcpy(s->remote.addr, s->local.addr, 16);
    s->remote.port = from ? from->local.port : 1;
    s->peer = from;
    if (from)
        from->peer = s;
    m.port = s->remote.port;
    memcpy(m.addr, s->remote.addr, 16);
    message_send(listener, &m, app);
    close(app);
}

/* ---- time passes -------------------------------------------------------------------- */

static void sock_fate(struct fake_sock *s)
{
    if (s->connecting) {
        struct fake_sock *listener = listener_of((uint16_t)s->fate);

        switch (s->fate) {
        case FAKE_SILENT:
            s->due = INT64_MAX;
            return;
        case FAKE_SLOW:
        case FAKE_ECHO:
            s->echo = true;
            s->due = INT64_MAX;
            break;
        case FAKE_TIMES_OUT:
        case FAKE_ENDS:
            s->due = fake_now_ms() + 50;
            break;
        default:
            if (!listener) {
                sock_break(s, ECONNREFUSED);
                return;
            }
            fake_accept_push(listener, s, STREAM_ACCEPT_MAGIC);
            s->due = INT64_MAX;
        }
        sock_establish(s);
    } else if (s->fate == FAKE_TIMES_OUT) {
        sock_break(s, ETIMEDOUT);
    } else if (s->fate == FAKE_ENDS) {
        shutdown(s->ours, SHUT_WR);
        s->due = INT64_MAX;
    }
}

/* Lag-by-one: the last byte stays unread, as the next sentinel. */
static void sock_relay(struct fake_sock *s)
{
    static uint8_t buf[1 << 20];
    int to = s->echo ? s->ours : s->peer ? s->peer->ours : -1;
    struct pollfd pfd = { .fd = s->ours, .events = POLLRDHUP };
    int n = 0;

    ioctl(s->ours, FIONREAD, &n);
    if (n > 1) {
        n = MIN(n, 32768);
        assert(recv(s->ours, buf, (size_t)n - 1, 0) == n - 1);
        assert(recv(s->ours, buf + n - 1, 1, MSG_PEEK) == 1);
        if (to >= 0)
            (void)!send(to, buf + 1, (size_t)n - 1, MSG_NOSIGNAL);
        return;
    }
    poll(&pfd, 1, 0);
    if (pfd.revents & POLLRDHUP && to >= 0)
        shutdown(to, SHUT_WR);
    if (pfd.revents & POLLHUP)
        sock_end(s);
}

void fake_tick(void)
{
    int64_t now = fake_now_ms();
    size_t i;

    for (i = 0; i < SOCKS; i++) {
        struct fake_sock *s = &socks[i];
        struct pollfd pfd = { .fd = s->ours };

        if (!s->used || s->ours < 0)
            continue;
        if (s->due && s->due <= now)
            sock_fate(s);
        else if (s->connected)
            sock_relay(s);
        else if (poll(&pfd, 1, 0) > 0 && (pfd.revents & POLLHUP))
            sock_end(s);
    }
}

void fake_socks_init(void)
{
    private_name.sun_family = AF_UNIX;
    private_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    private_len = sizeof(sa_family_t); /* any free abstract name */
    assert(bind(private_fd, (struct sockaddr *)&private_name, private_len) == 0);
    private_len = sizeof(private_name);
    getsockname(private_fd, (struct sockaddr *)&private_name, &private_len);
    assert(listen(private_fd, 64) == 0);
}
