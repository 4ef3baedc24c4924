/* SPDX-License-Identifier: BSD-2-Clause */
/* Sessions: garbage, limits, slow readers, and who is kept waiting by whom. */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake.h"
#include "proto/errors.h"

static uint64_t counter(struct world *w, const char *name)
{
    int c = client(w);
    REQ(req, stats, STATS, StatsRequest, STATS_REQUEST);
    Tcpd__V1__Reply *reply = ask(w, c, &req, -1, NULL);
    uint64_t value = UINT64_MAX;

    for (size_t i = 0; i < reply->stats->n_counters; i++)
        if (strcmp(reply->stats->counters[i]->name, name) == 0)
            value = reply->stats->counters[i]->value;
    reply_free(reply);
    close(c);
    return value;
}

static void lives(struct world *w)
{
    assert_true(counter(w, "rpcRequests") != UINT64_MAX);
}

static void garbage_closes_its_session_and_nothing_else(void **state)
{
    struct world *w = *state;
    int good = client(w), bad = client(w);
    REQ(req, hello, HELLO, HelloRequest, HELLO_REQUEST);

    client_send(bad, "\xff\xff\xff\xff", 4, NULL, 0);
    turn(w);
    assert_true(is_closed(bad));
    reply_free(ask(w, good, &req, -1, NULL));
    assert_int_equal(counter(w, "rpcGarbage"), 1);
    close(good);
    close(bad);
}

static void random_bytes_never_do_more_than_that(void **state)
{
    struct world *w = *state;
    uint8_t buf[512];
    unsigned before;

    srandom(4711);
    lives(w);
    turn(w);
    before = open_fds();
    for (int i = 0; i < 3000; i++) {
        int c = client(w);
        size_t len = (size_t)(random() % (long)sizeof(buf));

        for (size_t j = 0; j < len; j++)
            buf[j] = (uint8_t)random();
        if (len > 2 && random() % 2) { /* the beginning of a real one */
            buf[0] = (uint8_t)((random() % 27) << 3 | 2);
            buf[1] = (uint8_t)(len - 2);
        }
        client_send(c, buf, len, &c, random() % 3 == 0);
        if (i % 8 == 0)
            turn(w);
        close(c);
    }
    turn(w);
    lives(w);
    turn(w);
    for (int i = 0; i < 200 && open_fds() != before; i++)
        usleep(10000);
    assert_int_equal(open_fds(), before);
}

static void a_message_that_is_too_long_or_empty_closes_the_session(void **state)
{
    struct world *w = *state;
    /* well formed but for its length: an unknown field that ends at 64 KB, and one more */
    static uint8_t big[65540] = { 0x08, 7, 0xa2, 0x06, 0xf9, 0xff, 0x03, [65536] = 0x08, 8 };
    int a = client(w), b = client(w), c = client(w);
    Tcpd__V1__Reply *reply;

    assert_int_equal(client_send(c, big, 65536, NULL, 0), 0);
    turn(w);
    reply = client_recv(c, NULL);
    assert_int_equal(reply->status, ERROR_UNKNOWN_CALL); /* as long as one may be */
    reply_free(reply);
    close(c);

    assert_int_equal(client_send(a, big, 65538, NULL, 0), 0);
    assert_int_equal(client_send(b, big, 0, NULL, 0), 0);
    turn(w);
    assert_true(is_closed(a));
    assert_true(is_closed(b));
    assert_int_equal(counter(w, "rpcGarbage"), 2);
    close(a);
    close(b);
}

static void two_descriptors_in_a_message_close_the_session(void **state)
{
    struct world *w = *state;
    int c = client(w), fds[16];
    unsigned before;

    turn(w);
    before = open_fds();
    for (int i = 0; i < 16; i++)
        fds[i] = c;
    client_send(c, "x", 1, fds, 16);
    turn(w);
    assert_true(is_closed(c));
    for (int i = 0; i < 200 && open_fds() != before - 1; i++)
        usleep(10000);
    assert_int_equal(open_fds(), before - 1); /* our end of the session is closed too */
    close(c);
}

