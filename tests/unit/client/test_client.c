/* SPDX-License-Identifier: BSD-2-Clause */
/* The library by its own names: the session's life, and what answers mean. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fake.h"
#include "tcpd/client.h"
#include "tcpd/tcp.h"

static char dir[] = "/tmp/tcpd-client-XXXXXX";
static char sock_path[64];
static pid_t daemon_pid;

static int setup(void **state)
{
    daemon_pid = fake_start(sock_path);
    return 0;
}

static int teardown(void **state)
{
    fake_stop(daemon_pid);
    return 0;
}

static void restart(void)
{
    fake_stop(daemon_pid);
    daemon_pid = fake_start(sock_path);
}

static int new_socket(void)
{
    int fd = tcpd_socket(AF_INET, SOCK_STREAM, 0);

    assert_true(fd >= 0);
    return fd;
}

static int ask(int fd, int what, int *ret)
{
    socklen_t len = sizeof(*ret);

    return tcpd_getsockopt(fd, FAKE_LEVEL, what, ret, &len);
}

static struct sockaddr_in local(int port)
{
    return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
}

#define assert_fails(call, err)                                                                    \
    do {                                                                                           \
        errno = 0;                                                                                 \
        assert_true((call) < 0);                                                                   \
        assert_int_equal(errno, err);                                                              \
    } while (0)

static void requests_carry_our_credentials(void **state)
{
    uint32_t who[3] = { 0 };
    socklen_t len = sizeof(who);
    int fd = new_socket(), status;
    pid_t pid;

    assert_int_equal(tcpd_getsockopt(fd, FAKE_LEVEL, FAKE_WHO, who, &len), 0);
    assert_int_equal(who[0], getpid());
    assert_int_equal(who[1], geteuid());
    assert_int_equal(who[2], getegid());
    /* the identity of each request, not of the moment when the session was made */
    if (geteuid() == 0) {
        pid = fork();
        if (pid == 0) {
            tcpd_getsockopt(fd, FAKE_LEVEL, FAKE_WHO, who, &len);
            if (setegid(65534) || seteuid(65534) ||
                tcpd_getsockopt(fd, FAKE_LEVEL, FAKE_WHO, who, &len))
                _exit(1);
            _exit(who[0] == (uint32_t)getpid() && who[1] == 65534 && who[2] == 65534 ? 0 : 2);
        }
        waitpid(pid, &status, 0);
        assert_int_equal(status, 0);
    }
    assert_int_equal(tcpd_close(fd), 0);
}

