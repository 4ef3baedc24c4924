/* SPDX-License-Identifier: BSD-2-Clause */
/* What sockets do when all goes well. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fake.h"
#include "prog.h"

static void echoes(int fd)
{
    char buf[32] = "";

    CHECK(write(fd, "hello", 5) == 5);
    CHECK(recv(fd, buf, 5, MSG_WAITALL) == 5 && memcmp(buf, "hello", 5) == 0);
}

static void blocking_connect_and_echo(char **args)
{
    struct sockaddr_in sin;
    socklen_t len = sizeof(sin);
    int fd = prog_connect(FAKE_ECHO);

    CHECK(prog_is_ours(fd));
    CHECK(getpeername(fd, (struct sockaddr *)&sin, &len) == 0);
    CHECK(len == sizeof(sin) && sin.sin_family == AF_INET && ntohs(sin.sin_port) == FAKE_ECHO);
    CHECK(sin.sin_addr.s_addr == htonl(INADDR_LOOPBACK));
    echoes(fd);
    CHECK_FAILS(prog_try(FAKE_ECHO, &fd) == 0 ? connect(fd, (struct sockaddr *)&sin, len) : 0,
                EISCONN);
}

static void nonblocking_connect(char **args)
{
    struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(FAKE_SLOW) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    struct pollfd pfd = { .fd = fd, .events = POLLOUT };
    int error = -1;
    socklen_t len = sizeof(error);

    CHECK(fcntl(fd, F_GETFL) & O_NONBLOCK);
    CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    CHECK_FAILS(connect(fd, (struct sockaddr *)&sin, sizeof(sin)), EINPROGRESS);
    CHECK_FAILS(connect(fd, (struct sockaddr *)&sin, sizeof(sin)), EALREADY);
    CHECK(poll(&pfd, 1, 0) == 0);
    CHECK(poll(&pfd, 1, 5000) == 1 && pfd.revents == POLLOUT);
    CHECK(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error == 0);
    CHECK_FAILS(read(fd, &error, 1), EAGAIN);
    fcntl(fd, F_SETFL, 0);
    echoes(fd);
}

static void listen_and_accept(char **args)
{
    struct sockaddr_in sin, peer;
    socklen_t len = sizeof(sin);
    char small[4];
    int port, conn, again, listener = prog_listen(&port), client = prog_connect(port);
    struct pollfd pfd = { .fd = listener, .events = POLLIN };

    CHECK(poll(&pfd, 1, 5000) == 1);
    conn = accept4(listener, (struct sockaddr *)&sin, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    CHECK(conn >= 0 && len == sizeof(sin) && sin.sin_family == AF_INET);
    CHECK((fcntl(conn, F_GETFL) & O_NONBLOCK) && (fcntl(conn, F_GETFD) & FD_CLOEXEC));
    len = sizeof(peer);
    CHECK(getsockname(client, (struct sockaddr *)&peer, &len) == 0);
    CHECK(peer.sin_port == sin.sin_port);
    CHECK(write(client, "ping", 4) == 4);
    pfd.fd = conn;
    CHECK(poll(&pfd, 1, 5000) == 1 && read(conn, small, 4) == 4);

    /* a second one, blocking, its address cut */
    again = prog_connect(port);
    len = 2;
    memset(small, 'x', sizeof(small));
    conn = accept(listener, (struct sockaddr *)small, &len);
    CHECK(conn >= 0 && len == sizeof(sin) && small[2] == 'x');
    CHECK(!(fcntl(conn, F_GETFL) & O_NONBLOCK) && !(fcntl(conn, F_GETFD) & FD_CLOEXEC));
    CHECK(write(conn, "pong", 4) == 4 && read(again, small, 4) == 4);
    fcntl(listener, F_SETFL, O_NONBLOCK);
    CHECK_FAILS(accept(listener, NULL, NULL), EAGAIN);
    CHECK_FAILS(accept(conn, NULL, NULL), EINVAL);
    CHECK_FAILS(read(listener, small, 1), ENOTCONN);
    CHECK(shutdown(listener, SHUT_RDWR) == 0);
    CHECK_FAILS(accept(listener, NULL, NULL), EINVAL);
}

