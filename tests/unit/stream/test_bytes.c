/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes through a descriptor: exact with one byte always left unread, and bounded both ways. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake.h"
#include "stream/hidden.h"

static int setup(void **state)
{
    *state = world_new();
    return 0;
}

static int teardown(void **state)
{
    world_free(*state);
    return 0;
}

/* Byte number @i of every test stream. */
static uint8_t byte_at(uint64_t i)
{
    return (uint8_t)((i * 2654435761u) >> 13 ^ i);
}

static void fill(uint8_t *buf, uint64_t from, uint32_t len)
{
    for (uint32_t i = 0; i < len; i++)
        buf[i] = byte_at(from + i);
}

static void check(const uint8_t *buf, uint64_t from, uint32_t len)
{
    for (uint32_t i = 0; i < len; i++)
        if (buf[i] != byte_at(from + i))
            fail_msg("byte %llu is wrong", (unsigned long long)(from + i));
}

static uint32_t rnd(uint32_t *seed, uint32_t max)
{
    *seed = *seed * 1664525u + 1013904223u;
    return 1 + (*seed >> 8) % max;
}

static uint8_t buf[1 << 20];

static void one_byte_is_there_at_once_and_stays_unread(void **state)
{
    struct world *w = *state;
    struct sock *s = fake_sock(w, true);
    int fd = connected(w, s);

    for (uint32_t i = 0; i < 100; i++) {
        uint8_t c = byte_at(i);

        assert_int_equal(send(fd, &c, 1, 0), 1);
        turn(w);
        assert_int_equal(peer_takes(s, buf, sizeof(buf)), 1);
        check(buf, i, 1);
    }
    s->error = ECONNRESET;
    tell(w, s, SOCK_READY_DEAD);
    assert_int_equal(recv(fd, buf, 1, MSG_DONTWAIT), -1);
    assert_int_equal(errno, ECONNRESET);
    close(fd);
}

static void writes_of_any_size_arrive_exactly(void **state)
{
    struct world *w = *state;

    for (uint32_t round = 0; round < 6; round++) {
        struct sock *s = fake_sock(w, true);
        int fd = connected(w, s);
        uint64_t sent = 0, got = 0;
        uint32_t seed = round, n;

        while (got < 2000000) {
            uint32_t len = rnd(&seed, round < 3 ? 90000 : 50);
            ssize_t r;

            fill(buf, sent, len);
            r = send(fd, buf, len, MSG_DONTWAIT);
            if (r > 0)
                sent += (uint64_t)r;
            if (rnd(&seed, 3) == 1 || r < 0) {
                turn(w);
                n = peer_takes(s, buf, rnd(&seed, 80000));
                check(buf, got, n);
                got += n;
                tell(w, s, SOCK_READY_WRITE);
            }
            if (round >= 3 && sent > 60000)
                break;
        }
        while (got < sent) {
            turn(w);
            n = peer_takes(s, buf, sizeof(buf));
            assert_true(n > 0);
            check(buf, got, n);
            got += n;
            tell(w, s, SOCK_READY_WRITE);
        }
        assert_int_equal(got, sent);
        close(fd);
        turn(w);
        assert_true(s->closed);
    }
    assert_true(w->state.moves_seen[STATE_MOVE_IN] > 100);
}

static void reads_of_any_size_are_exact(void **state)
{
    struct world *w = *state;

    for (uint32_t round = 0; round < 4; round++) {
        struct sock *s = fake_sock(w, true);
        int fd = connected(w, s);
        uint64_t sent = 0, got = 0;
        uint32_t seed = 77 + round, max = round % 2 ? 200000 : 300;
        uint64_t total = round % 2 ? 4000000 : 200000;

        for (uint32_t rounds = 0; got < total; rounds++) {
            uint32_t len = rnd(&seed, max);
            ssize_t r;

            fill(buf, sent, len);
            sent += peer_sends(s, buf, len);
            tell(w, s, SOCK_READY_READ);
            r = recv(fd, buf, rnd(&seed, max), MSG_DONTWAIT);
            if (r > 0) {
                check(buf, got, (uint32_t)r);
                got += (uint64_t)r;
            }
            turn(w);
            assert_true(rounds < 20000);
            assert_int_equal(s->conn.hidden + s->conn.released + ring_used(&s->conn.rx), sent);
            assert_true(s->conn.released <= got);
        }
        close(fd);
        turn(w);
    }
}