static void an_unknown_call_is_an_error_and_the_session_goes_on(void **state)
{
    struct world *w = *state;
    int c = client(w);
    REQ(req, hello, HELLO, HelloRequest, HELLO_REQUEST);
    static const uint8_t newer[] = { 0x08, 7, 0xa2, 0x06, 0 }; /* id 7, field 100: a message */
    Tcpd__V1__Reply *reply;

    client_send(c, newer, sizeof(newer), NULL, 0);
    turn(w);
    reply = client_recv(c, NULL);
    assert_int_equal(reply->id, 7);
    assert_int_equal(reply->status, ERROR_UNKNOWN_CALL);
    reply_free(reply);
    reply_free(ask(w, c, &req, -1, NULL));
    close(c);
}

/* A kernel socket whose last close waits two seconds: its peer does not read. */
static int blocking_closer(int *ret_peer)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct linger wait = { .l_onoff = 1, .l_linger = 2 };
    socklen_t len = sizeof(a);
    int l = socket(AF_INET, SOCK_STREAM, 0), fd = socket(AF_INET, SOCK_STREAM, 0);
    static char junk[65536];

    assert_int_equal(bind(l, (struct sockaddr *)&a, len), 0);
    assert_int_equal(listen(l, 1), 0);
    assert_int_equal(getsockname(l, (struct sockaddr *)&a, &len), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, len), 0);
    *ret_peer = accept(l, NULL, NULL);
    close(l);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &wait, sizeof(wait)), 0);
    while (send(fd, junk, sizeof(junk), MSG_DONTWAIT) > 0)
        ;
    return fd;
}

static uint64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void wait_for_fds(unsigned want)
{
    for (int i = 0; i < 500 && open_fds() != want; i++)
        usleep(10000);
    assert_int_equal(open_fds(), want);
}

static void a_descriptor_that_blocks_when_closed_keeps_nobody_waiting(void **state)
{
    struct world *w = *state;
    int asked = client(w), queued = client(w), c = client(w), peer[2], fd;
    uint64_t start;
    unsigned before;
    REQ(req, error, ERROR, ErrorRequest, ERROR_REQUEST);
    REQ(hello, hello, HELLO, HelloRequest, HELLO_REQUEST);

    turn(w);
    before = open_fds();
    fd = blocking_closer(&peer[0]);
    assert_int_equal(client_request(asked, &req, fd), 0);
    close(fd);
    client_send(queued, "\xff", 1, NULL, 0); /* closes the session, with one in its queue */
    fd = blocking_closer(&peer[1]);
    assert_int_equal(client_send(queued, "x", 1, &fd, 1), 0);
    close(fd);
    start = now_ms();
    turn(w);
    reply_free(ask(w, c, &hello, -1, NULL));
    assert_true(now_ms() - start < 1000);
    wait_for_fds(before + 2 - 1); /* the two peers; one session less */
    close(peer[0]);
    close(peer[1]);
    fd = blocking_closer(&peer[0]); /* and such a one does block who closes it */
    start = now_ms();
    close(fd);
    assert_true(now_ms() - start >= 1000);
    close(peer[0]);
    close(asked);
    close(queued);
    close(c);
}

static void foreign_descriptors_do_not_pile_up(void **state)
{
    struct world *w = *state;
    int c = client(w), fd = socket(AF_INET, SOCK_STREAM, 0);
    unsigned before;
    REQ(req, error, ERROR, ErrorRequest, ERROR_REQUEST);

    turn(w);
    before = open_fds();
    for (int i = 0; i < 200; i++)
        reply_free(ask(w, c, &req, fd, NULL));
    wait_for_fds(before);
    close(fd);
    close(c);
}

static void a_client_that_reads_nothing_is_not_read_from(void **state)
{
    struct world *w = *state;
    int slow = client(w), quick = client(w), sent = 0;
    REQ(req, stats, STATS, StatsRequest, STATS_REQUEST);
    REQ(hello, hello, HELLO, HelloRequest, HELLO_REQUEST);

    while (client_request(slow, &req, -1) == 0) {
        turn(w);
        sent++;
        assert_true(sent < 5000); /* its requests pile up on its own side */
    }
    reply_free(ask(w, quick, &hello, -1, NULL));
    for (int i = 0; i < sent; i++) {
        Tcpd__V1__Reply *reply = client_recv(slow, NULL);

        assert_non_null(reply); /* and none is lost once it reads */
        reply_free(reply);
        turn(w);
    }
    close(slow);
    close(quick);
}

