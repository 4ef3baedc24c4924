/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Urgent bytes through a descriptor: what is MSG_OOB for the program is a mark in the
 * stream for the engine, both ways. The last tests say where AF_UNIX differs from TCP.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
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

static void sends(int fd, const char *text, int flags)
{
    assert_int_equal(send(fd, text, strlen(text), flags), strlen(text));
}

/* One read of the program gives exactly this. */
static void reads(int fd, const char *text)
{
    char buf[100] = { 0 };

    assert_int_equal(recv(fd, buf, sizeof(buf) - 1, MSG_DONTWAIT), strlen(text));
    assert_string_equal(buf, text);
}

static void reads_nothing(int fd, int flags, int error)
{
    char c;

    assert_int_equal(recv(fd, &c, 1, MSG_DONTWAIT | flags), -1);
    assert_int_equal(errno, error);
}

static int at_mark(int fd)
{
    int mark = -1;

    assert_int_equal(ioctl(fd, SIOCATMARK, &mark), 0);
    return mark;
}

static void peer_says(struct sock *s, const char *text)
{
    assert_int_equal(peer_sends(s, text, (uint32_t)strlen(text)), strlen(text));
}

/* The engine got this, and the byte before @mark is the urgent one; 0: none is. */
static void engine_has(struct sock *s, const char *text, uint64_t mark)
{
    char buf[100] = { 0 };

    assert_int_equal(peer_takes(s, buf, sizeof(buf) - 1), strlen(text));
    assert_string_equal(buf, text);
    assert_int_equal(s->conn.tx_urgent, mark);
}

/* ---- from the program ------------------------------------------------------------- */

static void the_last_byte_of_an_urgent_send_is_the_mark(void **state)
{
    struct world *w = *state;
    struct sock *s = fake_sock(w, true);
    int fd = connected(w, s);

    sends(fd, "abc", 0);
    sends(fd, "dU", MSG_OOB);
    sends(fd, "ef", 0);
    turn(w);
    engine_has(s, "abcdUef", 5);
    assert_int_equal(s->conn.tx_marks, 1);
    close(fd);
}

static void an_urgent_byte_alone_is_taken_at_once(void **state)
{
    struct world *w = *state;
    struct sock *s = fake_sock(w, true);
    int fd = connected(w, s);

    sends(fd, "U", MSG_OOB);
    turn(w);
    engine_has(s, "U", 1);
    /* It is the byte that stays unread in our end: a mark all the same, and told once. */
    sends(fd, "a", 0);
    turn(w);
    sends(fd, "bc", 0);
    turn(w);
    engine_has(s, "abc", 1);
    assert_int_equal(s->conn.tx_marks, 1);
    close(fd);
}

static void each_urgent_byte_moves_the_mark(void **state)
{
    struct world *w = *state;
    struct sock *s = fake_sock(w, true);
    int fd = connected(w, s);

    for (unsigned i = 1; i <= 20; i++) {
        sends(fd, "U", MSG_OOB);
        turn(w);
        assert_int_equal(s->conn.tx_urgent, i);
        assert_int_equal(s->conn.tx_marks, i);
    }
    engine_has(s, "UUUUUUUUUUUUUUUUUUUU", 20);
    close(fd);
}

/* As in TCP: what was urgent before is ordinary now. */
static void of_two_urgent_bytes_the_later_is_the_mark(void **state)
{
    struct world *w = *state;
    struct sock *s = fake_sock(w, true);
    int fd = connected(w, s);

    sends(fd, "aU", MSG_OOB);
    sends(fd, "bV", MSG_OOB);
    turn(w);
    engine_has(s, "aUbV", 4);
    assert_int_equal(s->conn.tx_marks, 1);
    close(fd);
}

static void a_close_behind_an_urgent_byte_loses_nothing(void **state)
{
    struct world *w = *state;
    struct sock *s = fake_sock(w, true);
    int fd = connected(w, s);

    sends(fd, "abU", MSG_OOB);
    close(fd);
    turn(w);
    engine_has(s, "abU", 3);
    assert_true(s->closed);
    assert_false(s->closed_unread);
}

static void an_urgent_byte_is_the_sentinel_of_a_reset_too(void **state)
{
    struct world *w = *state;
    struct sock *s = fake_sock(w, true);
    int fd = connected(w, s);

    sends(fd, "U", MSG_OOB);
    turn(w);
    s->error = ECONNRESET;
    tell(w, s, SOCK_READY_DEAD);
    reads_nothing(fd, 0, ECONNRESET);
    close(fd);
}

