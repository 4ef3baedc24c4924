/* SPDX-License-Identifier: BSD-2-Clause */
/* What a program sees of its descriptor in each stage, compared with a TCP socket of the kernel. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake.h"
#include "stream/dead.h"

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

static int so_error(int fd)
{
    int value = -1;
    socklen_t len = sizeof(value);

    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_ERROR, &value, &len), 0);
    return value;
}

static ssize_t read_now(int fd, void *buf, size_t len)
{
    ssize_t r = recv(fd, buf, len, MSG_DONTWAIT);

    return r < 0 ? -errno : r;
}

static ssize_t write_now(int fd, const void *buf, size_t len)
{
    ssize_t r = send(fd, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL);

    return r < 0 ? -errno : r;
}

/* Two ends of a connection of the kernel's own TCP over loopback. */
static void kernel_pair(int ret[2])
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(a);
    int l = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(bind(l, (struct sockaddr *)&a, len), 0);
    assert_int_equal(listen(l, 1), 0);
    assert_int_equal(getsockname(l, (struct sockaddr *)&a, &len), 0);
    ret[0] = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(ret[0], (struct sockaddr *)&a, len), 0);
    ret[1] = accept(l, NULL, NULL);
    assert_true(ret[1] >= 0);
    close(l);
}

/* The kernel's loopback answers in softirq: give it a moment until @fd polls @want. */
static unsigned kernel_poll(int fd, unsigned want)
{
    for (int i = 0; i < 200 && program_poll(fd) != want; i++)
        usleep(1000);
    return program_poll(fd);
}

static void a_fresh_descriptor_polls_as_an_unconnected_tcp_socket(void **state)
{
    int fd = fresh(*state), tcp = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(program_poll(fd), program_poll(tcp));
    assert_int_equal(program_poll(fd), POLLOUT | POLLHUP);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    close(fd);
    close(tcp);
}

static void a_fresh_descriptor_is_known_by_its_name(void **state)
{
    struct world *w = *state;
    int fd4 = stream_fresh(w->st, AF_INET), fd6 = stream_fresh(w->st, AF_INET6);

    assert_int_equal(stream_fresh_family(w->st, fd4), AF_INET);
    assert_int_equal(stream_fresh_family(w->st, fd6), AF_INET6);
    assert_null(stream_find(w->st, fd4));
    assert_int_equal(stream_fresh(w->st, AF_UNIX), -EAFNOSUPPORT);
    close(fd4);
    close(fd6);
}

static void attaching_makes_it_findable_through_every_copy(void **state)
{
    struct world *w = *state;
    struct sock *s = fake_sock(w, false);
    int fd = fresh(w), copy = dup(fd);

    assert_int_equal(stream_attach(w->st, s, fd), 0);
    assert_ptr_equal(stream_find(w->st, fd), s);
    assert_ptr_equal(stream_find(w->st, copy), s);
    assert_int_equal(stream_fresh_family(w->st, fd), 0);
    assert_int_equal(stream_attach(w->st, s, fd), -ENOTSOCK);
    close(fd);
    turn(w);
    assert_false(s->closed); /* the copy lives */
    close(copy);
    turn(w);
    assert_true(s->closed);
}

static void attaching_leaves_the_descriptors_flags_alone(void **state)
{
    struct world *w = *state;
    struct sock *s = fake_sock(w, false);
    int fd = fresh(w), flags = fcntl(fd, F_GETFL);

    assert_int_equal(stream_attach(w->st, s, fd), 0);
    stream_connecting(w->st, s, fd);
    assert_int_equal(fcntl(fd, F_GETFL), flags);
    close(fd);
}

static void while_connecting_it_is_neither_writable_nor_readable(void **state)
{
    struct world *w = *state;
    struct sock *s = fake_sock(w, true);
    int fd = connecting(w, s);
    char c = 'x';

    assert_int_equal(program_poll(fd), 0);
    assert_int_equal(write_now(fd, &c, 1), -EAGAIN);
    assert_int_equal(read_now(fd, &c, 1), -EAGAIN);
    close(fd);
}

static void once_connected_it_is_writable_and_silent(void **state)
{
    struct world *w = *state;
    struct sock *s = fake_sock(w, true);
    int fd = connected(w, s), pair[2];
    char buf[8];

    kernel_pair(pair);
    assert_int_equal(program_poll(fd), program_poll(pair[0]));
    assert_int_equal(program_poll(fd), POLLOUT);
    assert_int_equal(so_error(fd), 0);
    assert_int_equal(peer_takes(s, buf, sizeof(buf)), 0); /* no filler got through */
    close(fd);
    close(pair[0]);
    close(pair[1]);
}

