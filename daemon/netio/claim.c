/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Port claims: a listening socket of the kernel's TCP whose filter drops all it
 * gets. The kernel then neither answers nor resets segments for that port, and its
 * own programs cannot have it.
 *
 * The order matters. The filter is attached and locked before the port is bound;
 * the port's bit in the receive filter is set between bind and listen, because
 * from listen on the kernel is silent and a SYN that we do not see is lost.
 *
 * The port is bound without SO_REUSEADDR first. If that succeeds nobody in the
 * kernel's TCP uses the port. If not, it may be that only leftovers of a
 * listener with SO_REUSEADDR are in the way: then a second try with that flag
 * may succeed, and sock_diag tells whether there are connections left.
 *
 * A released claim is closed only after the next commit (registry). Until then its
 * socket still holds the port, so a new claim of the same port takes a second
 * descriptor of that very socket instead of binding a new one. Whether the old
 * number still is that socket, its cookie tells.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "netio/internal.h"

#ifndef IP_LOCAL_PORT_RANGE
#define IP_LOCAL_PORT_RANGE 51 /* Linux 6.3 */
#endif

/* Explicit tries in our own range where the kernel cannot be told of it. */
#define RANGE_TRIES 512u

int claims_init(struct netio *n, const struct netio_init *init)
{
    struct ports *p = &n->ports;

    p->claim = calloc(UINT16_MAX + 1u, sizeof(*p->claim));
    p->ephemeral = calloc(UINT16_MAX + 1u, sizeof(*p->ephemeral));
    if (!p->claim || !p->ephemeral)
        return -ENOMEM;
    netio_set_ports(n, init->anon_low, init->anon_high, init->claim_pool);
    return 0;
}

void claims_deinit(struct netio *n)
{
    free(n->ports.claim);
    free(n->ports.ephemeral);
}

/* ---- the list of ephemeral claims: the idle ones first
 * ------------------------------------------- */

static void swap_ephemeral(struct ports *p, unsigned a, unsigned b)
{
    uint16_t pa = p->ephemeral[a], pb = p->ephemeral[b];

    p->ephemeral[a] = pb;
    p->ephemeral[b] = pa;
    p->claim[pb].pos = (uint16_t)a;
    p->claim[pa].pos = (uint16_t)b;
}

static void ephemeral_add(struct ports *p, uint16_t port)
{
    struct claim *c = &p->claim[port];

    c->ephemeral = true;
    c->pos = (uint16_t)p->ephemerals;
    p->ephemeral[p->ephemerals++] = port;
}

static void ephemeral_del_idle(struct ports *p, uint16_t port)
{
    swap_ephemeral(p, p->claim[port].pos, p->idle - 1);
    swap_ephemeral(p, p->idle - 1, p->ephemerals - 1);
    p->idle--;
    p->ephemerals--;
    p->claim[port].ephemeral = false;
}

static void ref(struct ports *p, uint16_t port)
{
    struct claim *c = &p->claim[port];

    if (c->refs++ == 0 && c->ephemeral)
        swap_ephemeral(p, c->pos, --p->idle);
}

/* ---- the socket
 * ----------------------------------------------------------------------------------- */

static int set_int(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof(value)) ? -errno : 0;
}

/* A socket that will never let anything through, not bound yet. */
static int silent_socket(struct netio *n, int family, int *ret)
{
    int fd, r = 0;

    fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
    if (fd < 0)
        return -errno;
    if (family == AF_INET6)
        r = set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    if (!r)
        r = filter_attach_drop(fd, n->fds.drop_prog);
    if (!r)
        r = set_int(fd, SOL_SOCKET, SO_LOCK_FILTER, 1);
    if (r) {
        (void)close(fd);
        return r;
    }
    *ret = fd;
    return 0;
}

static int bind_any(int fd, int family, uint16_t port)
{
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };
    int r;

    if (family == AF_INET6)
        r = bind(fd, (struct sockaddr *)&in6, sizeof(in6));
    else
        r = bind(fd, (struct sockaddr *)&in, sizeof(in));
    return r ? -errno : 0;
}

static uint16_t bound_port(int fd)
{
    union {
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } a = { 0 };
    socklen_t len = sizeof(a);

    if (getsockname(fd, (struct sockaddr *)&a, &len))
        return 0;
    /* The port is at the same place in both. */
    return ntohs(a.in.sin_port);
}