/* Any mix of sizes: every byte arrives, and each mark that is told lies behind its byte. */
static void marks_in_a_long_stream_are_where_they_belong(void **state)
{
    static uint8_t buf[1 << 16];
    struct world *w = *state;
    struct sock *s = fake_sock(w, true);
    int fd = connected(w, s);
    uint64_t sent = 0, got = 0;

    for (unsigned i = 0; i < 400; i++) {
        uint32_t len = 1 + i * 7919 % 3000, n;
        bool urgent = i % 3 == 0;

        for (uint32_t k = 0; k < len; k++)
            buf[k] = (uint8_t)((sent + k) % 251);
        assert_int_equal(send(fd, buf, len, urgent ? MSG_OOB : 0), len);
        sent += len;
        turn(w);
        if (urgent)
            assert_int_equal(s->conn.tx_urgent, sent);
        n = peer_takes(s, buf, sizeof(buf));
        for (uint32_t k = 0; k < n; k++)
            assert_int_equal(buf[k], (got + k) % 251);
        got += n;
        assert_int_equal(got, sent);
    }
    close(fd);
}

/* ---- to the program ----------------------------------------------------------------- */

static void the_peers_urgent_byte_is_out_of_band(void **state)
{
    struct world *w = *state;
    struct sock *s = fake_sock(w, true);
    int fd = connected(w, s);
    char c;

    peer_says(s, "abc");
    peer_marks(s, 0);
    peer_says(s, "Udef");
    tell(w, s, SOCK_READY_READ | SOCK_READY_URGENT);
    assert_true(program_poll(fd) & POLLPRI);
    reads(fd, "abc"); /* not across the mark */
    assert_int_equal(at_mark(fd), 1);
    assert_int_equal(recv(fd, &c, 1, MSG_OOB), 1);
    assert_int_equal(c, 'U');
    reads_nothing(fd, MSG_OOB, EINVAL);
    reads(fd, "def");
    assert_int_equal(at_mark(fd), 0);
    turn(w);
    assert_int_equal(s->conn.hidden, 0);
    close(fd);
}

static void in_line_the_urgent_byte_stays_in_the_stream(void **state)
{
    struct world *w = *state;
    struct sock *s = fake_sock(w, true);
    int fd = connected(w, s), one = 1;

    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &one, sizeof(one)), 0);
    peer_says(s, "abc");
    peer_marks(s, 0);
    peer_says(s, "Udef");
    tell(w, s, SOCK_READY_READ | SOCK_READY_URGENT);
    reads(fd, "abc");
    assert_int_equal(at_mark(fd), 1);
    reads_nothing(fd, MSG_OOB, EINVAL);
    reads(fd, "Udef");
    close(fd);
}

static volatile sig_atomic_t sigurgs;

static void on_sigurg(int sig)
{
    sigurgs++;
}

static void sigurg_comes_once_for_a_mark(void **state)
{
    struct world *w = *state;
    struct sock *s = fake_sock(w, true);
    int fd = connected(w, s);

    sigurgs = 0;
    signal(SIGURG, on_sigurg);
    assert_int_equal(fcntl(fd, F_SETOWN, getpid()), 0);
    peer_marks(s, 0);
    peer_says(s, "U");
    tell(w, s, SOCK_READY_READ | SOCK_READY_URGENT);
    assert_int_equal(sigurgs, 1);
    peer_says(s, "more");
    tell(w, s, SOCK_READY_READ);
    assert_int_equal(sigurgs, 1);
    signal(SIGURG, SIG_DFL);
    close(fd);
}

static void bytes_that_do_not_fit_keep_their_mark(void **state)
{
    static uint8_t buf[1 << 19];
    struct world *w = *state;
    struct sock *s = fake_sock(w, true);
    int fd = connected(w, s);
    uint32_t got = 0;

    assert_int_equal(peer_sends(s, buf, 300000), 300000);
    peer_marks(s, 0);
    peer_says(s, "Uxyz");
    tell(w, s, SOCK_READY_READ | SOCK_READY_URGENT);
    assert_false(program_poll(fd) & POLLPRI);
    for (int i = 0; i < 1000 && !at_mark(fd); i++) {
        ssize_t n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);

        got += n > 0 ? (uint32_t)n : 0;
        turn(w);
    }
    assert_int_equal(got, 300000);
    assert_int_equal(recv(fd, buf, 1, MSG_OOB), 1);
    assert_int_equal(buf[0], 'U');
    reads(fd, "xyz");
    close(fd);
}