static void a_refused_connect_is_an_error_with_its_errno_kept(void **state)
{
    struct world *w = *state;
    struct sock *s = fake_sock(w, true);
    int fd = connecting(w, s);

    s->error = ECONNREFUSED;
    tell(w, s, SOCK_READY_DEAD);
    assert_true(s->closed);
    assert_true(program_poll(fd) & POLLERR);
    assert_true(program_poll(fd) & POLLOUT); /* select() for writing ends */
    assert_int_equal(stream_last_error(w->st, fd), ECONNREFUSED);
    assert_int_equal(stream_last_error(w->st, fd), 0); /* told once */
    assert_int_equal(so_error(fd), ECONNRESET);
    assert_true(stream_was_ours(w->st, fd));
    assert_true(stream_harmless(w->st, fd));
    close(fd);
}

static void a_reset_is_told_once_and_then_it_is_eof(void **state)
{
    struct world *w = *state;
    struct sock *s = fake_sock(w, true);
    int fd = connected(w, s), pair[2];
    struct linger hard = { .l_onoff = 1 };
    char c;

    s->error = ECONNRESET;
    tell(w, s, SOCK_READY_DEAD);
    kernel_pair(pair);
    setsockopt(pair[1], SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    close(pair[1]);
    assert_int_equal(program_poll(fd), kernel_poll(pair[0], program_poll(fd)));
    assert_int_equal(read_now(fd, &c, 1), read_now(pair[0], &c, 1));
    assert_int_equal(read_now(fd, &c, 1), read_now(pair[0], &c, 1));
    assert_int_equal(read_now(fd, &c, 1), 0);
    assert_int_equal(stream_last_error(w->st, fd), 0); /* the kernel said it */
    close(fd);
    close(pair[0]);
}

static void a_timeout_is_ECONNRESET_with_its_errno_kept(void **state)
{
    struct world *w = *state;
    struct sock *s = fake_sock(w, true);
    int fd = connected(w, s);
    char c;

    s->error = ETIMEDOUT;
    tell(w, s, SOCK_READY_DEAD);
    assert_int_equal(read_now(fd, &c, 1), -ECONNRESET);
    assert_int_equal(stream_last_error(w->st, fd), ETIMEDOUT);
    close(fd);
}

static void bytes_before_a_reset_are_read_first(void **state)
{
    struct world *w = *state;
    struct sock *s = fake_sock(w, true);
    int fd = connected(w, s);
    static char big[300000], got[300000];
    uint32_t n = 0;

    s->error = ECONNRESET;
    assert_int_equal(peer_sends(s, big, sizeof(big)), sizeof(big));
    tell(w, s, SOCK_READY_READ | SOCK_READY_DEAD);
    assert_false(s->closed); /* more than fits the descriptor */
    assert_int_equal(write_now(fd, "x", 1), -EPIPE);
    for (;;) {
        ssize_t r = read_now(fd, got, sizeof(got));

        if (r <= 0) {
            assert_int_equal(r, -ECONNRESET);
            break;
        }
        n += (uint32_t)r;
        turn(w);
    }
    assert_int_equal(n, sizeof(big));
    assert_true(s->closed);
    close(fd);
}

static void the_peers_fin_is_eof_and_rdhup_and_writing_goes_on(void **state)
{
    struct world *w = *state;
    struct sock *s = fake_sock(w, true);
    int fd = connected(w, s), pair[2];
    char buf[8];

    peer_sends(s, "bye", 3);
    tell(w, s, SOCK_READY_READ | SOCK_READY_EOF);
    kernel_pair(pair);
    write_now(pair[1], "bye", 3);
    shutdown(pair[1], SHUT_WR);
    assert_int_equal(program_poll(fd), kernel_poll(pair[0], program_poll(fd)));
    assert_int_equal(program_poll(fd), POLLIN | POLLOUT | POLLRDHUP);
    assert_int_equal(read_now(fd, buf, sizeof(buf)), 3);
    assert_int_equal(read_now(fd, buf, sizeof(buf)), 0);
    assert_int_equal(write_now(fd, "more", 4), 4);
    turn(w);
    assert_int_equal(peer_takes(s, buf, sizeof(buf)), 4);
    assert_false(s->closed);
    close(fd);
    turn(w);
    assert_true(s->closed);
    assert_false(s->closed_unread);
    close(pair[0]);
    close(pair[1]);
}

static void a_half_close_comes_after_the_bytes(void **state)
{
    struct world *w = *state;
    struct sock *s = fake_sock(w, true);
    int fd = connected(w, s);
    char buf[16];

    write_now(fd, "request", 7);
    shutdown(fd, SHUT_WR);
    turn(w);
    assert_true(s->shut_wr);
    assert_false(s->closed);
    assert_int_equal(peer_takes(s, buf, sizeof(buf)), 7);
    peer_sends(s, "answer", 6);
    tell(w, s, SOCK_READY_READ);
    assert_int_equal(read_now(fd, buf, sizeof(buf)), 6);
    close(fd);
    turn(w);
    assert_true(s->closed);
    assert_false(s->closed_unread);
}

static void when_both_sides_have_finished_it_ends_without_an_error(void **state)
{
    for (int order = 0; order < 2; order++) {
        struct world *w = *state;
        struct sock *s = fake_sock(w, true);
        int fd = connected(w, s), pair[2];
        char c;

        if (order == 0)
            tell(w, s, SOCK_READY_EOF);
        shutdown(fd, SHUT_WR);
        turn(w);
        if (order == 1)
            tell(w, s, SOCK_READY_EOF);
        turn(w);
        kernel_pair(pair);
        shutdown(pair[0], SHUT_WR);
        shutdown(pair[1], SHUT_WR);
        assert_int_equal(program_poll(fd), kernel_poll(pair[0], program_poll(fd)));
        assert_int_equal(read_now(fd, &c, 1), 0);
        assert_int_equal(so_error(fd), 0);
        assert_true(s->shut_wr);
        assert_true(s->closed);
        assert_false(s->closed_unread);
        close(fd);
        close(pair[0]);
        close(pair[1]);
    }
}

static void closing_with_unread_bytes_is_told(void **state)
{
    struct world *w = *state;
    struct sock *s = fake_sock(w, true);
    int fd = connected(w, s);

    peer_sends(s, "never read", 10);
    tell(w, s, SOCK_READY_READ);
    close(fd);
    turn(w);
    assert_true(s->closed);
    assert_true(s->closed_unread);
}

static void bytes_written_before_close_are_all_taken_first(void **state)
{
    struct world *w = *state;
    struct sock *s = fake_sock(w, true);
    int fd = connected(w, s);
    static char big[150000], got[150000];
    uint32_t n = 0;

    for (uint32_t sent = 0; sent < sizeof(big);)
        sent += (uint32_t)write_now(fd, big + sent, sizeof(big) - sent);
    close(fd);
    turn(w);
    while (!s->closed) {
        uint32_t r = peer_takes(s, got, sizeof(got));

        assert_true(r > 0);
        n += r;
        tell(w, s, SOCK_READY_WRITE);
        turn(w);
    }
    n += peer_takes(s, got, sizeof(got));
    assert_int_equal(n, sizeof(big));
    assert_false(s->closed_unread);
}

static void a_shutdown_on_its_behalf_comes_after_the_bytes_too(void **state)
{
    struct world *w = *state;
    struct sock *s = fake_sock(w, true);
    int fd = connected(w, s);
    char buf[16];

    assert_int_equal(write_now(fd, "last words", 10), 10);
    stream_shutdown(w->st, s, fd, SHUT_WR);
    turn(w);
    assert_int_equal(peer_takes(s, buf, sizeof(buf)), 10);
    assert_true(s->shut_wr);
    assert_int_equal(write_now(fd, "x", 1), -EPIPE);
    assert_true(stream_harmless(w->st, fd));
    assert_false(stream_was_ours(w->st, fd));
    close(fd);
}

static void a_program_that_reads_no_more_loses_what_comes(void **state)
{
    struct world *w = *state;
    struct sock *s = fake_sock(w, true);
    int fd = connected(w, s);
    char buf[4];

    shutdown(fd, SHUT_RD);
    peer_sends(s, "lost", 4);
    tell(w, s, SOCK_READY_READ);
    assert_int_equal(ring_used(&s->conn.rx), 0);
    assert_int_equal(s->conn.hidden, 0);
    assert_int_equal(write_now(fd, "kept", 4), 4);
    turn(w);
    assert_int_equal(peer_takes(s, buf, 4), 4);
    close(fd);
}

/* Every fd a client could show: nothing blocks, nothing is believed, nothing is changed. */
static void a_descriptor_that_is_not_fresh_is_refused(void **state)
{
    struct world *w = *state;
    struct sock *s = fake_sock(w, false);
    int pipe_fd[2], pair[2], tcp[2], fds[10], n = 0;
    struct sockaddr_un other = { .sun_family = AF_UNIX };
    int listening = fresh(w);

    assert_int_equal(pipe(pipe_fd), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    kernel_pair(tcp);
    assert_int_equal(listen(listening, 1), 0);
    fds[n++] = pipe_fd[0];
    fds[n++] = pipe_fd[1];
    fds[n++] = pair[0];
    fds[n++] = tcp[0];
    fds[n++] = listening;
    fds[n++] = open("/dev/null", O_RDWR);
    fds[n++] = socket(AF_UNIX, SOCK_DGRAM, 0);
    fds[n++] = socket(AF_UNIX, SOCK_STREAM, 0); /* no name */
    fds[n] = socket(AF_UNIX, SOCK_STREAM, 0);
    memcpy(other.sun_path, "\0tcpd/4/0123456789ABCDEF", 24); /* nearly our name */
    assert_int_equal(bind(fds[n++], (struct sockaddr *)&other, 2 + 24), 0);
    fds[n++] = -1;
    for (int i = 0; i < n; i++) {
        assert_int_equal(stream_fresh_family(w->st, fds[i]), 0);
        assert_null(stream_find(w->st, fds[i]));
        assert_int_equal(stream_attach(w->st, s, fds[i]), -ENOTSOCK);
        assert_int_equal(stream_last_error(w->st, fds[i]), 0);
    }
    for (int i = 0; i < n - 1; i++)
        close(fds[i]);
    close(pair[1]);
    close(tcp[1]);
}

static void a_name_of_our_shape_made_by_others_does_no_harm(void **state)
{
    struct world *w = *state;
    struct sock *s = fake_sock(w, true);
    struct sockaddr_un name = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    memcpy(name.sun_path, "\0tcpd/6/0123456789abcdef", 24);
    assert_int_equal(bind(fd, (struct sockaddr *)&name, 2 + 24), 0);
    assert_int_equal(stream_attach(w->st, s, fd), 0); /* as good as one of ours */
    close(fd);
    turn(w);
    assert_true(s->closed);
}

static void the_errno_of_many_dead_descriptors_is_kept_and_the_oldest_forgotten(void **state)
{
    static struct dead d;

    for (uint64_t i = 1; i <= DEAD_MAX + 1; i++)
        dead_put(&d, i, (int)(i % 100) + 1);
    assert_int_equal(dead_take(&d, 1), 0);
    for (uint64_t i = 2; i <= DEAD_MAX + 1; i++)
        assert_int_equal(dead_take(&d, i), (int)(i % 100) + 1);
    assert_int_equal(dead_take(&d, 2), 0);
    dead_put(&d, 7, ETIMEDOUT);
    dead_put(&d, 7, ECONNREFUSED);
    assert_int_equal(dead_take(&d, 7), ECONNREFUSED);
    dead_deinit(&d);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_fresh_descriptor_polls_as_an_unconnected_tcp_socket),
        TEST(a_fresh_descriptor_is_known_by_its_name),
        TEST(attaching_makes_it_findable_through_every_copy),
        TEST(attaching_leaves_the_descriptors_flags_alone),
        TEST(while_connecting_it_is_neither_writable_nor_readable),
        TEST(once_connected_it_is_writable_and_silent),
        TEST(a_refused_connect_is_an_error_with_its_errno_kept),
        TEST(a_reset_is_told_once_and_then_it_is_eof),
        TEST(a_timeout_is_ECONNRESET_with_its_errno_kept),
        TEST(bytes_before_a_reset_are_read_first),
        TEST(the_peers_fin_is_eof_and_rdhup_and_writing_goes_on),
        TEST(a_half_close_comes_after_the_bytes),
        TEST(when_both_sides_have_finished_it_ends_without_an_error),
        TEST(closing_with_unread_bytes_is_told),
        TEST(bytes_written_before_close_are_all_taken_first),
        TEST(a_shutdown_on_its_behalf_comes_after_the_bytes_too),
        TEST(a_program_that_reads_no_more_loses_what_comes),
        TEST(a_descriptor_that_is_not_fresh_is_refused),
        TEST(a_name_of_our_shape_made_by_others_does_no_harm),
        cmocka_unit_test(the_errno_of_many_dead_descriptors_is_kept_and_the_oldest_forgotten),
    };

    return cmocka_run_group_tests_name("stream: life of a descriptor", tests, NULL, NULL);
}