static int bind_port(int fd, int family, uint16_t port)
{
    int r = bind_any(fd, family, port);

    if (r != -EADDRINUSE || port == 0)
        return r;
    r = set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (!r)
        r = bind_any(fd, family, port);
    if (r)
        return r;
    /* Without an answer the first refusal stands. */
    return sockdiag_port_in_use(port) == 0 ? 0 : -EADDRINUSE;
}

/* A bound, silent socket for @port; AF_INET where the kernel has no IPv6. */
static int bound_socket(struct netio *n, uint16_t port, int *ret)
{
    int family = AF_INET6, fd = -1, r;

    r = silent_socket(n, family, &fd);
    if (r == -EAFNOSUPPORT) {
        family = AF_INET;
        r = silent_socket(n, family, &fd);
    }
    if (r)
        return r;
    if (port == 0 && n->ports.low) {
        /* Where it is unknown the port is looked at afterwards. */
        uint32_t range = (uint32_t)n->ports.high << 16 | n->ports.low;

        (void)setsockopt(fd, IPPROTO_IP, IP_LOCAL_PORT_RANGE, &range, sizeof(range));
    }
    r = bind_port(fd, family, port);
    if (r) {
        (void)close(fd);
        return r;
    }
    *ret = fd;
    return 0;
}

static uint64_t cookie_of(int fd)
{
    uint64_t cookie = 0;
    socklen_t len = sizeof(cookie);

    return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) ? 0 : cookie;
}

/* ---- a claim's life
 * ------------------------------------------------------------------------------- */

static void enter(struct netio *n, int fd, uint16_t port, bool ephemeral)
{
    struct ports *p = &n->ports;
    struct claim *c = &p->claim[port];

    *c = (struct claim){ .fd = fd, .open = true, .cookie = cookie_of(fd) };
    p->open++;
    if (ephemeral) {
        ephemeral_add(p, port);
        swap_ephemeral(p, c->pos, p->idle++);
    }
    if (n->registry.claimed)
        n->registry.claimed(n->registry.ctx, fd, port);
}

/* Takes @fd, which is bound. */
static int start(struct netio *n, int fd, uint16_t port, bool ephemeral)
{
    port_filter_set(&n->filter, port, true);
    if (listen(fd, 1)) {
        int r = -errno;

        port_filter_set(&n->filter, port, false);
        (void)close(fd);
        return r;
    }
    enter(n, fd, port, ephemeral);
    return 0;
}

/* A claim that was given away to be closed, taken back if it still is open. */
static int revive(struct netio *n, uint16_t port, bool ephemeral)
{
    struct claim *c = &n->ports.claim[port];
    int fd;

    if (!c->closing)
        return -ENOENT;
    c->closing = false;
    if (!c->cookie || cookie_of(c->fd) != c->cookie)
        return -ENOENT;
    fd = fcntl(c->fd, F_DUPFD_CLOEXEC, 3);
    if (fd < 0)
        return -errno;
    port_filter_set(&n->filter, port, true);
    enter(n, fd, port, ephemeral);
    return 0;
}

static int claim_open(struct netio *n, uint16_t port, bool ephemeral)
{
    int fd = -1, r;

    r = revive(n, port, ephemeral);
    if (r != -ENOENT)
        return r;
    r = bound_socket(n, port, &fd);
    return r ? r : start(n, fd, port, ephemeral);
}

static void claim_close(struct netio *n, uint16_t port)
{
    struct claim *c = &n->ports.claim[port];

    port_filter_set(&n->filter, port, false);
    n->ports.open--;
    c->open = false;
    if (n->registry.close_later) {
        c->closing = true;
        n->registry.close_later(n->registry.ctx, c->fd);
    } else {
        (void)close(c->fd);
    }
}

/* ---- a port that nobody asked for by number
 * ------------------------------------------------------- */

static bool in_range(const struct ports *p, uint16_t port)
{
    return port && (!p->low || (port >= p->low && port <= p->high));
}

/* The kernel could not be told our range, or it lies outside of its own: try by number. */
static int claim_in_range(struct netio *n, uint16_t *port)
{
    struct ports *p = &n->ports;
    uint32_t width = (uint32_t)p->high - p->low + 1, start_at = 0;

    if (p->high < p->low)
        return -EADDRNOTAVAIL;
    (void)getrandom(&start_at, sizeof(start_at), 0);
    for (uint32_t i = 0; i < MIN(width, RANGE_TRIES); i++) {
        uint16_t candidate = (uint16_t)(p->low + (start_at + i) % width);
        int r;

        if (p->claim[candidate].open)
            continue;
        r = claim_open(n, candidate, true);
        if (r == 0)
            *port = candidate;
        if (r != -EADDRINUSE && r != -EACCES)
            return r;
    }
    return -EADDRNOTAVAIL;
}

