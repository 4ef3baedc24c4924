/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From a fresh descriptor to an attached one. The descriptor comes from a client
 * and may be anything, and its owner may use it while we do: so nothing here may
 * block or trust what it saw a moment ago. connect() goes to a listener that
 * nobody else can reach and whose queue is empty, so it completes at once; the
 * kernel refuses it if the descriptor became connected or listening meanwhile.
 * Filler is written by send(MSG_DONTWAIT): sendfile() would copy less, but blocks
 * if the owner clears O_NONBLOCK or writes between two calls.
 */
#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <fcntl.h>
#include <unistd.h>

#include "stream/entry.h"

#define NAME_PREFIX_LEN 8 /* "\0tcpd/4/" */
#define NAME_LEN (NAME_PREFIX_LEN + 16)
#define NAME_ADDR_LEN ((socklen_t)(offsetof(struct sockaddr_un, sun_path) + NAME_LEN))

static void name_make(struct sockaddr_un *addr, int family, uint64_t random)
{
    char text[NAME_LEN + 1];

    snprintf(text, sizeof(text), "_tcpd/%c/%016llx", family == AF_INET6 ? '6' : '4',
             (unsigned long long)random);
    text[0] = '\0'; /* abstract */
    *addr = (struct sockaddr_un){ .sun_family = AF_UNIX };
    memcpy(addr->sun_path, text, NAME_LEN);
}

/* AF_INET, AF_INET6, or 0 if the name is not of our making. */
static int name_family(const struct sockaddr_un *addr, socklen_t len)
{
    const char *p = addr->sun_path;

    if (len != NAME_ADDR_LEN || addr->sun_family != AF_UNIX)
        return 0;
    if (p[0] != '\0' || memcmp(p + 1, "tcpd/", 5) != 0 || p[7] != '/')
        return 0;
    for (int i = NAME_PREFIX_LEN; i < NAME_LEN; i++)
        if (!((p[i] >= '0' && p[i] <= '9') || (p[i] >= 'a' && p[i] <= 'f')))
            return 0;
    return p[6] == '4' ? AF_INET : p[6] == '6' ? AF_INET6 : 0;
}

int fresh_bind(int fd, int family)
{
    struct sockaddr_un addr;
    uint64_t random;

    for (int tries = 0; tries < 8; tries++) {
        if (getrandom(&random, sizeof(random), 0) != sizeof(random))
            return -EIO;
        name_make(&addr, family, random);
        if (bind(fd, (struct sockaddr *)&addr, NAME_ADDR_LEN) == 0)
            return 0;
        if (errno != EADDRINUSE)
            return -errno;
    }
    return -EADDRINUSE;
}

int stream_fresh(struct stream *st, int family)
{
    int fd, r;

    if (family != AF_INET && family != AF_INET6)
        return -EAFNOSUPPORT;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    r = fresh_bind(fd, family);
    if (r < 0) {
        close(fd);
        return r;
    }
    return fd;
}

static bool sockopt_is(int fd, int name, int want)
{
    socklen_t len = sizeof(int);
    int value;

    return getsockopt(fd, SOL_SOCKET, name, &value, &len) == 0 && len == sizeof(value) &&
           value == want;
}

static int own_name(int fd, struct sockaddr_un *ret, socklen_t *ret_len)
{
    *ret = (struct sockaddr_un){ 0 };
    *ret_len = sizeof(*ret);
    return getsockname(fd, (struct sockaddr *)ret, ret_len) < 0 ? -errno : 0;
}

int stream_fresh_family(struct stream *st, int fd)
{
    struct sockaddr_un addr;
    socklen_t len;

    if (!sockopt_is(fd, SO_DOMAIN, AF_UNIX) || !sockopt_is(fd, SO_TYPE, SOCK_STREAM) ||
        !sockopt_is(fd, SO_ACCEPTCONN, 0))
        return 0;
    len = sizeof(addr);
    if (getpeername(fd, (struct sockaddr *)&addr, &len) == 0 || errno != ENOTCONN)
        return 0;
    if (own_name(fd, &addr, &len) < 0)
        return 0;
    return name_family(&addr, len);
}