static void a_reader_that_stops_bounds_what_is_hidden(void **state)
{
    struct world *w = *state;
    struct sock *s = fake_sock(w, true);
    int fd = connected(w, s);
    uint64_t sent = 0, got = 0;

    for (int i = 0; i < 50; i++) {
        fill(buf, sent, 65536);
        sent += peer_sends(s, buf, 65536);
        tell(w, s, SOCK_READY_READ);
    }
    assert_int_equal(sent, s->conn.rcv_buf); /* the window is shut, to the byte */
    assert_int_equal(s->conn.hidden, 262144);
    while (got < sent) {
        ssize_t r = recv(fd, buf, 10000, MSG_DONTWAIT);

        assert_true(r > 0);
        check(buf, got, (uint32_t)r);
        got += (uint64_t)r;
        turn(w); /* every read that frees something is an event */
    }
    assert_int_equal(s->conn.hidden, 0);
    assert_int_equal(s->conn.hidden_peak, 262144);
    close(fd);
}

static void a_small_receive_buffer_hides_half_of_it_at_most(void **state)
{
    struct world *w = *state;
    struct sock *s = fake_sock(w, true);
    int fd = connected(w, s);

    s->conn.rcv_buf = 8192;
    fill(buf, 0, 8192);
    assert_int_equal(peer_sends(s, buf, 8192), 8192);
    tell(w, s, SOCK_READY_READ);
    assert_int_equal(s->conn.hidden, 4096);
    assert_int_equal(recv(fd, buf, sizeof(buf), MSG_DONTWAIT), 4096);
    turn(w);
    assert_int_equal(s->conn.released, 4096);
    assert_int_equal(recv(fd, buf, sizeof(buf), MSG_DONTWAIT), 4096);
    close(fd);
}

static void many_tiny_messages_stay_bounded_in_memory_too(void **state)
{
    struct world *w = *state;
    struct sock *s = fake_sock(w, true);
    int fd = connected(w, s);
    uint32_t got = 0;

    for (uint32_t i = 0; i < 3000; i++) {
        fill(buf, i, 1);
        assert_int_equal(peer_sends(s, buf, 1), 1);
        tell(w, s, SOCK_READY_READ);
    }
    assert_true(s->conn.hidden < 450); /* a quarter of the send buffer, 768 for a byte */
    while (got < 3000) {
        assert_int_equal(recv(fd, buf, 1, MSG_DONTWAIT), 1);
        check(buf, got++, 1);
        turn(w);
    }
    close(fd);
}

static void a_writer_is_stopped_by_a_full_send_ring(void **state)
{
    struct world *w = *state;
    struct sock *s = fake_sock(w, true);
    int fd = connected(w, s);
    uint32_t sent = 0;
    ssize_t r;

    s->conn.tx_limit = 4096;
    while ((r = send(fd, buf, 1000, MSG_DONTWAIT)) > 0) {
        sent += (uint32_t)r;
        turn(w);
    }
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(ring_used(&s->conn.tx), 4096);
    assert_true(sent <= 4096 + 212992);
    assert_int_equal(stream_untaken(w->st, s), sent - 4096);
    assert_false(program_poll(fd) & POLLOUT);
    s->conn.tx_limit = 65536;
    for (uint32_t got = 0; got < sent; got += peer_takes(s, buf, sizeof(buf))) {
        tell(w, s, SOCK_READY_WRITE);
        turn(w);
    }
    assert_true(program_poll(fd) & POLLOUT);
    close(fd);
}

/* The unread byte pins the memory it is in: the program must be writable beside it. */
static void after_any_write_the_descriptor_becomes_writable_again(void **state)
{
    struct world *w = *state;
    static const uint32_t more[] = { 3, 255, 4097, 32769, 36544, 36545, 65535, 100000, 200001 };
    struct sock *s = fake_sock(w, true);
    int fd = connected(w, s);

    for (uint32_t i = 0; i < 19 + 9; i++) {
        uint32_t size = i < 19 ? 1u << i : more[i - 19], left = size;

        while (left > 0) {
            ssize_t r = send(fd, buf, left, MSG_DONTWAIT);

            if (r > 0)
                left -= (uint32_t)r;
            turn(w);
            peer_takes(s, buf, sizeof(buf));
            tell(w, s, SOCK_READY_WRITE);
            turn(w);
            peer_takes(s, buf, sizeof(buf));
        }
        for (int j = 0; j < 10; j++) {
            tell(w, s, SOCK_READY_WRITE);
            turn(w);
            peer_takes(s, buf, sizeof(buf));
        }
        if (program_poll(fd) != POLLOUT)
            fail_msg("not writable after a write of %u bytes", size);
    }
    close(fd);
}