static void v6_listener_sees_mapped_peers(char **args)
{
    struct sockaddr_in6 any = { .sin6_family = AF_INET6 }, peer;
    socklen_t len = sizeof(any);
    int listener = socket(AF_INET6, SOCK_STREAM, 0);
    int conn;

    CHECK(bind(listener, (struct sockaddr *)&any, sizeof(any)) == 0);
    CHECK(listen(listener, 1) == 0);
    CHECK(getsockname(listener, (struct sockaddr *)&any, &len) == 0 && len == sizeof(any));
    prog_connect(ntohs(any.sin6_port));
    len = sizeof(peer);
    conn = accept(listener, (struct sockaddr *)&peer, &len);
    CHECK(conn >= 0 && len == sizeof(peer) && peer.sin6_family == AF_INET6);
    CHECK(IN6_IS_ADDR_V4MAPPED(&peer.sin6_addr));
    len = sizeof(peer);
    CHECK(getpeername(conn, (struct sockaddr *)&peer, &len) == 0);
    CHECK(IN6_IS_ADDR_V4MAPPED(&peer.sin6_addr));
}

static void options_are_tcpds_or_the_descriptors(char **args)
{
    int fd = prog_connect(FAKE_ECHO), on = 1, got = -1;
    socklen_t len = sizeof(got);
    struct timeval tv = { 0, 30000 }, tv_got = { 0 };

    CHECK(getsockopt(fd, SOL_SOCKET, SO_TYPE, &got, &len) == 0 && got == SOCK_STREAM);
    CHECK(getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &got, &len) == 0 && got == AF_INET);
    CHECK(getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &got, &len) == 0 && got == IPPROTO_TCP);
    CHECK(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0);
    CHECK(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &got, &len) == 0 && got == 1);
    CHECK_FAILS(getsockopt(fd, IPPROTO_TCP, 0x1234, &got, &len), ENOPROTOOPT);
    len = 2;
    got = 0;
    CHECK(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &got, &len) == 0 && len == 2);
    CHECK(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) == 0);
    len = sizeof(tv_got);
    CHECK(getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv_got, &len) == 0 && tv_got.tv_usec > 0);
    CHECK_FAILS(read(fd, &got, 1), EAGAIN);
    CHECK(ioctl(fd, SIOCOUTQ, &got) == 0 && got == 22);
    CHECK(ioctl(fd, SIOCOUTQNSD, &got) == 0 && got == 11);
    CHECK(ioctl(fd, FIONREAD, &got) == 0 && got == 0);
    CHECK_FAILS(ioctl(prog_listen(&on), FIONREAD, &got), EINVAL);
}

static void interface_ioctls_work_on_a_tcp_socket(char **args)
{
    struct ifreq ifr = { .ifr_name = "lo" };
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    CHECK(ioctl(fd, SIOCGIFINDEX, &ifr) == 0 && ifr.ifr_ifindex > 0);
    /* no address while lo is down: then this errno, and never ENOTTY */
    CHECK(ioctl(fd, SIOCGIFADDR, &ifr) == 0 || errno == EADDRNOTAVAIL);
}

