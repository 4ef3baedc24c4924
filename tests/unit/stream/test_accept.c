/* SPDX-License-Identifier: BSD-2-Clause */
/* Accepted connections on their way through a listening descriptor. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake.h"

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

static int listening(struct world *w, struct sock *s)
{
    int fd = fresh(w);

    s->family = AF_INET6;
    assert_int_equal(stream_attach(w->st, s, fd), 0);
    turn(w);
    return fd;
}

static void arrive(struct world *w, struct sock *l, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        struct sock *s = fake_sock(w, true);

        s->peer_port = (uint16_t)(5000 + i);
        l->queue[l->queued++] = s;
    }
    tell(w, l, SOCK_READY_ACCEPT);
}

/* What the library's accept() does. Returns the fd or -errno. */
static int receive(int fd, struct stream_accept_msg *msg)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec iov = { msg, sizeof(*msg) };
    struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
                        .msg_controllen = sizeof(control) };
    ssize_t r = recvmsg(fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    struct cmsghdr *c;
    int got;

    if (r < 0)
        return -errno;
    assert_int_equal(r, sizeof(*msg));
    c = CMSG_FIRSTHDR(&m);
    assert_non_null(c);
    memcpy(&got, CMSG_DATA(c), sizeof(got));
    return got;
}

static struct sock *arrived(struct world *w, unsigned i)
{
    return w->socks.all[1 + i];
}