/* SO_OOBINLINE of a listener is that of the sockets accepted from it. */
static void what_is_accepted_is_in_line_like_its_listener(void **state)
{
    struct world *w = *state;
    struct sock *l = fake_sock(w, false), *s = fake_sock(w, true);
    struct stream_accept_msg msg;
    char control[CMSG_SPACE(sizeof(int))];
    struct iovec iov = { &msg, sizeof(msg) };
    struct msghdr hdr = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
                          .msg_controllen = sizeof(control) };
    int fd = fresh(w), got, value = 0;
    socklen_t len = sizeof(value);

    assert_int_equal(stream_attach(w->st, l, fd), 0);
    l->state = SOCK_LISTENING;
    l->oob_inline = true;
    l->queue[l->queued++] = s;
    tell(w, l, SOCK_READY_ACCEPT);
    turn(w);
    assert_int_equal(recvmsg(fd, &hdr, MSG_DONTWAIT), sizeof(msg));
    memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&hdr)), sizeof(got));
    assert_int_equal(getsockopt(got, SOL_SOCKET, SO_OOBINLINE, &value, &len), 0);
    assert_int_equal(value, 1);
    close(got);
    close(fd);
}

/* ---- what AF_UNIX cannot say, as it is ------------------------------------------------ */

/* TCP: POLLPRI and SIGURG, and EWOULDBLOCK for MSG_OOB. Here: nothing before the byte is there. */
static void a_mark_ahead_of_its_byte_is_not_announced(void **state)
{
    struct world *w = *state;
    struct sock *s = fake_sock(w, true);
    int fd = connected(w, s);
    char c;

    peer_says(s, "abc");
    peer_marks(s, 2);
    tell(w, s, SOCK_READY_READ | SOCK_READY_URGENT);
    assert_false(program_poll(fd) & POLLPRI);
    reads(fd, "abc");
    reads_nothing(fd, MSG_OOB, EINVAL);
    peer_says(s, "deU");
    tell(w, s, SOCK_READY_READ);
    assert_true(program_poll(fd) & POLLPRI);
    reads(fd, "de");
    assert_int_equal(recv(fd, &c, 1, MSG_OOB), 1);
    assert_int_equal(c, 'U');
    close(fd);
}

/* TCP still gives it by MSG_OOB. Here a read across the mark throws it away. */
static void an_urgent_byte_that_is_read_past_is_lost(void **state)
{
    struct world *w = *state;
    struct sock *s = fake_sock(w, true);
    int fd = connected(w, s);

    peer_says(s, "abc");
    peer_marks(s, 0);
    peer_says(s, "Udef");
    tell(w, s, SOCK_READY_READ | SOCK_READY_URGENT);
    reads(fd, "abc");
    reads(fd, "def");
    reads_nothing(fd, MSG_OOB, EINVAL);
    turn(w);
    assert_int_equal(s->conn.hidden, 0); /* the window counts it as read */
    close(fd);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_last_byte_of_an_urgent_send_is_the_mark),
        TEST(an_urgent_byte_alone_is_taken_at_once),
        TEST(each_urgent_byte_moves_the_mark),
        TEST(of_two_urgent_bytes_the_later_is_the_mark),
        TEST(a_close_behind_an_urgent_byte_loses_nothing),
        TEST(an_urgent_byte_is_the_sentinel_of_a_reset_too),
        TEST(marks_in_a_long_stream_are_where_they_belong),
        TEST(the_peers_urgent_byte_is_out_of_band),
        TEST(in_line_the_urgent_byte_stays_in_the_stream),
        TEST(sigurg_comes_once_for_a_mark),
        TEST(bytes_that_do_not_fit_keep_their_mark),
        TEST(what_is_accepted_is_in_line_like_its_listener),
        TEST(a_mark_ahead_of_its_byte_is_not_announced),
        TEST(an_urgent_byte_that_is_read_past_is_lost),
    };

    return cmocka_run_group_tests_name("stream: urgent bytes", tests, NULL, NULL);
}