bool stream_was_ours(struct stream *st, int fd)
{
    struct sockaddr_un addr;
    socklen_t len = sizeof(addr);

    if (stream_find(st, fd) || !sockopt_is(fd, SO_DOMAIN, AF_UNIX) ||
        !sockopt_is(fd, SO_TYPE, SOCK_STREAM))
        return false;
    if (getpeername(fd, (struct sockaddr *)&addr, &len) < 0)
        return false;
    return own_name(fd, &addr, &len) == 0 && name_family(&addr, len) != 0;
}

/* What was ours is connected to something; if that is gone and left nothing in the queue,
 * nothing can be in it: no descriptor in flight whose end would be ours to wait for. */
bool stream_harmless(struct stream *st, int fd)
{
    struct pollfd p = { .fd = fd };
    int queued;

    if (stream_find(st, fd) || stream_fresh_family(st, fd) != 0)
        return true;
    return stream_was_ours(st, fd) && poll(&p, 1, 0) == 1 && (p.revents & POLLHUP) &&
           ioctl(fd, FIONREAD, &queued) == 0 && queued == 0;
}

/* Our end of the connection that @fd just made: the one whose peer has @fd's name. */
static int door_accept(struct stream *st, int fd)
{
    struct sockaddr_un want, got;
    socklen_t want_len, got_len;
    int ours;

    if (own_name(fd, &want, &want_len) < 0)
        return -ENOTSOCK;
    for (;;) {
        ours = accept4(st->door, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (ours < 0)
            return -errno;
        got_len = sizeof(got);
        if (getpeername(ours, (struct sockaddr *)&got, &got_len) == 0 && got_len == want_len &&
            memcmp(&got, &want, got_len) == 0)
            return ours;
        close(ours);
    }
}

static int door_connect(struct stream *st, int fd)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    int probe;

    /* Without a free number accept4() would leave the connection in the queue. */
    probe = fcntl(st->door, F_DUPFD_CLOEXEC, 3);
    if (probe < 0)
        return -errno;
    close(probe);
    memcpy(addr.sun_path, st->door_name, sizeof(st->door_name));
    if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
        return errno == EISCONN || errno == EINVAL ? -ENOTSOCK : -errno;
    return door_accept(st, fd);
}

/* Until EAGAIN, or until a program that drains nothing could not have made it so long. */
static uint32_t fill(struct stream *st, int fd)
{
    uint32_t sum = 0;

    memset(st->scratch, 0, sizeof(st->scratch));
    while (sum < 4u * OUR_SNDBUF) {
        ssize_t r = send(fd, st->scratch, sizeof(st->scratch), MSG_DONTWAIT | MSG_NOSIGNAL);

        if (r <= 0)
            break;
        sum += (uint32_t)r;
    }
    return sum;
}

int stream_attach(struct stream *st, struct sock *s, int fd)
{
    uint64_t cookie = cookie_of(fd);
    struct entry *e;
    int ours, r;

    if (cookie == 0 || stream_fresh_family(st, fd) == 0)
        return -ENOTSOCK;
    if (idmap_get(&st->by_cookie, cookie))
        return -EISCONN;
    ours = door_connect(st, fd);
    if (ours < 0)
        return ours;
    r = entry_new(st, s, ours, cookie, &e);
    if (r < 0) {
        close(ours);
        return r;
    }
    set_sndbuf(fd, PROGRAM_SNDBUF_HELD);
    e->filler = fill(st, fd);
    return 0;
}

void stream_connecting(struct stream *st, struct sock *s, int fd)
{
    struct entry *e = entry_by_id(st, sock_id(s));

    if (!e || e->phase != ENTRY_HELD)
        return;
    set_sndbuf(fd, PROGRAM_SNDBUF_CONNECT);
    e->filler += fill(st, fd);
}