static void a_listening_descriptor_is_readable_when_a_connection_waits(void **state)
{
    struct world *w = *state;
    struct sock *l = fake_sock(w, false);
    int fd = listening(w, l), conn;
    struct stream_accept_msg msg;

    assert_int_equal(program_poll(fd), 0);
    arrive(w, l, 1);
    assert_int_equal(program_poll(fd), POLLIN);
    conn = receive(fd, &msg);
    assert_true(conn >= 0);
    assert_int_equal(program_poll(fd), 0);
    assert_int_equal(msg.magic, STREAM_ACCEPT_MAGIC);
    assert_int_equal(msg.family, AF_INET6);
    assert_int_equal(msg.port, 5000);
    assert_memory_equal(msg.addr, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\0\1", 16);
    close(conn);
    close(fd);
}

static void an_accepted_descriptor_is_connected_and_resettable(void **state)
{
    struct world *w = *state;
    struct sock *l = fake_sock(w, false);
    int fd = listening(w, l), conn;
    struct stream_accept_msg msg;
    char buf[8];

    arrive(w, l, 1);
    conn = receive(fd, &msg);
    assert_ptr_equal(stream_find(w->st, conn), arrived(w, 0));
    assert_int_equal(program_poll(conn), POLLOUT);
    assert_int_equal(send(conn, "hello", 5, 0), 5);
    turn(w);
    assert_int_equal(peer_takes(arrived(w, 0), buf, sizeof(buf)), 5);
    assert_memory_equal(buf, "hello", 5);
    arrived(w, 0)->error = ECONNRESET;
    tell(w, arrived(w, 0), SOCK_READY_DEAD);
    assert_int_equal(recv(conn, buf, 1, MSG_DONTWAIT), -1);
    assert_int_equal(errno, ECONNRESET);
    close(conn);
    close(fd);
}

static void bytes_that_came_before_accept_are_there_after_it(void **state)
{
    struct world *w = *state;
    struct sock *l = fake_sock(w, false), *s = fake_sock(w, true);
    int fd = listening(w, l), conn;
    struct stream_accept_msg msg;
    char buf[8];

    peer_sends(s, "early", 5);
    l->queue[l->queued++] = s;
    tell(w, l, SOCK_READY_ACCEPT);
    conn = receive(fd, &msg);
    assert_int_equal(recv(conn, buf, sizeof(buf), MSG_DONTWAIT), 5);
    close(conn);
    close(fd);
}

static void sixteen_are_in_flight_and_the_others_wait_in_the_backlog(void **state)
{
    struct world *w = *state;
    struct sock *l = fake_sock(w, false);
    int fd = listening(w, l);
    struct stream_accept_msg msg;

    arrive(w, l, 40);
    turn(w);
    assert_int_equal(l->queued, 24);
    for (unsigned i = 0; i < 40; i++) {
        int conn = receive(fd, &msg);

        assert_true(conn >= 0);
        assert_int_equal(msg.port, 5000 + i); /* in order */
        close(conn);
        turn(w); /* each accept lets the next one in */
        assert_int_equal(l->queued, i < 23 ? 23 - i : 0);
        assert_true(arrived(w, i)->closed);
        assert_false(arrived(w, i)->closed_unread);
    }
    assert_int_equal(receive(fd, &msg), -EAGAIN);
    close(fd);
}

static void closing_a_listener_resets_what_was_never_accepted(void **state)
{
    struct world *w = *state;
    struct sock *l = fake_sock(w, false);
    int fd = listening(w, l), conn;
    struct stream_accept_msg msg;

    arrive(w, l, 20);
    conn = receive(fd, &msg);
    close(fd);
    turn(w);
    assert_true(l->closed);
    assert_false(arrived(w, 0)->closed); /* accepted: lives on */
    for (unsigned i = 1; i < 16; i++) {
        assert_true(arrived(w, i)->closed);
        assert_true(arrived(w, i)->closed_unread);
    }
    assert_int_equal(send(conn, "x", 1, MSG_NOSIGNAL), 1);
    close(conn);
    turn(w);
    assert_true(arrived(w, 0)->closed);
    assert_false(arrived(w, 0)->closed_unread);
}

static void a_connection_that_died_in_the_queue_is_accepted_and_says_so(void **state)
{
    struct world *w = *state;
    struct sock *l = fake_sock(w, false);
    int fd = listening(w, l), conn;
    struct stream_accept_msg msg;
    char c;

    arrive(w, l, 2);
    arrived(w, 0)->error = ETIMEDOUT;
    tell(w, arrived(w, 0), SOCK_READY_DEAD);
    conn = receive(fd, &msg);
    assert_int_equal(recv(conn, &c, 1, MSG_DONTWAIT), -1);
    assert_int_equal(errno, ECONNRESET);
    assert_int_equal(stream_last_error(w->st, conn), ETIMEDOUT);
    close(conn);
    conn = receive(fd, &msg);
    assert_int_equal(program_poll(conn), POLLOUT);
    close(conn);
    close(fd);
}

static void a_listener_that_is_shut_down_ends_and_wakes_who_waits_in_accept(void **state)
{
    struct world *w = *state;
    struct sock *l = fake_sock(w, false);
    int fd = listening(w, l);
    struct stream_accept_msg msg;

    l->state = SOCK_LISTENING;
    stream_shutdown(w->st, l, fd, SHUT_WR);
    turn(w);
    assert_false(l->closed);
    arrive(w, l, 17);
    l->queued = 0;
    stream_shutdown(w->st, l, fd, SHUT_RD);
    assert_true(program_poll(fd) & POLLIN);
    turn(w);
    assert_true(l->closed);
    for (int i = 0; i < 16; i++) { /* these it has already */
        int conn = receive(fd, &msg);

        assert_true(conn >= 0);
        assert_int_equal(program_poll(conn), POLLOUT);
        close(conn);
    }
    assert_int_equal(recv(fd, &msg, sizeof(msg), MSG_DONTWAIT), -1); /* accept() says EINVAL */
    assert_int_equal(errno, ECONNRESET);
    close(fd);
}

static void without_free_descriptors_connections_wait_in_the_backlog(void **state)
{
    struct world *w = *state;
    struct sock *l = fake_sock(w, false), *other = fake_sock(w, true);
    int fd = listening(w, l), spare = connected(w, other), top = dup(0);
    struct rlimit old, tight;
    struct stream_accept_msg msg;

    close(top);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    tight = (struct rlimit){ .rlim_cur = (rlim_t)top, .rlim_max = old.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    arrive(w, l, 1);
    assert_int_equal(l->queued, 1);
    assert_int_equal(program_poll(fd), 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    close(spare); /* one that closes makes room */
    turn(w);
    assert_int_equal(l->queued, 0);
    spare = receive(fd, &msg);
    assert_true(spare >= 0);
    close(spare);
    close(fd);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_listening_descriptor_is_readable_when_a_connection_waits),
        TEST(an_accepted_descriptor_is_connected_and_resettable),
        TEST(bytes_that_came_before_accept_are_there_after_it),
        TEST(sixteen_are_in_flight_and_the_others_wait_in_the_backlog),
        TEST(closing_a_listener_resets_what_was_never_accepted),
        TEST(a_connection_that_died_in_the_queue_is_accepted_and_says_so),
        TEST(a_listener_that_is_shut_down_ends_and_wakes_who_waits_in_accept),
        TEST(without_free_descriptors_connections_wait_in_the_backlog),
    };

    return cmocka_run_group_tests_name("stream: accept", tests, NULL, NULL);
}