static void one_session_does_not_keep_others_waiting(void **state)
{
    struct world *w = *state;
    int greedy = client(w), modest = client(w), n = 0;
    REQ(req, hello, HELLO, HelloRequest, HELLO_REQUEST);
    Tcpd__V1__Reply *reply;

    turn(w);
    while (n < 100 && client_request(greedy, &req, -1) == 0)
        n++;
    client_request(modest, &req, -1);
    rpc_input(w->rpc, 4, w->now);
    rpc_flush(w->rpc);
    reply = client_recv(modest, NULL);
    assert_non_null(reply);
    reply_free(reply);
    close(greedy);
    close(modest);
    turn(w);
}

static void a_user_has_a_bounded_number_of_sessions(void **state)
{
    struct world *w = *state;
    struct rlimit old, small = { .rlim_cur = 256, .rlim_max = 0 };
    struct rpc_init init = { .listen_fd = w->listen_fd, .socks = &w->socks, .stream = &w->stream,
                             .state = &w->state, .engine = &w->engine, .tun = &w->tun };
    int c[40], status;
    pid_t pid;

    if (getuid() != 0)
        return; /* every session is of one user then; root's part is below */
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    small.rlim_max = old.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &small), 0);
    rpc_free(w->rpc);
    assert_int_equal(rpc_new(&init, &w->rpc), 0); /* 64 sessions, 16 of one user */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    pid = fork();
    if (pid == 0) {
        if (setuid(65534) < 0)
            _exit(1);
        for (int i = 0; i < 40; i++)
            c[i] = client(w);
        usleep(300000);
        status = 0;
        for (int i = 0; i < 40; i++)
            status += !is_closed(c[i]);
        _exit(status);
    }
    for (int i = 0; i < 20; i++) {
        turn(w);
        usleep(10000);
    }
    lives(w); /* others are not concerned */
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WEXITSTATUS(status), 16);
    turn(w);
    lives(w);
}

static void without_free_descriptors_a_session_is_refused_and_nothing_spins(void **state)
{
    struct world *w = *state;
    int old_session = client(w), c, top;
    struct rlimit old, tight;
    REQ(req, hello, HELLO, HelloRequest, HELLO_REQUEST);
    struct pollfd p = { .fd = rpc_epoll_fd(w->rpc), .events = POLLIN };

    reply_free(ask(w, old_session, &req, -1, NULL));
    c = client(w);
    top = dup(0);
    close(top);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    tight = (struct rlimit){ .rlim_cur = (rlim_t)top, .rlim_max = old.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    turn(w);
    assert_true(is_closed(c));
    assert_int_equal(poll(&p, 1, 0), 0);
    reply_free(ask(w, old_session, &req, -1, NULL)); /* others are not concerned */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    close(c);
    c = client(w);
    reply_free(ask(w, c, &req, -1, NULL));
    close(c);
    close(old_session);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(garbage_closes_its_session_and_nothing_else),
        TEST(random_bytes_never_do_more_than_that),
        TEST(a_message_that_is_too_long_or_empty_closes_the_session),
        TEST(two_descriptors_in_a_message_close_the_session),
        TEST(an_unknown_call_is_an_error_and_the_session_goes_on),
        TEST(a_descriptor_that_blocks_when_closed_keeps_nobody_waiting),
        TEST(foreign_descriptors_do_not_pile_up),
        TEST(a_client_that_reads_nothing_is_not_read_from),
        TEST(one_session_does_not_keep_others_waiting),
        TEST(without_free_descriptors_a_session_is_refused_and_nothing_spins),
        TEST(a_user_has_a_bounded_number_of_sessions),
    };

    return cmocka_run_group_tests_name("rpc: sessions", tests, NULL, NULL);
}
