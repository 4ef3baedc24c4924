/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The stream room on its real neighbours: sock, engine and state, both ends of each
 * connection in one engine, packets handed straight back. What two programs see of
 * each other through their descriptors.
 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "proto/tunables.h"
#include "sock/sock.h"
#include "state/state.h"
#include "stream/stream.h"

static const struct cred USER = { .uid = 1000, .gid = 1000, .pid = 2 };
static const struct ip_addr LO4 = { { [10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1 } };

struct host {
    struct tunables tun;
    struct state *state;
    struct tcp_engine *engine;
    struct sock_table *socks;
    struct stream *st;
    char dir[64];
    usec_t now;
};

static int claim(void *ctx, uint16_t *port)
{
    return 0;
}

static void release(void *ctx, uint16_t port)
{
}

static uint16_t pool(void *ctx, unsigned n)
{
    return 0;
}

static int route(void *ctx, const struct flow *flow, uint32_t bound_ifindex, struct path *ret)
{
    *ret = (struct path){ .src = LO4, .ifindex = 1, .mtu = 1500, .loopback = true,
                          .on_link = true };
    return 0;
}

static bool is_local(void *ctx, const struct ip_addr *addr, uint32_t scope)
{
    return ip_addr_is_loopback(addr);
}

static int setup(void **state)
{
    static const struct state_limits limits = { .sockets = 64, .fds = 1024,
                                                .arena_bytes = 64 << 20 };
    struct host *h = calloc(1, sizeof(*h));
    struct tcp_engine_init engine = { .tun = &h->tun, .first_id = 1 };
    struct sock_table_init table = {
        .tun = &h->tun,
        .world = { .ctx = h, .claim = claim, .release = release, .pool = pool, .route = route,
                   .is_local = is_local },
    };
    struct stream_init init;

    strcpy(h->dir, "/tmp/tcpd-rooms-XXXXXX");
    assert_non_null(mkdtemp(h->dir));
    h->now = engine.now = 1000 * USEC_PER_SEC;
    tunables_init(&h->tun);
    assert_int_equal(state_create(&limits, &h->state), 0);
    assert_int_equal(state_attach(h->state), 0);
    engine.mem = state_ring_mem(h->state);
    assert_int_equal(tcp_engine_new(&engine, &h->engine), 0);
    table.engine = h->engine;
    assert_int_equal(sock_table_new(&table, &h->socks), 0);
    init = (struct stream_init){ .state = h->state, .socks = h->socks, .private_dir = h->dir };
    assert_int_equal(stream_new(&init, &h->st), 0);
    *state = h;
    return 0;
}

static int teardown(void **state)
{
    struct host *h = *state;

    state_commit(h->state, h->engine, h->socks);
    stream_free(h->st);
    sock_table_free(h->socks);
    tcp_engine_free(h->engine);
    state_free(h->state);
    rmdir(h->dir);
    free(h);
    return 0;
}

/* ---- the loop of the daemon, in small -------------------------------------------- */

static void loop_back(struct host *h, const struct packet *out)
{
    static uint8_t buf[70000];
    size_t len = out->hdr_len;
    struct packet in = { .src = out->src, .dst = out->dst, .ifindex = 1, .ttl = 64,
                         .csum = PACKET_CSUM_VERIFIED, .seg = buf };

    memcpy(buf, out->hdr, len);
    for (unsigned i = 0; i < out->iov_count; i++) {
        memcpy(buf + len, out->iov[i].iov_base, out->iov[i].iov_len);
        len += out->iov[i].iov_len;
    }
    in.seg_len = len;
    tcp_engine_receive(h->engine, &in, h->now);
}

static bool readable(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };

    return poll(&p, 1, 0) == 1;
}

static bool wake_up(struct host *h)
{
    bool more = stream_input(h->st, h->now);
    struct tcp_event event;
    struct packet pkt;
    struct sock *s;
    unsigned what;

    tcp_engine_advance(h->engine, h->now);
    while (tcp_engine_next_event(h->engine, &event)) {
        sock_on_event(h->socks, &event, h->now);
        more = true;
    }
    while ((s = sock_next_ready(h->socks, &what)))
        stream_ready(h->st, s, what, h->now);
    state_commit(h->state, h->engine, h->socks);
    for (int i = 0; i < 64 && tcp_engine_next_packet(h->engine, h->now, &pkt); i++) {
        loop_back(h, &pkt);
        more = true;
    }
    stream_flush(h->st, h->now);
    return more || readable(stream_epoll_fd(h->st));
}