static void one_descriptor_does_not_keep_others_waiting(void **state)
{
    struct world *w = *state;
    struct sock *greedy = fake_sock(w, true), *modest = fake_sock(w, true);
    int fd1 = connected(w, greedy), fd2 = connected(w, modest);

    const int plenty = 1 << 20;

    greedy->conn.tx_limit = 524288;
    assert_int_equal(ring_reserve(&greedy->conn.tx, ring_mem_heap(), 524288, 0), 0);
    assert_int_equal(setsockopt(fd1, SOL_SOCKET, SO_SNDBUFFORCE, &plenty, sizeof(plenty)), 0);
    while (send(fd1, buf, 16384, MSG_DONTWAIT) > 0)
        ;
    assert_int_equal(send(fd2, "x", 1, 0), 1);
    assert_true(stream_input(w->st, 0)); /* one wake-up: a share for each, and more remains */
    assert_int_equal(ring_used(&greedy->conn.tx), 262144);
    assert_int_equal(ring_used(&modest->conn.tx), 1);
    w->state.used = 0;
    close(fd1);
    close(fd2);
    turn(w);
}

static void a_full_move_log_ends_the_wake_up_and_nothing_is_lost(void **state)
{
    struct world *w = *state;
    struct sock *s = fake_sock(w, true);
    int fd = connected(w, s);
    uint32_t got = 0;

    w->state.capacity = 1;
    fill(buf, 0, 200000);
    assert_int_equal(peer_sends(s, buf, 200000), 200000);
    tell(w, s, SOCK_READY_READ);
    for (int i = 0; i < 100 && got < 200000; i++) {
        ssize_t r = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);

        if (r > 0) {
            check(buf, got, (uint32_t)r);
            got += (uint32_t)r;
        }
        turn(w);
    }
    assert_int_equal(got, 200000);
    close(fd);
}

static void descriptors_sent_as_data_are_not_taken(void **state)
{
    struct world *w = *state;
    struct sock *s = fake_sock(w, true);
    int fd = connected(w, s), before = dup(0);
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = { 0 };
    char abc[3] = "abc";
    struct iovec iov = { abc, 3 };
    struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
                        .msg_controllen = sizeof(control) };
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);

    close(before);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &(int){ 0 }, sizeof(int));
    if (sendmsg(fd, &m, MSG_DONTWAIT) == 3) { /* an older kernel: dropped at our side */
        turn(w);
        assert_int_equal(peer_takes(s, buf, sizeof(buf)), 3);
    } else {
        assert_int_equal(errno, EPERM);
    }
    assert_int_equal(dup(0), before); /* no number was used up */
    close(before);
    assert_int_equal(send(fd, "def", 3, 0), 3);
    turn(w);
    assert_int_equal(peer_takes(s, buf, sizeof(buf)), 3);
    assert_memory_equal(buf, "def", 3);
    close(fd);
}

static void what_a_send_costs_is_what_the_kernel_counts(void **state)
{
    static struct hidden_costs c;
    struct hidden h = { 0 };

    assert_int_equal(hidden_costs_measure(&c), 0);
    for (uint32_t len = 1; len < HIDDEN_CHUNK_MAX; len++) {
        assert_true(hidden_cost(&c, len) >= len);
        assert_true(hidden_cost(&c, len) <= hidden_cost(&c, len + 1) || len > 3776);
    }
    for (uint32_t i = 0; i < 20; i++) {
        assert_int_equal(hidden_reserve(&h), 0);
        hidden_push(&h, 100, 768);
    }
    assert_int_equal(hidden_settle(&h, 20 * 768), 0);
    assert_int_equal(hidden_settle(&h, 20 * 768 - 1), 0);
    assert_int_equal(hidden_settle(&h, 19 * 768), 100);
    assert_int_equal(hidden_settle(&h, 5 * 768), 1400);
    assert_int_equal(hidden_settle(&h, 0), 500);
    assert_null(h.chunks);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(one_byte_is_there_at_once_and_stays_unread),
        TEST(writes_of_any_size_arrive_exactly),
        TEST(reads_of_any_size_are_exact),
        TEST(a_reader_that_stops_bounds_what_is_hidden),
        TEST(a_small_receive_buffer_hides_half_of_it_at_most),
        TEST(many_tiny_messages_stay_bounded_in_memory_too),
        TEST(a_writer_is_stopped_by_a_full_send_ring),
        TEST(after_any_write_the_descriptor_becomes_writable_again),
        TEST(one_descriptor_does_not_keep_others_waiting),
        TEST(a_full_move_log_ends_the_wake_up_and_nothing_is_lost),
        TEST(descriptors_sent_as_data_are_not_taken),
        cmocka_unit_test(what_a_send_costs_is_what_the_kernel_counts),
    };

    return cmocka_run_group_tests_name("stream: bytes", tests, NULL, NULL);
}
