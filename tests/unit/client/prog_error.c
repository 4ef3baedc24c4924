/* SPDX-License-Identifier: BSD-2-Clause */
/* What sockets do when it goes wrong: which errno, and whether SIGPIPE comes. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fake.h"
#include "prog.h"

ssize_t __read_chk(int fd, void *buf, size_t len, size_t room);
ssize_t __recv_chk(int fd, void *buf, size_t len, size_t room, int flags);
ssize_t __recvfrom_chk(int fd, void *buf, size_t len, size_t room, int flags,
                       struct sockaddr *addr, socklen_t *addr_len);

static volatile int pipes, alarms;

static void on_pipe(int sig)
{
    pipes++;
}

static void on_alarm(int sig)
{
    alarms++;
}

static void on_signal(int sig, void (*handler)(int), int flags)
{
    struct sigaction act = { .sa_handler = handler, .sa_flags = flags };

    sigaction(sig, &act, NULL);
}

static int so_error(int fd)
{
    int error = -1;
    socklen_t len = sizeof(error);

    CHECK(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0);
    return error;
}

/* A connection that the daemon has broken with ETIMEDOUT, unasked so far. */
static int broken(void)
{
    int fd = prog_connect(FAKE_TIMES_OUT);
    struct pollfd pfd = { .fd = fd };

    CHECK(poll(&pfd, 1, 5000) == 1 && (pfd.revents & POLLERR) && (pfd.revents & POLLHUP));
    return fd;
}

static void unconnected_reads_and_writes(char **args)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in sin = { .sin_family = AF_INET };
    struct pollfd pfd = { .fd = fd, .events = POLLIN | POLLOUT };
    socklen_t len = sizeof(sin);
    char c;

    on_signal(SIGPIPE, on_pipe, 0);
    CHECK(poll(&pfd, 1, 0) == 1 && pfd.revents == (POLLOUT | POLLHUP));
    CHECK_FAILS(read(fd, &c, 1), ENOTCONN);
    CHECK_FAILS(recv(fd, &c, 1, 0), ENOTCONN);
    CHECK_FAILS(__read_chk(fd, &c, 1, 1), ENOTCONN);
    CHECK_FAILS(__recv_chk(fd, &c, 1, 1, 0), ENOTCONN);
    CHECK_FAILS(__recvfrom_chk(fd, &c, 1, 1, 0, NULL, NULL), ENOTCONN);
    CHECK(pipes == 0);
    CHECK_FAILS(write(fd, "x", 1), EPIPE);
    CHECK(pipes == 1);
    CHECK_FAILS(send(fd, "x", 1, MSG_NOSIGNAL), EPIPE);
    CHECK_FAILS(sendto(fd, "x", 1, MSG_NOSIGNAL, (struct sockaddr *)&sin, len), EPIPE);
    CHECK(pipes == 1);
    CHECK_FAILS(getpeername(fd, (struct sockaddr *)&sin, &len), ENOTCONN);
    CHECK_FAILS(shutdown(fd, SHUT_RD), ENOTCONN);
    CHECK(so_error(fd) == 0);
}

static void refused_is_said_by_connect(char **args)
{
    struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(FAKE_ECHO) };
    int fd;

    CHECK_FAILS(prog_try(FAKE_REFUSED, &fd), ECONNREFUSED);
    CHECK(so_error(fd) == 0);
    CHECK_FAILS(prog_try(FAKE_UNREACHABLE, &fd), ENETUNREACH);
    /* the same descriptor may try again, elsewhere */
    CHECK_FAILS(prog_try(FAKE_REFUSED, &fd), ECONNREFUSED);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    CHECK(connect(fd, (struct sockaddr *)&sin, sizeof(sin)) == 0);
    CHECK(write(fd, "x", 1) == 1 && (fcntl(fd, F_GETFD) & FD_CLOEXEC));
}

static void refused_is_said_once_by_so_error(char **args)
{
    struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(FAKE_REFUSED) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct pollfd pfd = { .fd = fd, .events = POLLOUT };
    char c;

    CHECK_FAILS(connect(fd, (struct sockaddr *)&sin, sizeof(sin)), EINPROGRESS);
    CHECK(poll(&pfd, 1, 5000) == 1 && (pfd.revents & POLLERR));
    CHECK(so_error(fd) == ECONNREFUSED && so_error(fd) == 0);
    CHECK(read(fd, &c, 1) == 0);

    /* or by a read, or by connect() again */
    fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    pfd.fd = fd;
    CHECK_FAILS(connect(fd, (struct sockaddr *)&sin, sizeof(sin)), EINPROGRESS);
    CHECK(poll(&pfd, 1, 5000) == 1);
    CHECK_FAILS(read(fd, &c, 1), ECONNREFUSED);
    fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    pfd.fd = fd;
    CHECK_FAILS(connect(fd, (struct sockaddr *)&sin, sizeof(sin)), EINPROGRESS);
    CHECK(poll(&pfd, 1, 5000) == 1);
    CHECK_FAILS(connect(fd, (struct sockaddr *)&sin, sizeof(sin)), ECONNREFUSED);
}

