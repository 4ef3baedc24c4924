/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * load: the two ends of the benchmark. An ordinary sockets program: run under tcprun
 * or as it is.
 *
 *   load serve PORT                      serve one connection after the other
 *   load send|receive HOST PORT SECONDS  bulk; prints bits per second
 *   load ask HOST PORT SECONDS           request/response; prints per second, p50, p99 usec
 *   load call HOST PORT SECONDS          connect, request, close; prints per second
 *
 * The first byte of a connection says what it is for. LOAD_CC in the environment names the
 * congestion control to ask for.
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BLOCK   (256u << 10)
#define MESSAGE 64u
#define ROUNDS_MAX 10000000u

static char block[BLOCK];

static void die(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void write_all(int fd, const char *p, size_t n)
{
    while (n) {
        ssize_t r = write(fd, p, n);

        if (r < 0)
            die("write");
        p += r;
        n -= (size_t)r;
    }
}

/* 0 at the end of the stream, else 1. */
static int read_all(int fd, char *p, size_t n)
{
    while (n) {
        ssize_t r = read(fd, p, n);

        if (r < 0)
            die("read");
        if (r == 0)
            return 0;
        p += r;
        n -= (size_t)r;
    }
    return 1;
}

static int stream_socket(int family)
{
    const char *cc = getenv("LOAD_CC");
    int fd = socket(family, SOCK_STREAM, 0);

    if (fd < 0)
        die("socket");
    if (cc && setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, cc, (socklen_t)strlen(cc)) < 0)
        die(cc);
    return fd;
}

/* ---- the server ------------------------------------------------------------------- */

static void take(int fd)
{
    uint64_t total = 0;
    ssize_t r;

    while ((r = read(fd, block, sizeof(block))) > 0)
        total += (uint64_t)r;
    write_all(fd, (const char *)&total, sizeof(total));
}

static void give(int fd)
{
    while (send(fd, block, sizeof(block), MSG_NOSIGNAL) > 0)
        ;
}

static void answer(int fd)
{
    char message[MESSAGE];

    while (read_all(fd, message, sizeof(message)))
        write_all(fd, message, sizeof(message));
}

static void serve_one(int fd)
{
    const int one = 1;
    char what;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (read(fd, &what, 1) != 1)
        return;
    if (what == 's')
        take(fd);
    else if (what == 'r')
        give(fd);
    else
        answer(fd);
}

static void serve(const char *port)
{
    struct sockaddr_in6 any = { .sin6_family = AF_INET6 };
    const int one = 1;
    int l = stream_socket(AF_INET6);

    any.sin6_port = htons((uint16_t)atoi(port));
    setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(l, (struct sockaddr *)&any, sizeof(any)) < 0 || listen(l, 128) < 0)
        die("listen");
    puts("ready");
    fflush(stdout);
    for (;;) {
        int fd = accept(l, NULL, NULL);

        if (fd < 0)
            die("accept");
        serve_one(fd);
        close(fd);
    }
}

/* ---- the client --------------------------------------------------------------------- */

static int connect_to(const char *host, const char *port)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST }, *a;
    const int one = 1;
    int fd;

    if (getaddrinfo(host, port, &hints, &a))
        die(host);
    fd = stream_socket(a->ai_family);
    if (connect(fd, a->ai_addr, a->ai_addrlen) < 0)
        die("connect");
    freeaddrinfo(a);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return fd;
}

static void bulk_send(const char *host, const char *port, double seconds)
{
    int fd = connect_to(host, port);
    double start = now();
    uint64_t took = 0;

    write_all(fd, "s", 1);
    while (now() - start < seconds)
        write_all(fd, block, sizeof(block));
    shutdown(fd, SHUT_WR);
    if (!read_all(fd, (char *)&took, sizeof(took)))
        die("the server's count");
    printf("%.0f\n", (double)took * 8 / (now() - start));
}

static void bulk_receive(const char *host, const char *port, double seconds)
{
    int fd = connect_to(host, port);
    double start = now();
    uint64_t took = 0;

    write_all(fd, "r", 1);
    while (now() - start < seconds) {
        ssize_t r = read(fd, block, sizeof(block));

        if (r <= 0)
            die("read");
        took += (uint64_t)r;
    }
    printf("%.0f\n", (double)took * 8 / (now() - start));
}

static int compare(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

static void ask(const char *host, const char *port, double seconds)
{
    float *usec = malloc(ROUNDS_MAX * sizeof(*usec));
    int fd = connect_to(host, port);
    double start = now(), last = start, t;
    char message[MESSAGE] = "";
    size_t n = 0;

    if (!usec)
        die("memory");
    write_all(fd, "a", 1);
    do {
        write_all(fd, message, sizeof(message));
        if (!read_all(fd, message, sizeof(message)))
            die("the end came too early");
        t = now();
        usec[n++] = (float)((t - last) * 1e6);
        last = t;
    } while (t - start < seconds && n < ROUNDS_MAX);
    qsort(usec, n, sizeof(*usec), compare);
    printf("%.0f %.1f %.1f\n", (double)n / (t - start), usec[n / 2], usec[n * 99 / 100]);
}

static void call(const char *host, const char *port, double seconds)
{
    double start = now();
    unsigned n = 0;

    while (now() - start < seconds) {
        char message[MESSAGE] = "";
        int fd = connect_to(host, port);

        write_all(fd, "a", 1);
        write_all(fd, message, sizeof(message));
        if (!read_all(fd, message, sizeof(message)))
            die("the end came too early");
        close(fd);
        n++;
    }
    printf("%.1f\n", n / (now() - start));
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    if (argc == 3 && strcmp(argv[1], "serve") == 0)
        serve(argv[2]);
    if (argc == 5) {
        void (*run)(const char *, const char *, double) =
            strcmp(argv[1], "send") == 0      ? bulk_send
            : strcmp(argv[1], "receive") == 0 ? bulk_receive
            : strcmp(argv[1], "ask") == 0     ? ask
            : strcmp(argv[1], "call") == 0    ? call
                                              : NULL;

        if (run) {
            run(argv[2], argv[3], atof(argv[4]));
            return 0;
        }
    }
    fprintf(stderr, "Usage: load serve PORT | load send|receive|ask|call HOST PORT SECONDS\n");
    return 2;
}
