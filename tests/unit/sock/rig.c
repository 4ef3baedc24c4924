/* SPDX-License-Identifier: BSD-2-Clause */
#include "rig.h"

const struct cred ROOT = { 0, 0, 1, true, true, true };
const struct cred USER = { 1000, 1000, 2, false, false, false };
const struct cred OTHER = { 1001, 1001, 3, false, false, false };

#define V4(a, b, c, d) { { [10] = 0xff, [11] = 0xff, [12] = a, [13] = b, [14] = c, [15] = d } }
const struct ip_addr ANY4 = V4(0, 0, 0, 0), A4 = V4(10, 0, 0, 1), B4 = V4(10, 0, 0, 2);
const struct ip_addr PEER4 = V4(10, 0, 0, 99), LO4 = V4(127, 0, 0, 1);
const struct ip_addr ANY6 = { { 0 } }, LO6 = { { [15] = 1 } };
const struct ip_addr A6 = { { 0x20, 1, [15] = 1 } }, B6 = { { 0x20, 1, [15] = 2 } };
const struct ip_addr PEER6 = { { 0x20, 1, [15] = 99 } };
const struct ip_addr LINK6 = { { 0xfe, 0x80, [15] = 7 } };

/* ---- the world ------------------------------------------------------------------- */

static int world_claim(void *ctx, uint16_t *port)
{
    struct rig *r = ctx;

    if (r->claim_error)
        return r->claim_error;
    if (r->kernel_has[*port])
        return -EADDRINUSE;
    assert_int_not_equal(*port, 0); /* sock chooses its ports itself */
    r->claims[*port]++;
    return 0;
}

static void world_release(void *ctx, uint16_t port)
{
    struct rig *r = ctx;

    assert_int_not_equal(r->claims[port], 0); /* one release per claim */
    r->claims[port]--;
}

static uint16_t world_pool(void *ctx, unsigned n)
{
    struct rig *r = ctx;

    return n < r->pool_count ? r->pool[n] : 0;
}

static int world_route(void *ctx, const struct flow *flow, uint32_t bound_ifindex, struct path *ret)
{
    struct rig *r = ctx;

    r->routes++;
    r->route_ifindex = bound_ifindex;
    if (r->route_error)
        return r->route_error;
    *ret = (struct path){ .src = flow->local, .ifindex = 2, .mtu = 1500 };
    if (ip_addr_is_loopback(&flow->remote))
        ret->src = flow->remote;
    else if (ip_addr_is_any(&flow->local))
        ret->src = ip_addr_is_v4(&flow->remote) ? r->src4 : r->src6;
    return 0;
}

static bool world_is_local(void *ctx, const struct ip_addr *addr, uint32_t scope)
{
    const struct ip_addr *const ours[] = { &A4, &B4, &A6, &B6, &LO4, &LO6 };

    for (size_t i = 0; i < ARRAY_LEN(ours); i++)
        if (ip_addr_eq(addr, ours[i]))
            return true;
    return ip_addr_eq(addr, &LINK6) && (scope == 2 || scope == 3);
}

static int world_ifindex(void *ctx, const char *name)
{
    return strcmp(name, "eth0") == 0 ? 2 : -ENODEV;
}

static int world_ifname(void *ctx, uint32_t ifindex, char name[16])
{
    if (ifindex != 2)
        return -ENODEV;
    strcpy(name, "eth0");
    return 0;
}

int rig_setup(void **state)
{
    struct rig *r = calloc(1, sizeof(*r));
    struct sock_table_init init = {
        .world = { r, world_claim, world_release, world_pool, world_route, world_is_local,
                   world_ifindex, world_ifname },
        .seed = "thirty-two bytes of great chance",
    };

    tunables_init(&r->tun);
    r->engine = fake_engine_new();
    r->src4 = A4;
    r->src6 = A6;
    init.engine = r->engine;
    init.tun = &r->tun;
    *state = r;
    return sock_table_new(&init, &r->table);
}

int rig_teardown(void **state)
{
    struct rig *r = *state;

    sock_table_free(r->table);
    fake_engine_free(r->engine);
    free(r);
    return 0;
}

