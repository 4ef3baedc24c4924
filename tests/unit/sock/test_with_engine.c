/* SPDX-License-Identifier: BSD-2-Clause */
/* sock on the engine itself: both ends in one table, packets handed straight back. */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "proto/tunables.h"
#include "sock/sock.h"

static const struct cred USER = { 1000, 1000, 2, false, false, false };
static const struct ip_addr LO4 = { { [10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1 } };
static const struct ip_addr LO6 = { { [15] = 1 } };

struct host {
    struct tunables tun;
    struct tcp_engine *engine;
    struct sock_table *socks;
    unsigned claims; /* all together */
    usec_t now;
};

static int claim(void *ctx, uint16_t *port)
{
    ((struct host *)ctx)->claims++;
    return 0;
}

static void release(void *ctx, uint16_t port)
{
    ((struct host *)ctx)->claims--;
}

static uint16_t no_pool(void *ctx, unsigned n)
{
    return 0;
}

static int loopback_route(void *ctx, const struct flow *flow, uint32_t bound_ifindex,
                          struct path *ret)
{
    *ret = (struct path){ .src = flow->remote, .ifindex = 1, .mtu = 1500, .loopback = true,
                          .on_link = true };
    return 0;
}

static bool is_local(void *ctx, const struct ip_addr *addr, uint32_t scope)
{
    return ip_addr_is_loopback(addr);
}

static int setup(void **state)
{
    struct host *h = calloc(1, sizeof(*h));
    struct tcp_engine_init engine = { .tun = &h->tun, .mem = *ring_mem_heap(), .first_id = 1 };
    struct sock_table_init table = {
        .tun = &h->tun,
        .world = { .ctx = h, .claim = claim, .release = release, .pool = no_pool,
                   .route = loopback_route, .is_local = is_local },
    };

    h->now = engine.now = 1000 * USEC_PER_SEC;
    tunables_init(&h->tun);
    assert_int_equal(tcp_engine_new(&engine, &h->engine), 0);
    table.engine = h->engine;
    assert_int_equal(sock_table_new(&table, &h->socks), 0);
    *state = h;
    return 0;
}

static int teardown(void **state)
{
    struct host *h = *state;

    sock_table_free(h->socks);
    tcp_engine_free(h->engine);
    free(h);
    return 0;
}

static bool run_events(struct host *h)
{
    struct tcp_event event;
    bool any = false;

    while (tcp_engine_next_event(h->engine, &event)) {
        sock_on_event(h->socks, &event, h->now);
        any = true;
    }
    while (tcp_engine_next_dirty(h->engine))
        ;
    tcp_engine_committed(h->engine);
    return any;
}

static bool run_packet(struct host *h)
{
    uint8_t buf[65536];
    struct packet pkt;
    size_t len;

    if (!tcp_engine_next_packet(h->engine, h->now, &pkt))
        return false;
    memcpy(buf, pkt.hdr, pkt.hdr_len);
    len = pkt.hdr_len;
    for (unsigned i = 0; i < pkt.iov_count; i++) {
        memcpy(buf + len, pkt.iov[i].iov_base, pkt.iov[i].iov_len);
        len += pkt.iov[i].iov_len;
    }
    tcp_engine_receive(h->engine,
                       &(struct packet){ .src = pkt.src, .dst = pkt.dst, .ifindex = 1, .ttl = 64,
                                         .csum = PACKET_CSUM_VERIFIED, .seg = buf,
                                         .seg_len = len },
                       h->now);
    return true;
}

static void settle(struct host *h)
{
    unsigned rounds = 0;

    tcp_engine_advance(h->engine, h->now);
    while (run_events(h) || run_packet(h))
        assert_true(++rounds < 10000);
}

static void wait_sec(struct host *h, unsigned sec)
{
    for (unsigned i = 0; i < sec; i++) {
        h->now += USEC_PER_SEC;
        settle(h);
    }
}

static struct sock *listen_on(struct host *h, uint16_t port)
{
    struct sock_addr any = { .addr = IP_ADDR_ANY6, .port = port };
    struct sock *s;

    assert_int_equal(sock_new(h->socks, AF_INET6, &USER, &s), 0);
    assert_int_equal(sock_bind(s, &any, &USER), 0);
    assert_int_equal(sock_listen(s, 10, &USER), 0);
    return s;
}

static struct sock *call(struct host *h, struct ip_addr to, uint16_t port)
{
    struct sock_addr addr = { .addr = to, .port = port };
    struct sock *s;

    assert_int_equal(sock_new(h->socks, ip_addr_is_v4(&to) ? AF_INET : AF_INET6, &USER, &s), 0);
    assert_int_equal(sock_connect(s, &addr, &USER, h->now), -EINPROGRESS);
    settle(h);
    return s;
}

static void say(struct host *h, struct sock *s, const char *text)
{
    struct iovec iov[2];
    uint32_t len = (uint32_t)strlen(text);

    assert_true(tcp_conn_tx_space(sock_conn(s), len, iov) >= len);
    assert_true(iov[0].iov_len >= len);
    memcpy(iov[0].iov_base, text, len);
    tcp_conn_tx_commit(sock_conn(s), len, false, h->now);
    settle(h);
}

static unsigned ready_of(struct host *h, const struct sock *wanted)
{
    unsigned what, found = 0;

    for (struct sock *s = sock_next_ready(h->socks, &what); s; s = sock_next_ready(h->socks, &what))
        if (s == wanted)
            found = what;
    return found;
}

/* Every port is released and nothing is held when all is over. */
static void expect_nothing_left(struct host *h)
{
    struct sock_usage usage;

    wait_sec(h, 130); /* TIME-WAIT and FIN-WAIT-2 take 60 s */
    sock_usage(h->socks, &usage);
    assert_int_equal(usage.sockets, 0);
    assert_int_equal(usage.listeners, 0);
    assert_int_equal(usage.connections, 0);
    assert_int_equal(usage.ports, 0);
    assert_int_equal(h->claims, 0);
    assert_null(tcp_engine_first(h->engine));
}

static void bytes_and_fin_before_accept_are_found_by_accept(void **state)
{
    const struct ip_addr to[] = { LO4, LO6 };
    struct host *h = *state;

    for (size_t i = 0; i < ARRAY_LEN(to); i++) {
        struct sock *l = listen_on(h, 5000), *client = call(h, to[i], 5000), *server;
        struct sock_addr peer, name;
        struct iovec iov[2];

        assert_int_equal(sock_state(client), SOCK_CONNECTED);
        say(h, client, "hello");
        assert_int_equal(sock_shutdown(client, SHUT_WR, h->now), 0);
        settle(h);
        assert_int_equal(ready_of(h, l), SOCK_READY_ACCEPT);
        assert_int_equal(sock_accept(l, &server), 0);
        assert_int_equal(ready_of(h, server) & (SOCK_READY_READ | SOCK_READY_EOF),
                         SOCK_READY_READ | SOCK_READY_EOF);
        assert_int_equal(tcp_conn_rx_peek(sock_conn(server), iov), 5);
        assert_memory_equal(iov[0].iov_base, "hello", 5);
        assert_int_equal(sock_peer(server, &peer), 0);
        sock_name(client, &name);
        assert_true(ip_addr_eq(&peer.addr, &name.addr));
        assert_int_equal(peer.port, name.port);
        tcp_conn_rx_consume(sock_conn(server), 5, h->now);
        tcp_conn_rx_release(sock_conn(server), 5, h->now);
        sock_close(server, false, h->now);
        sock_close(client, false, h->now);
        sock_close(l, false, h->now);
        expect_nothing_left(h);
    }
}

static void refused_connection_is_dead_and_leaves_nothing(void **state)
{
    struct host *h = *state;
    struct sock *s = call(h, LO4, 5000);

    assert_int_equal(sock_state(s), SOCK_DEAD);
    assert_int_equal(ready_of(h, s), SOCK_READY_DEAD);
    assert_int_equal(sock_error(s), ECONNREFUSED);
    sock_close(s, false, h->now);
    expect_nothing_left(h);
}

static void caller_that_resets_is_not_accepted(void **state)
{
    struct host *h = *state;
    struct sock *l = listen_on(h, 5000), *client = call(h, LO4, 5000), *server;
    uint32_t q, q0;

    assert_int_equal(sock_queued(l), 1);
    sock_close(client, true, h->now);
    settle(h);
    assert_int_equal(sock_queued(l), 0);
    tcp_listener_queued(sock_listener(l), &q, &q0);
    assert_int_equal(q + q0, 0);
    assert_int_equal(sock_accept(l, &server), -EAGAIN);
    sock_close(l, false, h->now);
    expect_nothing_left(h);
}

static void closing_the_listener_resets_those_who_wait(void **state)
{
    struct host *h = *state;
    struct sock *l = listen_on(h, 5000), *client = call(h, LO4, 5000);

    sock_close(l, false, h->now);
    settle(h);
    assert_int_equal(sock_state(client), SOCK_DEAD);
    assert_int_equal(sock_error(client), ECONNRESET);
    sock_close(client, false, h->now);
    expect_nothing_left(h);
}

static void abort_of_a_queued_connection_resets_its_caller(void **state)
{
    struct host *h = *state;
    struct sock *l = listen_on(h, 5000), *client = call(h, LO4, 5000);

    for (struct sock *s = sock_first(h->socks); s; s = sock_next(h->socks, s))
        if (sock_is_queued(s))
            sock_abort(s, ECONNABORTED, h->now);
    settle(h);
    assert_int_equal(sock_queued(l), 0);
    assert_int_equal(sock_state(client), SOCK_DEAD);
    sock_close(client, false, h->now);
    sock_close(l, false, h->now);
    expect_nothing_left(h);
}

static void port_in_time_wait_is_busy_unless_reused(void **state)
{
    struct host *h = *state;
    struct sock *l = listen_on(h, 5000), *client = call(h, LO4, 5000), *server, *again;
    struct sock_addr any = { .addr = IP_ADDR_ANY4, .port = 5000 };
    int one = 1;

    assert_int_equal(sock_accept(l, &server), 0);
    sock_close(server, false, h->now); /* closes first: TIME-WAIT is here */
    settle(h);
    sock_close(client, false, h->now);
    sock_close(l, false, h->now);
    settle(h);
    assert_int_equal(sock_new(h->socks, AF_INET, &USER, &again), 0);
    assert_int_equal(sock_bind(again, &any, &USER), -EADDRINUSE);
    assert_int_equal(sock_setopt(again, SOL_SOCKET, SO_REUSEADDR, &one, 4, &USER, h->now), 0);
    assert_int_equal(sock_bind(again, &any, &USER), 0);
    sock_close(again, false, h->now);
    expect_nothing_left(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(bytes_and_fin_before_accept_are_found_by_accept, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(refused_connection_is_dead_and_leaves_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(caller_that_resets_is_not_accepted, setup, teardown),
        cmocka_unit_test_setup_teardown(closing_the_listener_resets_those_who_wait, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(abort_of_a_queued_connection_resets_its_caller, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(port_in_time_wait_is_busy_unless_reused, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