static void settle(struct host *h)
{
    for (unsigned i = 0; wake_up(h); i++) {
        assert_true(i < 20000);
        h->now += 10;
    }
}

static void pass(struct host *h, usec_t time)
{
    for (usec_t end = h->now + time; h->now < end; h->now += 50 * USEC_PER_MSEC)
        settle(h);
}

static int program(struct host *h, struct sock **ret)
{
    int fd = stream_fresh(h->st, AF_INET);

    assert_true(fd >= 0);
    assert_int_equal(sock_new(h->socks, AF_INET, &USER, ret), 0);
    assert_int_equal(stream_attach(h->st, *ret, fd), 0);
    return fd;
}

static int listener(struct host *h, uint16_t port)
{
    struct sock_addr addr = { .addr = IP_ADDR_ANY4, .port = port };
    struct sock *s;
    int fd = program(h, &s);

    assert_int_equal(sock_bind(s, &addr, &USER), 0);
    assert_int_equal(sock_listen(s, 10, &USER), 0);
    settle(h);
    return fd;
}

static int caller(struct host *h, uint16_t port)
{
    struct sock_addr addr = { .addr = LO4, .port = port };
    struct sock *s;
    int fd = program(h, &s);

    assert_int_equal(sock_connect(s, &addr, &USER, h->now), -EINPROGRESS);
    stream_connecting(h->st, s, fd);
    assert_int_equal(send(fd, "x", 1, MSG_DONTWAIT | MSG_NOSIGNAL), -1);
    settle(h);
    return fd;
}

static int accepted(int listen_fd)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct stream_accept_msg m;
    struct iovec iov = { &m, sizeof(m) };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
                          .msg_controllen = sizeof(control) };
    int fd;

    assert_int_equal(recvmsg(listen_fd, &msg, MSG_DONTWAIT), sizeof(m));
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
    return fd;
}

static ssize_t get(int fd, void *buf, size_t len)
{
    ssize_t r = recv(fd, buf, len, MSG_DONTWAIT);

    return r < 0 ? -errno : r;
}

/* ---- the tests ------------------------------------------------------------------------ */

static uint8_t byte_at(uint64_t i)
{
    return (uint8_t)(i * 2654435761u >> 11 ^ i);
}

struct half {
    int from, to;
    uint64_t sent, got;
    uint32_t seed;
};

static uint32_t rnd(struct half *half, uint32_t max)
{
    half->seed = half->seed * 1664525u + 1013904223u;
    return 1 + (half->seed >> 8) % max;
}