/* ---- shorthands ---------------------------------------------------------------------- */

struct sock_addr at(struct ip_addr addr, uint16_t port)
{
    return (struct sock_addr){ .addr = addr, .port = port };
}

struct sock *new_sock_of(struct rig *r, int family, const struct cred *cred)
{
    struct sock *s;

    assert_int_equal(sock_new(r->table, family, cred, &s), 0);
    return s;
}

struct sock *new_sock(struct rig *r, int family)
{
    return new_sock_of(r, family, &USER);
}

int bind_to(struct sock *s, struct ip_addr addr, uint16_t port)
{
    struct sock_addr a = at(addr, port);

    return sock_bind(s, &a, sock_owner(s));
}

int connect_to(struct sock *s, struct ip_addr addr, uint16_t port)
{
    struct sock_addr a = at(addr, port);

    return sock_connect(s, &a, sock_owner(s), NOW);
}

struct sock *bound(struct rig *r, int family, struct ip_addr addr, uint16_t port)
{
    struct sock *s = new_sock(r, family);

    assert_int_equal(bind_to(s, addr, port), 0);
    return s;
}

struct sock *listening(struct rig *r, int family, struct ip_addr addr, uint16_t port)
{
    struct sock *s = bound(r, family, addr, port);

    assert_int_equal(sock_listen(s, 10, &USER), 0);
    return s;
}

struct sock *connecting(struct rig *r, struct ip_addr peer, uint16_t port)
{
    struct sock *s = new_sock(r, ip_addr_is_v4(&peer) ? AF_INET : AF_INET6);

    assert_int_equal(connect_to(s, peer, port), -EINPROGRESS);
    return s;
}

struct sock *connected(struct rig *r, struct ip_addr peer, uint16_t port)
{
    struct sock *s = connecting(r, peer, port);

    sock_conn(s)->info.state = TCP_ESTABLISHED;
    event(r, sock_conn(s), TCP_EV_ESTABLISHED, 0);
    assert_int_equal(ready_of(r, s), SOCK_READY_CONNECTED);
    return s;
}

int set_int(struct sock *s, int level, int name, int value)
{
    return sock_setopt(s, level, name, &value, sizeof(value), sock_owner(s), NOW);
}

int get_int(struct sock *s, int level, int name)
{
    int value = -1;
    uint32_t len = sizeof(value);

    assert_int_equal(sock_getopt(s, level, name, &value, &len, NOW), 0);
    assert_int_equal(len, sizeof(value));
    return value;
}

void event(struct rig *r, struct tcp_conn *conn, unsigned what, int error)
{
    struct tcp_event e = {
        .conn = conn,
        .conn_id = conn->info.id,
        .user = conn->listener ? conn->listener->open.user : conn->info.user,
        .listener = conn->listener,
        .what = what,
        .error = error,
    };

    if (what & TCP_EV_CLOSED)
        conn->info.state = TCP_CLOSED;
    sock_on_event(r->table, &e, NOW);
}

void gone(struct rig *r, struct tcp_conn *conn)
{
    event(r, conn, TCP_EV_GONE, 0);
    fake_forget(conn);
}

struct tcp_conn *handshake(struct rig *r, struct sock *listener, struct ip_addr peer, uint16_t port)
{
    struct tcp_listener *l = sock_listener(listener);
    struct flow flow = l->open.flow;
    struct tcp_conn *conn;

    if (ip_addr_is_any(&flow.local))
        flow.local = ip_addr_is_v4(&peer) ? A4 : A6;
    flow.remote = peer;
    flow.rport = port;
    conn = fake_passive(r->engine, l, &flow);
    event(r, conn, TCP_EV_ACCEPT, 0);
    return conn;
}

unsigned ready_of(struct rig *r, struct sock *s)
{
    unsigned what = 0, none;
    struct sock *first = sock_next_ready(r->table, &what);

    if (!first)
        return 0;
    assert_ptr_equal(first, s);
    assert_null(sock_next_ready(r->table, &none));
    return what;
}

void forget_readiness(struct rig *r)
{
    unsigned what;

    while (sock_next_ready(r->table, &what))
        ;
}