static void every_data_call_carries_bytes(char **args)
{
    int fd = prog_connect(FAKE_ECHO), file[2];
    char a[8] = "", b[8] = "";
    struct iovec iov[2] = { { a, 2 }, { b, 2 } };
    struct sockaddr_in other = { .sin_family = AF_INET }, from;
    socklen_t from_len = sizeof(from);
    struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2, .msg_name = &from,
                          .msg_namelen = sizeof(from) };
    struct mmsghdr many[2] = { { .msg_hdr = { .msg_iov = iov, .msg_iovlen = 1 } },
                               { .msg_hdr = { .msg_iov = iov + 1, .msg_iovlen = 1 } } };
    FILE *tmp = tmpfile();

    /* an address that goes with the data is not looked at, nor given back */
    CHECK(sendto(fd, "1234", 4, 0, (struct sockaddr *)&other, sizeof(other)) == 4);
    CHECK(recvfrom(fd, a, 4, MSG_WAITALL, (struct sockaddr *)&from, &from_len) == 4);
    CHECK(from_len == 0 && memcmp(a, "1234", 4) == 0);
    CHECK(writev(fd, (struct iovec[]){ { a, 2 }, { a + 2, 2 } }, 2) == 4);
    CHECK(recvmsg(fd, &msg, MSG_WAITALL) == 4 && msg.msg_namelen == 0);
    CHECK(memcmp(a, "12", 2) == 0 && memcmp(b, "34", 2) == 0);
    CHECK(sendmmsg(fd, many, 2, 0) == 2 && many[1].msg_len == 2);
    CHECK(recv(fd, a, 4, MSG_WAITALL) == 4 && memcmp(a, "1234", 4) == 0);
    CHECK(send(fd, "56", 2, 0) == 2 && recv(fd, a, 2, MSG_PEEK | MSG_WAITALL) == 2);
    CHECK(readv(fd, iov, 1) == 2 && memcmp(a, "56", 2) == 0);
    fputs("file", tmp);
    fflush(tmp);
    file[0] = fileno(tmp);
    CHECK(sendfile(fd, file[0], &(off_t){ 0 }, 4) == 4);
    CHECK(recv(fd, b, 4, MSG_WAITALL) == 4 && memcmp(b, "file", 4) == 0);
    /* nothing waits in the error queue, whatever waits in the other */
    CHECK(send(fd, "z", 1, 0) == 1 && recv(fd, a, 1, MSG_PEEK) == 1);
    CHECK_FAILS(recv(fd, a, 1, MSG_ERRQUEUE), EAGAIN);
    CHECK_FAILS(recvmsg(fd, &msg, MSG_ERRQUEUE), EAGAIN);
    CHECK(read(fd, a, 1) == 1);
    /* MSG_TRUNC throws away */
    CHECK(send(fd, "abcdef", 6, 0) == 6);
    CHECK(recv(fd, a, 6, MSG_PEEK | MSG_WAITALL) == 6);
    CHECK(recv(fd, NULL, 4, MSG_TRUNC) == 4);
    CHECK(recv(fd, a, 2, 0) == 2 && memcmp(a, "ef", 2) == 0);
}

static void half_close_and_orderly_end(char **args)
{
    int fd = prog_connect(FAKE_ECHO), ending = prog_connect(FAKE_ENDS);
    char c;

    CHECK(write(fd, "x", 1) == 1 && shutdown(fd, SHUT_WR) == 0);
    CHECK(read(fd, &c, 1) == 1 && c == 'x');
    CHECK(read(fd, &c, 1) == 0);
    CHECK(read(ending, &c, 1) == 0);
    CHECK(write(ending, "y", 1) == 1);
}

static void other_sockets_pass_untouched(char **args)
{
    struct sockaddr_in sin = { .sin_family = AF_INET };
    int udp = socket(AF_INET, SOCK_DGRAM, 0), local = socket(AF_UNIX, SOCK_STREAM, 0);
    int pair[2], got;
    socklen_t len = sizeof(got);
    char c;

    CHECK(udp >= 0 && local >= 0 && !prog_is_ours(udp) && !prog_is_ours(local));
    CHECK(bind(udp, (struct sockaddr *)&sin, sizeof(sin)) == 0);
    CHECK(getsockopt(udp, SOL_SOCKET, SO_TYPE, &got, &len) == 0 && got == SOCK_DGRAM);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    CHECK(write(pair[0], "x", 1) == 1 && read(pair[1], &c, 1) == 1);
    CHECK(close(pair[1]) == 0);
    signal(SIGPIPE, SIG_IGN);
    CHECK_FAILS(write(pair[0], "x", 1), EPIPE);
    CHECK_FAILS(socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP), EPROTONOSUPPORT);
    CHECK_FAILS(write(-1, "x", 1), EBADF);
    CHECK_FAILS(connect(-1, (struct sockaddr *)&sin, sizeof(sin)), EBADF);
    CHECK_FAILS(listen(0x7ffffff, 1), EBADF);
}