static void restarted_daemon_is_found_again(void **state)
{
    int fd = new_socket(), port_fd = new_socket();
    struct sockaddr_in sin = local(FAKE_ECHO), peer;
    socklen_t len = sizeof(peer);
    char c;

    assert_int_equal(tcpd_connect(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
    assert_int_equal(tcpd_write(fd, "x", 1), 1);
    assert_int_equal(tcpd_read(fd, &c, 1), 1);
    restart();
    /* the connection went with the daemon; whoever holds it is told */
    assert_fails(tcpd_read(fd, &c, 1), ECONNRESET);
    assert_fails(tcpd_getpeername(fd, (struct sockaddr *)&peer, &len), ENOTCONN);
    assert_fails(tcpd_setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &len, sizeof(len)), EINVAL);
    assert_fails(tcpd_attach(fd), ENOTSOCK);
    assert_int_equal(tcpd_connect(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
    assert_int_equal(tcpd_write(fd, "x", 1), 1);
    assert_int_equal(tcpd_read(fd, &c, 1), 1);
    /* a fresh one is as good as ever: nothing was kept of it */
    assert_int_equal(tcpd_connect(port_fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
    tcpd_close(fd);
    tcpd_close(port_fd);
}

static void stopped_daemon_is_a_clean_error(void **state)
{
    int fd = new_socket(), connected = new_socket();
    struct sockaddr_in sin = local(FAKE_ECHO);
    socklen_t len = sizeof(sin);
    int saved, null;
    char c;

    assert_int_equal(tcpd_connect(connected, (struct sockaddr *)&sin, sizeof(sin)), 0);
    fake_stop(daemon_pid);
    saved = dup(2);
    null = open("/dev/null", O_WRONLY);
    dup2(null, 2); /* the one line for a person */
    assert_fails(tcpd_socket(AF_INET, SOCK_STREAM, 0), ENETDOWN);
    dup2(saved, 2);
    close(saved);
    close(null);
    assert_fails(tcpd_bind(fd, (struct sockaddr *)&sin, len), ENETDOWN);
    assert_fails(tcpd_getsockname(fd, (struct sockaddr *)&sin, &len), ENETDOWN);
    assert_fails(tcpd_attach(fd), ENETDOWN);
    assert_fails(tcpd_shutdown(connected, SHUT_WR), ENOTCONN);
    assert_fails(tcpd_recv(connected, &c, 1, 0), ECONNRESET);
    assert_fails(tcpd_send(connected, &c, 1, MSG_NOSIGNAL), EPIPE);
    tcpd_close(fd);
    tcpd_close(connected);
    daemon_pid = fake_start(sock_path);
    tcpd_close(new_socket());
}

static void lost_answer_is_asked_for_again(void **state)
{
    int fd = new_socket(), got = 0;

    assert_int_equal(ask(fd, FAKE_HANG_UP, &got), 0);
    assert_int_equal(got, 2);
    tcpd_close(fd);
}

static void garbage_ends_the_session_not_the_call(void **state)
{
    int fd = new_socket(), got = 0;

    assert_int_equal(ask(fd, FAKE_GARBAGE, &got), 0);
    assert_int_equal(got, 2);
    tcpd_close(fd);
}

/* bind() again would say EINVAL, although it was done: better no answer than a wrong one */
static void call_that_must_not_be_repeated_is_not(void **state)
{
    int fd = new_socket();
    struct sockaddr_in sin = local(0);
    socklen_t len = sizeof(sin);

    assert_int_equal(tcpd_setsockopt(fd, FAKE_LEVEL, FAKE_LOSE_NEXT, "", 0), 0);
    assert_fails(tcpd_bind(fd, (struct sockaddr *)&sin, sizeof(sin)), ENETDOWN);
    assert_int_equal(tcpd_getsockname(fd, (struct sockaddr *)&sin, &len), 0);
    assert_true(sin.sin_port != 0);
    tcpd_close(fd);
}

static int64_t ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void *asks_late(void *fd)
{
    int got = 0;

    return (void *)(intptr_t)(ask(*(int *)fd, FAKE_LATE, &got) == 0 && got == 2);
}

/* Eight answers that come after 100 ms each: together if nobody holds the session. */
static void slow_answers_do_not_hold_others_up(void **state)
{
    int fd = new_socket(), got, i;
    int64_t start = ms();
    pthread_t t[8];
    void *ok;

    for (i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&t[i], NULL, asks_late, &fd), 0);
    assert_int_equal(ask(fd, FAKE_SESSIONS, &got), 0);
    assert_true(ms() - start < 90);
    for (i = 0; i < 8; i++) {
        pthread_join(t[i], &ok);
        assert_non_null(ok);
    }
    assert_true(ms() - start < 400);
    tcpd_close(fd);
}

static void accept_refuses_a_message_that_is_none(void **state)
{
    int fd = new_socket(), got, before, after;
    struct sockaddr_in sin = local(0);

    assert_int_equal(tcpd_bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
    assert_int_equal(tcpd_listen(fd, 1), 0);
    assert_int_equal(ask(fd, FAKE_BAD_ACCEPT, &got), 0);
    before = dup(0);
    assert_fails(tcpd_accept(fd, NULL, NULL), EINVAL);
    after = dup(0);
    assert_int_equal(after, before + 1); /* what came with it is closed */
    assert_fails(tcpd_accept4(fd, NULL, NULL, 1), EINVAL);
    close(before);
    close(after);
    tcpd_close(fd);
}

static void descriptor_speaks_for_itself(void **state)
{
    int fd = new_socket(), copy = dup(fd), pair[2], local_fd;
    struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = "\0tcpd" };

    assert_int_equal(tcpd_attach(copy), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_fails(tcpd_attach(pair[0]), ENOTSOCK);
    assert_fails(tcpd_attach(0), ENOTSOCK);
    assert_fails(tcpd_attach(-1), ENOTSOCK);
    /* names that only look alike */
    local_fd = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(un.sun_path + 1, 64, "tcpd-%d", (int)getpid());
    assert_int_equal(bind(local_fd, (struct sockaddr *)&un, sizeof(un)), 0);
    assert_fails(tcpd_attach(local_fd), ENOTSOCK);
    close(local_fd);
    tcpd_close(fd);
    assert_int_equal(tcpd_attach(copy), 0);
    tcpd_close(copy);
    close(pair[0]);
    close(pair[1]);
}

static void option_values_are_bounded(void **state)
{
    static char big[4096];
    int fd = new_socket(), got = 1;
    socklen_t len = (socklen_t)-1;

    assert_fails(tcpd_setsockopt(fd, IPPROTO_IPV6, 54, big, 4096), EINVAL);
    assert_fails(tcpd_setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, NULL, 4), EFAULT);
    assert_fails(tcpd_getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &got, &len), EINVAL);
    assert_fails(tcpd_getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &got, NULL), EFAULT);
    len = sizeof(big);
    assert_int_equal(tcpd_getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, big, &len), 0);
    assert_int_equal(len, sizeof(int));
    tcpd_close(fd);
}

static void errno_survives_success(void **state)
{
    int fd;

    errno = 77;
    fd = new_socket();
    assert_int_equal(errno, 77);
    assert_int_equal(tcpd_listen(fd, 1), 0);
    assert_int_equal(errno, 77);
    assert_int_equal(tcpd_close(fd), 0);
    assert_int_equal(errno, 77);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define ROW(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        ROW(requests_carry_our_credentials),
        ROW(restarted_daemon_is_found_again),
        ROW(stopped_daemon_is_a_clean_error),
        ROW(lost_answer_is_asked_for_again),
        ROW(garbage_ends_the_session_not_the_call),
        ROW(call_that_must_not_be_repeated_is_not),
        ROW(slow_answers_do_not_hold_others_up),
        ROW(accept_refuses_a_message_that_is_none),
        ROW(descriptor_speaks_for_itself),
        ROW(option_values_are_bounded),
        ROW(errno_survives_success),
    };
    int failed;

    /* The library took its path when it was loaded: start again with ours. */
    if (!getenv("TCPD_SOCKET") || strncmp(getenv("TCPD_SOCKET"), "/tmp/tcpd-client-", 17) != 0) {
        if (!mkdtemp(dir))
            return 1;
        snprintf(sock_path, sizeof(sock_path), "%s/sock", dir);
        setenv("TCPD_SOCKET", sock_path, 1);
        execl("/proc/self/exe", "test_client", NULL);
        return 1;
    }
    snprintf(sock_path, sizeof(sock_path), "%s", getenv("TCPD_SOCKET"));
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(sock_path);
    *strrchr(sock_path, '/') = '\0';
    rmdir(sock_path);
    return failed;
}