static void broken_connection_read(char **args)
{
    int fd = broken();
    char c;

    CHECK_FAILS(read(fd, &c, 1), ETIMEDOUT);
    CHECK(read(fd, &c, 1) == 0);
    CHECK(so_error(fd) == 0);
}

static void broken_connection_write(char **args)
{
    struct iovec iov = { (char[]){ "x" }, 1 };
    int fd = broken();
    FILE *tmp = tmpfile();

    on_signal(SIGPIPE, on_pipe, 0);
    CHECK_FAILS(write(fd, "x", 1), ETIMEDOUT);
    CHECK(pipes == 0);
    CHECK_FAILS(write(fd, "x", 1), EPIPE);
    CHECK(pipes == 1);
    CHECK_FAILS(send(fd, "x", 1, MSG_NOSIGNAL), EPIPE);
    CHECK(pipes == 1);
    CHECK_FAILS(writev(fd, &iov, 1), EPIPE);
    CHECK(pipes == 2);
    fputs("x", tmp);
    fflush(tmp);
    CHECK_FAILS(sendfile(fd, fileno(tmp), &(off_t){ 0 }, 1), EPIPE);
    CHECK(pipes == 3);
    fd = broken();
    CHECK_FAILS(sendfile(fd, fileno(tmp), &(off_t){ 0 }, 1), ETIMEDOUT);
    CHECK(pipes == 3);
}

static void own_shutdown_makes_writes_fail(char **args)
{
    int fd = prog_connect(FAKE_SLOW);

    on_signal(SIGPIPE, on_pipe, 0);
    CHECK(shutdown(fd, SHUT_WR) == 0);
    CHECK_FAILS(write(fd, "x", 1), EPIPE);
    CHECK(pipes == 1);
    CHECK_FAILS(shutdown(fd, 7), EINVAL);
}

static void sigpipe_of_other_descriptors_stays(char **args)
{
    int p[2];

    on_signal(SIGPIPE, on_pipe, 0);
    CHECK(pipe(p) == 0 && close(p[0]) == 0);
    CHECK_FAILS(write(p[1], "x", 1), EPIPE);
    CHECK(pipes == 1);
    /* a number that was a socket a moment ago */
    close(p[1]);
    p[0] = prog_connect(FAKE_ECHO);
    fclose(fdopen(p[0], "r"));
    CHECK(pipe(p) == 0);
    CHECK(write(p[1], "x", 1) == 1 && close(p[0]) == 0);
    CHECK_FAILS(write(p[1], "x", 1), EPIPE);
    CHECK(pipes == 2);
}

static void interrupted_connect(char **args)
{
    struct itimerval soon = { .it_value = { 0, 100000 } };
    int fd;

    on_signal(SIGALRM, on_alarm, SA_RESTART);
    setitimer(ITIMER_REAL, &soon, NULL);
    CHECK(prog_try(FAKE_SLOW, &fd) == 0 && alarms == 1);
    on_signal(SIGALRM, on_alarm, 0);
    setitimer(ITIMER_REAL, &soon, NULL);
    CHECK_FAILS(prog_try(FAKE_SLOW, &fd), EINTR);
    /* it goes on meanwhile; connect() again waits for it */
    CHECK(connect(fd, (struct sockaddr *)&(struct sockaddr_in){ .sin_family = AF_INET,
                                                              .sin_port = htons(FAKE_SLOW) },
                  sizeof(struct sockaddr_in)) == 0);
}

static void send_timeout_ends_connect(char **args)
{
    struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(FAKE_SILENT) };
    struct timeval tv = { 0, 100000 };
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    CHECK(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)) == 0);
    CHECK_FAILS(connect(fd, (struct sockaddr *)&sin, sizeof(sin)), EINPROGRESS);
}

const struct prog progs_error[] = {
    { "unconnected_reads_and_writes", unconnected_reads_and_writes },
    { "refused_is_said_by_connect", refused_is_said_by_connect },
    { "refused_is_said_once_by_so_error", refused_is_said_once_by_so_error },
    { "broken_connection_read", broken_connection_read },
    { "broken_connection_write", broken_connection_write },
    { "own_shutdown_makes_writes_fail", own_shutdown_makes_writes_fail },
    { "sigpipe_of_other_descriptors_stays", sigpipe_of_other_descriptors_stays },
    { "interrupted_connect", interrupted_connect },
    { "send_timeout_ends_connect", send_timeout_ends_connect },
    { NULL, NULL },
};
