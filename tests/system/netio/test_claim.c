/* SPDX-License-Identifier: BSD-2-Clause */
#include "world.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* Neither an answer nor a reset within @msec: the connect neither ends nor fails. */
static void assert_silence(int fd, int msec)
{
    struct pollfd p = { .fd = fd, .events = POLLOUT };

    assert_int_equal(poll(&p, 1, msec), 0);
}

static void assert_refused(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLOUT };
    int error = 0;
    socklen_t len = sizeof(error);

    assert_int_equal(poll(&p, 1, 1000), 1);
    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len), 0);
    assert_int_equal(error, ECONNREFUSED);
}

static int try_bind(int family, uint16_t port)
{
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1, r;

    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)), 0);
    if (family == AF_INET6)
        r = bind(fd, (struct sockaddr *)&in6, sizeof(in6)) ? -errno : 0;
    else
        r = bind(fd, (struct sockaddr *)&in, sizeof(in)) ? -errno : 0;
    (void)close(fd);
    return r;
}

static void kernel_is_silent_on_a_claimed_port(const char *addr, struct world *w, int ns)
{
    uint16_t port = 80;
    int fd;

    fd = world_connect(ns, addr, 80);
    assert_refused(fd);
    (void)close(fd);

    assert_int_equal(netio_claim(w->n, &port), 0);
    w->packets = 0;
    fd = world_connect(ns, addr, 80);
    world_pump(w, 1, 1000);
    assert_int_equal(w->packets, 1); /* the SYN is ours */
    assert_int_equal(w->in[0].verdict, TCP_PARSE_OK);
    assert_int_equal(w->in[0].seg.flags & (TCP_SYN | TCP_ACK), TCP_SYN);
    assert_int_equal(w->in[0].seg.dport, 80);
    assert_true(w->in[0].pkt.ifindex != 0);
    assert_int_equal(w->in[0].pkt.ttl, 64);
    assert_silence(fd, 300);
    (void)close(fd);

    netio_release(w->n, 80);
    assert_int_equal(netio_claims(w->n), 0);
    fd = world_connect(ns, addr, 80);
    assert_refused(fd);
    (void)close(fd);
}

static void claimed_port_is_silent_over_the_wire_ipv4(void **state)
{
    struct world *w = *state;

    kernel_is_silent_on_a_claimed_port(HERE4, w, w->there);
}

static void claimed_port_is_silent_over_the_wire_ipv6(void **state)
{
    struct world *w = *state;

    kernel_is_silent_on_a_claimed_port(HERE6, w, w->there);
}

static void claimed_port_is_silent_over_loopback(void **state)
{
    struct world *w = *state;

    kernel_is_silent_on_a_claimed_port("127.0.0.1", w, w->here);
    kernel_is_silent_on_a_claimed_port("::1", w, w->here);
    kernel_is_silent_on_a_claimed_port(HERE4, w, w->here);
}

static void other_ports_do_not_reach_us(void **state)
{
    struct world *w = *state;
    uint16_t port = 81;
    struct netio_stats stats;
    int fd;

    assert_int_equal(netio_claim(w->n, &port), 0);
    w->packets = 0;
    fd = world_connect(w->there, HERE4, 82);
    assert_refused(fd);
    world_pump(w, 0, 100);
    netio_stats(w->n, &stats);
    assert_int_equal(w->packets, 0);
    assert_int_equal(stats.not_ours, 0); /* the filter kept it off, not we */
    (void)close(fd);
    netio_release(w->n, 81);
}

static void kernel_programs_cannot_have_a_claimed_port(void **state)
{
    struct world *w = *state;
    uint16_t port = 8080;

    assert_int_equal(netio_claim(w->n, &port), 0);
    assert_int_equal(try_bind(AF_INET, 8080), -EADDRINUSE);
    assert_int_equal(try_bind(AF_INET6, 8080), -EADDRINUSE);
    assert_int_equal(world_listen(w->here, AF_INET, 8080, 1), -EADDRINUSE);
    netio_release(w->n, 8080);
    assert_int_equal(try_bind(AF_INET, 8080), 0);
}

static void port_of_a_kernel_program_cannot_be_claimed(void **state)
{
    struct world *w = *state;
    uint16_t port = 8081;
    int fd = world_listen(w->here, AF_INET, 8081, 1);

    assert_true(fd >= 0);
    assert_int_equal(netio_claim(w->n, &port), -EADDRINUSE);
    assert_int_equal(netio_claims(w->n), 0);
    (void)close(fd);
    assert_int_equal(netio_claim(w->n, &port), 0);
    netio_release(w->n, 8081);
}