static void push(struct half *half, uint64_t total)
{
    static uint8_t buf[100000];
    uint32_t len = rnd(half, sizeof(buf));
    ssize_t r;

    for (uint32_t i = 0; i < len; i++)
        buf[i] = byte_at(half->sent + i);
    r = half->sent < total ? send(half->from, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;
    if (r > 0)
        half->sent += (uint64_t)r;
    r = get(half->to, buf, rnd(half, sizeof(buf)));
    for (ssize_t i = 0; i < r; i++)
        if (buf[i] != byte_at(half->got + (uint64_t)i))
            fail_msg("byte %llu is wrong", (unsigned long long)half->got + (unsigned long long)i);
    if (r > 0)
        half->got += (uint64_t)r;
}

static void bytes_go_both_ways_and_are_exact(void **state)
{
    struct host *h = *state;
    int l = listener(h, 8080), a = caller(h, 8080), b = accepted(l);
    struct half there = { a, b, .seed = 1 }, back = { b, a, .seed = 2 };
    const uint64_t total = 3000000;

    for (int i = 0; i < 20000 && (there.got < total || back.got < total); i++) {
        push(&there, total);
        push(&back, total);
        settle(h);
        if (i % 50 == 49)
            pass(h, 200 * USEC_PER_MSEC); /* delayed ACKs */
    }
    assert_true(there.got >= total);
    assert_true(back.got >= total);
    close(a);
    close(b);
    close(l);
    pass(h, 500 * USEC_PER_MSEC);
}

static void each_side_ends_when_it_likes(void **state)
{
    struct host *h = *state;
    int l = listener(h, 8080), a = caller(h, 8080), b = accepted(l);
    char buf[16];

    assert_int_equal(send(a, "question", 8, 0), 8);
    shutdown(a, SHUT_WR);
    pass(h, 100 * USEC_PER_MSEC);
    assert_int_equal(get(b, buf, sizeof(buf)), 8);
    assert_int_equal(get(b, buf, sizeof(buf)), 0);
    assert_int_equal(send(b, "answer", 6, 0), 6);
    close(b);
    pass(h, 100 * USEC_PER_MSEC);
    assert_int_equal(get(a, buf, sizeof(buf)), 6);
    assert_int_equal(get(a, buf, sizeof(buf)), 0);
    close(a);
    close(l);
    pass(h, 100 * USEC_PER_MSEC);
    assert_null(sock_first(h->socks));
    pass(h, 61 * USEC_PER_SEC);
    assert_null(tcp_engine_first(h->engine));
}

static void closing_with_unread_bytes_resets_the_other_side(void **state)
{
    struct host *h = *state;
    int l = listener(h, 8080), a = caller(h, 8080), b = accepted(l);
    char c;

    assert_int_equal(send(a, "never read", 10, 0), 10);
    pass(h, 100 * USEC_PER_MSEC);
    close(b);
    pass(h, 100 * USEC_PER_MSEC);
    assert_int_equal(get(a, &c, 1), -ECONNRESET);
    assert_int_equal(get(a, &c, 1), 0);
    close(a);
    close(l);
    pass(h, 100 * USEC_PER_MSEC);
    assert_null(tcp_engine_first(h->engine));
}

static void nobody_listens_and_the_errno_is_kept(void **state)
{
    struct host *h = *state;
    int a = caller(h, 8081);

    assert_true(readable(a));
    assert_int_equal(stream_last_error(h->st, a), ECONNREFUSED);
    assert_null(sock_first(h->socks));
    close(a);
}

static void a_reader_that_stops_shuts_the_window_and_opens_it_again(void **state)
{
    struct host *h = *state;
    int l = listener(h, 8080), a = caller(h, 8080), b = accepted(l);
    static char buf[65536];
    uint64_t sent = 0, got = 0;
    ssize_t r;

    for (int quiet = 0; quiet < 5; pass(h, 100 * USEC_PER_MSEC)) {
        r = send(a, buf, sizeof(buf), MSG_DONTWAIT | MSG_NOSIGNAL);
        quiet = r > 0 ? 0 : quiet + 1;
        sent += r > 0 ? (uint64_t)r : 0;
    }
    assert_true(sent < 8u << 20); /* rings of both sides and two descriptors, not more */
    while (got < sent) {
        r = get(b, buf, sizeof(buf));
        got += r > 0 ? (uint64_t)r : 0;
        if (r > 0)
            settle(h);
        else
            pass(h, 100 * USEC_PER_MSEC);
        assert_true(h->now < 5000 * USEC_PER_SEC);
    }
    assert_true(send(a, "x", 1, MSG_DONTWAIT) == 1);
    close(a);
    close(b);
    close(l);
    pass(h, 100 * USEC_PER_MSEC);
}

static void closing_a_listener_resets_who_waits_in_it(void **state)
{
    struct host *h = *state;
    int l = listener(h, 8080), a = caller(h, 8080), b = caller(h, 8080), mine = accepted(l);
    char c;

    close(l);
    pass(h, 100 * USEC_PER_MSEC);
    assert_int_equal(get(b, &c, 1), -ECONNRESET);
    assert_int_equal(send(mine, "y", 1, 0), 1);
    pass(h, 100 * USEC_PER_MSEC);
    assert_int_equal(get(a, &c, 1), 1);
    close(a);
    close(b);
    close(mine);
    pass(h, 100 * USEC_PER_MSEC);
    assert_null(sock_first(h->socks));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(bytes_go_both_ways_and_are_exact),
        TEST(each_side_ends_when_it_likes),
        TEST(closing_with_unread_bytes_resets_the_other_side),
        TEST(nobody_listens_and_the_errno_is_kept),
        TEST(a_reader_that_stops_shuts_the_window_and_opens_it_again),
        TEST(closing_a_listener_resets_who_waits_in_it),
    };

    return cmocka_run_group_tests_name("stream: with sock, engine and state", tests, NULL, NULL);
}