static int claim_any(struct netio *n, uint16_t *port)
{
    struct ports *p = &n->ports;
    int fd = -1, r;
    uint16_t got;

    for (unsigned i = p->idle; i-- > 0;) {
        if (in_range(p, p->ephemeral[i])) {
            *port = p->ephemeral[i];
            return 0;
        }
    }
    r = bound_socket(n, 0, &fd);
    if (r == -EADDRINUSE)
        return p->low ? claim_in_range(n, port) : -EADDRNOTAVAIL;
    if (r)
        return r;
    got = bound_port(fd);
    if (!in_range(p, got)) {
        (void)close(fd);
        return p->low ? claim_in_range(n, port) : -EADDRNOTAVAIL;
    }
    n->ports.claim[got].closing = false; /* the kernel gave it out: it is closed */
    r = start(n, fd, got, true);
    if (r == 0)
        *port = got;
    return r;
}

/* ---- the verbs
 * ------------------------------------------------------------------------------------ */

static int claim(struct netio *n, uint16_t *port, bool anonymous)
{
    uint16_t want = *port;
    int r = 0;

    if (want == 0)
        r = claim_any(n, &want);
    else if (!n->ports.claim[want].open)
        r = claim_open(n, want, anonymous);
    if (r)
        return r;
    ref(&n->ports, want);
    *port = want;
    return 0;
}

int netio_claim(struct netio *n, uint16_t *port)
{
    return claim(n, port, false);
}

int netio_claim_anonymous(struct netio *n, uint16_t *port)
{
    return claim(n, port, true);
}

void netio_release(struct netio *n, uint16_t port)
{
    struct ports *p = &n->ports;
    struct claim *c = &p->claim[port];

    if (!c->open || !c->refs || --c->refs)
        return;
    if (c->ephemeral) {
        swap_ephemeral(p, c->pos, p->idle++);
        if (p->idle <= p->pool_max && in_range(p, port))
            return;
        ephemeral_del_idle(p, port);
    }
    claim_close(n, port);
}

uint16_t netio_pool(struct netio *n, unsigned index)
{
    return index < n->ports.ephemerals ? n->ports.ephemeral[index] : 0;
}

void netio_set_ports(struct netio *n, uint16_t anon_low, uint16_t anon_high, unsigned claim_pool)
{
    struct ports *p = &n->ports;

    p->low = anon_low;
    p->high = anon_high;
    p->pool_max = claim_pool;
    for (unsigned i = p->idle; i-- > 0;) {
        uint16_t port = p->ephemeral[i];

        if (p->idle <= claim_pool && in_range(p, port))
            continue;
        ephemeral_del_idle(p, port);
        claim_close(n, port);
    }
}

void netio_adopt_claim(struct netio *n, int fd, uint16_t port)
{
    struct ports *p = &n->ports;
    struct claim *c = &p->claim[port];

    if (!port || c->open)
        return;
    *c = (struct claim){ .fd = fd, .open = true, .cookie = cookie_of(fd) };
    p->open++;
    port_filter_set(&n->filter, port, true);
    /* Who chose the number is not recorded; a port of the range is one that may be shared. */
    if (p->low && in_range(p, port)) {
        ephemeral_add(p, port);
        swap_ephemeral(p, c->pos, p->idle++);
    }
}

void netio_adopt_done(struct netio *n)
{
    struct ports *p = &n->ports;

    for (unsigned port = 1; port <= UINT16_MAX; port++) {
        struct claim *c = &p->claim[port];

        if (!c->open) {
            port_filter_set(&n->filter, (uint16_t)port, false);
            continue;
        }
        if (c->refs || (c->ephemeral && p->idle <= p->pool_max))
            continue;
        if (c->ephemeral)
            ephemeral_del_idle(p, (uint16_t)port);
        claim_close(n, (uint16_t)port);
    }
}

void netio_close_claims(struct netio *n)
{
    struct ports *p = &n->ports;

    for (unsigned port = 1; port <= UINT16_MAX; port++) {
        struct claim *c = &p->claim[port];

        if (!c->open)
            continue;
        claim_close(n, (uint16_t)port);
        c->refs = 0;
        c->ephemeral = false;
    }
    p->ephemerals = p->idle = 0;
}

unsigned netio_claims(const struct netio *n)
{
    return n->ports.open;
}