/* A connection outlives its listener, and SO_REUSEADDR alone would let us in beside it. */
static void kernel_connection_without_listener_forbids_the_claim(void **state)
{
    struct world *w = *state;
    uint16_t port = 8082;
    int l = world_listen(w->here, AF_INET, 8082, 1), fd, conn;
    struct pollfd p;

    assert_true(l >= 0);
    fd = world_connect(w->there, HERE4, 8082);
    conn = accept(l, NULL, NULL);
    assert_true(conn >= 0);
    (void)close(l);

    assert_int_equal(netio_claim(w->n, &port), -EADDRINUSE);
    assert_int_equal(write(conn, "still here", 10), 10);
    p = (struct pollfd){ .fd = fd, .events = POLLIN };
    assert_int_equal(poll(&p, 1, 1000), 1);
    assert_true(p.revents & POLLIN && !(p.revents & POLLERR));

    /* We close first: the remains are in TIME_WAIT, and that is no connection. */
    (void)close(conn);
    (void)close(fd);
    (void)poll(NULL, 0, 100);
    assert_int_equal(netio_claim(w->n, &port), 0);
    netio_release(w->n, 8082);
}

static void one_claim_serves_many_users(void **state)
{
    struct world *w = *state;
    uint16_t port = 8083;

    assert_int_equal(netio_claim(w->n, &port), 0);
    assert_int_equal(netio_claim(w->n, &port), 0);
    assert_int_equal(netio_claims(w->n), 1);
    netio_release(w->n, 8083);
    assert_int_equal(try_bind(AF_INET, 8083), -EADDRINUSE);
    netio_release(w->n, 8083);
    assert_int_equal(try_bind(AF_INET, 8083), 0);
    netio_release(w->n, 8083); /* one too many does no harm */
    assert_int_equal(netio_claims(w->n), 0);
}

static void released_ephemeral_claims_fill_the_pool_and_no_more(void **state)
{
    struct world *w = *state;
    uint16_t port[6] = { 0 };

    for (int i = 0; i < 6; i++)
        assert_int_equal(netio_claim(w->n, &port[i]), 0);
    assert_int_equal(netio_claims(w->n), 6);
    for (unsigned i = 0; i < 6; i++)
        assert_int_not_equal(netio_pool(w->n, i), 0);
    assert_int_equal(netio_pool(w->n, 6), 0);
    for (int i = 0; i < 6; i++)
        netio_release(w->n, port[i]);
    assert_int_equal(netio_claims(w->n), 4);
    assert_int_equal(netio_pool(w->n, 4), 0);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(try_bind(AF_INET, netio_pool(w->n, i)), -EADDRINUSE);

    port[0] = 0; /* from the pool, not a fifth one */
    assert_int_equal(netio_claim(w->n, &port[0]), 0);
    assert_int_equal(netio_claims(w->n), 4);
    netio_release(w->n, port[0]);
    netio_close_claims(w->n);
    assert_int_equal(netio_claims(w->n), 0);
    assert_int_equal(netio_pool(w->n, 0), 0);
}

static void anonymous_ports_stay_in_their_range(void **state)
{
    struct world *w = *state;
    uint16_t port, seen[4];

    /* Inside of what the kernel gives out, then outside of it. */
    netio_set_ports(w->n, 40000, 40003, 0);
    for (int i = 0; i < 4; i++) {
        seen[i] = 0;
        assert_int_equal(netio_claim(w->n, &seen[i]), 0);
        assert_in_range(seen[i], 40000, 40003);
    }
    port = 0;
    assert_int_equal(netio_claim(w->n, &port), -EADDRNOTAVAIL);
    netio_close_claims(w->n);

    netio_set_ports(w->n, 61100, 61101, 0);
    for (int i = 0; i < 2; i++) {
        seen[i] = 0;
        assert_int_equal(netio_claim(w->n, &seen[i]), 0);
        assert_in_range(seen[i], 61100, 61101);
    }
    assert_int_equal(netio_claim(w->n, &port), -EADDRNOTAVAIL);
    netio_close_claims(w->n);
    netio_set_ports(w->n, 0, 0, 4);
}

static void without_descriptors_only_the_claim_fails(void **state)
{
    struct world *w = *state;
    struct rlimit old, none;
    uint16_t port = 8085;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    none = old;
    none.rlim_cur = 3;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_int_equal(netio_claim(w->n, &port), -EMFILE);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    assert_int_equal(netio_claims(w->n), 0);
    assert_int_equal(netio_claim(w->n, &port), 0);
    netio_release(w->n, 8085);
}

/* ---- with a registry: claims are closed later
 * ------------------------------------------------------ */

struct later {
    int fd[8];
    unsigned count, claimed;
};

static void on_claimed(void *ctx, int fd, uint16_t port)
{
    ((struct later *)ctx)->claimed++;
}

static void on_close_later(void *ctx, int fd)
{
    struct later *l = ctx;

    l->fd[l->count++] = fd;
}