static void bad_addresses_have_the_kernels_errors(char **args)
{
    struct sockaddr_in sin = { .sin_family = AF_INET };
    struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6 };
    int four = socket(AF_INET, SOCK_STREAM, 0), six = socket(AF_INET6, SOCK_STREAM, 0);

    CHECK_FAILS(bind(four, (struct sockaddr *)&sin, 3), EINVAL);
    CHECK_FAILS(bind(four, (struct sockaddr *)&sin6, sizeof(sin6)), EAFNOSUPPORT);
    CHECK_FAILS(connect(six, (struct sockaddr *)&sin, sizeof(sin)), EINVAL);
    CHECK_FAILS(connect(four, NULL, 0), EFAULT);
    sin.sin_family = AF_UNSPEC;
    CHECK(bind(four, (struct sockaddr *)&sin, sizeof(sin)) == 0);
}

static void *asks_and_talks(void *arg)
{
    int i, got;
    socklen_t len = sizeof(got);

    for (i = 1; i <= 20; i++) {
        int fd = prog_connect(FAKE_ECHO);

        CHECK(setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &i, sizeof(i)) == 0);
        CHECK(getsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &got, &len) == 0 && got == i);
        echoes(fd);
        CHECK(close(fd) == 0);
    }
    return NULL;
}

static void threads_share_one_session(char **args)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0), got = 0;
    socklen_t len = sizeof(got);
    pthread_attr_t attr;
    pthread_t t[8];
    int i;

    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 32768);
    for (i = 0; i < 8; i++)
        CHECK(pthread_create(&t[i], &attr, asks_and_talks, NULL) == 0);
    for (i = 0; i < 8; i++)
        pthread_join(t[i], NULL);
    CHECK(getsockopt(fd, FAKE_LEVEL, FAKE_SESSIONS, &got, &len) == 0 && got == 1);
}

static int64_t ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void linger_makes_close_wait(char **args)
{
    struct linger on = { 1, 5 };
    int fd = prog_connect(FAKE_ECHO), plain = prog_connect(FAKE_ECHO);
    int64_t start;

    CHECK(setsockopt(fd, SOL_SOCKET, SO_LINGER, &on, sizeof(on)) == 0);
    start = ms();
    CHECK(close(plain) == 0 && ms() - start < 150);
    start = ms();
    CHECK(close(fd) == 0 && ms() - start >= 150 && ms() - start < 4000);
}

const struct prog progs_net[] = {
    { "blocking_connect_and_echo", blocking_connect_and_echo },
    { "nonblocking_connect", nonblocking_connect },
    { "listen_and_accept", listen_and_accept },
    { "v6_listener_sees_mapped_peers", v6_listener_sees_mapped_peers },
    { "options_are_tcpds_or_the_descriptors", options_are_tcpds_or_the_descriptors },
    { "interface_ioctls_work_on_a_tcp_socket", interface_ioctls_work_on_a_tcp_socket },
    { "every_data_call_carries_bytes", every_data_call_carries_bytes },
    { "half_close_and_orderly_end", half_close_and_orderly_end },
    { "other_sockets_pass_untouched", other_sockets_pass_untouched },
    { "bad_addresses_have_the_kernels_errors", bad_addresses_have_the_kernels_errors },
    { "threads_share_one_session", threads_share_one_session },
    { "linger_makes_close_wait", linger_makes_close_wait },
    { NULL, NULL },
};