static void commit(struct later *l)
{
    while (l->count)
        (void)close(l->fd[--l->count]);
}

static void claim_is_taken_back_before_and_after_its_deferred_close(void **state)
{
    struct world *w = *state;
    struct later later = { 0 };
    const struct netio_init init = { .registry = { &later, on_claimed, on_close_later } };
    uint16_t port = 8086;
    int fd;

    world_netio(w, &init);
    assert_int_equal(netio_claim(w->n, &port), 0);
    netio_release(w->n, port);
    assert_int_equal(later.count, 1);
    assert_int_equal(try_bind(AF_INET, port), -EADDRINUSE); /* not closed yet */

    assert_int_equal(netio_claim(w->n, &port), 0);
    assert_int_equal(later.claimed, 2);
    commit(&later);
    fd = world_connect(w->there, HERE4, port);
    assert_silence(fd, 200); /* the port was held all along */
    (void)close(fd);

    netio_release(w->n, port);
    commit(&later);
    assert_int_equal(try_bind(AF_INET, port), 0);
    assert_int_equal(netio_claim(w->n, &port), 0);
    netio_release(w->n, port);
    commit(&later);
    world_netio(w, NULL);
}

static void next_worker_adopts_claims_and_closes_the_unwanted(void **state)
{
    struct world *w = *state;
    struct later later = { 0 };
    const struct netio_init init = { .registry = { &later, on_claimed, on_close_later } };
    uint16_t kept = 8087, lost = 8088;
    int fds[2];

    world_netio(w, &init);
    assert_int_equal(netio_claim(w->n, &kept), 0);
    assert_int_equal(netio_claim(w->n, &lost), 0);
    netio_close_claims(w->n);
    fds[0] = later.fd[0];
    fds[1] = later.fd[1];
    later.count = 0;
    w->n = netio_free(w->n); /* the worker dies, the descriptors live on */

    world_netio(w, &init);
    netio_adopt_claim(w->n, fds[0], kept);
    netio_adopt_claim(w->n, fds[1], lost);
    assert_int_equal(netio_claims(w->n), 2);
    assert_int_equal(netio_claim(w->n, &kept), 0);
    netio_adopt_done(w->n);
    commit(&later);
    assert_int_equal(netio_claims(w->n), 1);
    assert_int_equal(try_bind(AF_INET, kept), -EADDRINUSE);
    assert_int_equal(try_bind(AF_INET, lost), 0);
    netio_release(w->n, kept);
    commit(&later);
    world_netio(w, NULL);
}

static void classic_filters_do_the_same(void **state)
{
    struct world *w = *state;
    struct netio_fds fds = w->fds;
    uint16_t port = 8090;
    int nothing = 0, fd;

    w->fds.port_map = w->fds.drop_prog = -1;
    assert_int_equal(setsockopt(w->fds.raw4_in, SOL_SOCKET, SO_DETACH_FILTER, &nothing, 4), 0);
    assert_int_equal(setsockopt(w->fds.raw6_in, SOL_SOCKET, SO_DETACH_FILTER, &nothing, 4), 0);
    world_netio(w, NULL);
    kernel_is_silent_on_a_claimed_port(HERE4, w, w->there);
    kernel_is_silent_on_a_claimed_port(HERE6, w, w->there);

    assert_int_equal(netio_claim(w->n, &port), 0);
    w->packets = 0;
    fd = world_connect(w->there, HERE4, 8091);
    assert_refused(fd);
    (void)close(fd);
    world_pump(w, 0, 50);
    assert_int_equal(w->packets, 0);
    netio_release(w->n, port);
    w->fds = fds;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(claimed_port_is_silent_over_the_wire_ipv4),
        cmocka_unit_test(claimed_port_is_silent_over_the_wire_ipv6),
        cmocka_unit_test(claimed_port_is_silent_over_loopback),
        cmocka_unit_test(other_ports_do_not_reach_us),
        cmocka_unit_test(kernel_programs_cannot_have_a_claimed_port),
        cmocka_unit_test(port_of_a_kernel_program_cannot_be_claimed),
        cmocka_unit_test(kernel_connection_without_listener_forbids_the_claim),
        cmocka_unit_test(one_claim_serves_many_users),
        cmocka_unit_test(released_ephemeral_claims_fill_the_pool_and_no_more),
        cmocka_unit_test(anonymous_ports_stay_in_their_range),
        cmocka_unit_test(without_descriptors_only_the_claim_fails),
        cmocka_unit_test(claim_is_taken_back_before_and_after_its_deferred_close),
        cmocka_unit_test(next_worker_adopts_claims_and_closes_the_unwanted),
        cmocka_unit_test(classic_filters_do_the_same),
    };

    return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
