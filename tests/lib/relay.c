/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * relay: a bad cable between two network devices of one namespace.
 *
 * Frames that come in by one device leave by the other. TCP frames may be lost,
 * doubled, held back behind later ones, or have one bit flipped behind the Ethernet
 * header; everything else (ARP, neighbour discovery) passes, so that a test is about
 * TCP. What happens depends on the seed and on the order of the frames alone.
 *
 * The ends have to send whole checksums and no super-frames (ethtool -K tx off tso off
 * gso off): this is a cable, not a host. Frames beyond FRAME_MAX are counted as too long.
 *
 * Prints "ready" when it forwards, and what it did, one line, on SIGTERM.
 */
#include <errno.h>
#include <getopt.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>

#define FRAME_MAX 2048
#define HELD_MAX  4096

struct frame {
    uint64_t leaves_at_usec; /* however few follow it */
    unsigned behind;         /* how many frames go first */
    int to;                  /* 0 or 1: the device it leaves by */
    size_t len;
    uint8_t data[FRAME_MAX];
};

struct counts {
    unsigned long passed, lost, doubled, held, corrupted, too_long, refused;
};

struct relay {
    int fd[2];
    double loss, dup, reorder, corrupt; /* 0 to 1 */
    unsigned depth;                     /* a held frame lets 1 to depth others go first */
    uint64_t hold_usec;                 /* but waits no longer than this */
    uint64_t random;
    struct frame *held[HELD_MAX];
    size_t n_held;
    struct counts counts;
};

static volatile sig_atomic_t ended;

static void on_term(int sig)
{
    (void)sig;
    ended = 1;
}

static void die(const char *what)
{
    fprintf(stderr, "relay: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t now_usec(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
}

/* splitmix64 */
static uint64_t draw(struct relay *r)
{
    uint64_t z = r->random += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static bool happens(struct relay *r, double chance)
{
    return (double)(draw(r) >> 11) / 9007199254740992.0 < chance;
}

static void put(struct relay *r, int to, const uint8_t *data, size_t len)
{
    if (send(r->fd[to], data, len, 0) < 0)
        r->counts.refused++; /* the device's queue is full: a lost frame like any other */
    else
        r->counts.passed++;
}

/* One frame has gone to @to: those that were held behind it come nearer. */
static void release(struct relay *r, int to, bool one_went, uint64_t now)
{
    size_t kept = 0;

    for (size_t i = 0; i < r->n_held; i++) {
        struct frame *f = r->held[i];

        if (one_went && f->to == to && f->behind > 0)
            f->behind--;
        if (f->behind == 0 || f->leaves_at_usec <= now) {
            put(r, f->to, f->data, f->len);
            free(f);
        } else {
            r->held[kept++] = f;
        }
    }
    r->n_held = kept;
}

static bool hold(struct relay *r, int to, const uint8_t *data, size_t len, uint64_t now)
{
    struct frame *f;

    if (r->n_held == HELD_MAX)
        return false;
    f = malloc(sizeof(*f));
    if (!f)
        return false;
    f->to = to;
    f->behind = 1 + (unsigned)(draw(r) % r->depth);
    f->leaves_at_usec = now + r->hold_usec;
    f->len = len;
    memcpy(f->data, data, len);
    r->held[r->n_held++] = f;
    r->counts.held++;
    return true;
}

static bool is_tcp(const uint8_t *p, size_t len)
{
    if (len < ETH_HLEN + 40u)
        return false;
    if (p[12] == 0x08 && p[13] == 0x00)
        return p[ETH_HLEN + 9] == 6;
    if (p[12] == 0x86 && p[13] == 0xdd)
        return p[ETH_HLEN + 6] == 6;
    return false;
}

static void forward(struct relay *r, int to, uint8_t *data, size_t len, uint64_t now)
{
    if (!is_tcp(data, len)) {
        put(r, to, data, len);
        return;
    }
    if (happens(r, r->loss)) {
        r->counts.lost++;
        return;
    }
    if (happens(r, r->corrupt)) {
        size_t bit = draw(r) % ((len - ETH_HLEN) * 8);

        data[ETH_HLEN + bit / 8] ^= (uint8_t)(1u << (bit % 8));
        r->counts.corrupted++;
    }
    if (happens(r, r->dup)) {
        r->counts.doubled++;
        put(r, to, data, len);
    }
    if (happens(r, r->reorder) && hold(r, to, data, len, now))
        return;
    put(r, to, data, len);
    release(r, to, true, now);
}

static int device_open(const char *name)
{
    struct sockaddr_ll ll = {
        .sll_family = AF_PACKET,
        .sll_protocol = htons(ETH_P_ALL),
        .sll_ifindex = (int)if_nametoindex(name),
    };
    struct packet_mreq all = { .mr_ifindex = ll.sll_ifindex, .mr_type = PACKET_MR_PROMISC };
    const int one = 1, size = 8 << 20;
    int fd = socket(AF_PACKET, SOCK_RAW, 0);

    if (fd < 0 || ll.sll_ifindex == 0)
        die(name);
    if (setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) < 0 ||
        setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof(all)) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0 ||
        bind(fd, (struct sockaddr *)&ll, sizeof(ll)) < 0)
        die(name);
    return fd;
}

/* At most a few, so that both sides have their turn. */
static void take(struct relay *r, int from)
{
    uint8_t data[FRAME_MAX];

    for (int i = 0; i < 64; i++) {
        ssize_t n = recv(r->fd[from], data, sizeof(data), MSG_DONTWAIT | MSG_TRUNC);

        if (n < 0)
            return;
        if (n > FRAME_MAX)
            r->counts.too_long++;
        else
            forward(r, 1 - from, data, (size_t)n, now_usec());
    }
}

static double percent(const char *text)
{
    char *end;
    double v = strtod(text, &end);

    if (*end || v < 0 || v > 100) {
        fprintf(stderr, "relay: '%s' is not a percentage\n", text);
        exit(2);
    }
    return v / 100;
}

static void parse(struct relay *r, int argc, char **argv)
{
    int c;

    while ((c = getopt(argc, argv, "l:d:r:c:n:t:s:")) != -1) {
        switch (c) {
        case 'l': r->loss = percent(optarg); break;
        case 'd': r->dup = percent(optarg); break;
        case 'r': r->reorder = percent(optarg); break;
        case 'c': r->corrupt = percent(optarg); break;
        case 'n': r->depth = (unsigned)strtoul(optarg, NULL, 10); break;
        case 't': r->hold_usec = strtoull(optarg, NULL, 10); break;
        case 's': r->random = strtoull(optarg, NULL, 10); break;
        default: exit(2);
        }
    }
    if (argc - optind != 2 || r->depth == 0) {
        fprintf(stderr, "Usage: relay [-l LOSS%%] [-d DUP%%] [-r REORDER%%] [-c CORRUPT%%]\n"
                        "             [-n DEPTH] [-t HOLD_USEC] [-s SEED] DEVICE DEVICE\n");
        exit(2);
    }
}

int main(int argc, char **argv)
{
    static struct relay r = { .depth = 4, .hold_usec = 5000, .random = 1 };
    struct sigaction act = { .sa_handler = on_term };

    parse(&r, argc, argv);
    sigaction(SIGTERM, &act, NULL);
    for (int i = 0; i < 2; i++)
        r.fd[i] = device_open(argv[optind + i]);
    puts("ready");
    fflush(stdout);

    while (!ended) {
        struct pollfd p[2] = { { r.fd[0], POLLIN, 0 }, { r.fd[1], POLLIN, 0 } };

        if (poll(p, 2, r.n_held ? 1 : 1000) < 0 && errno != EINTR)
            die("poll");
        for (int i = 0; i < 2; i++)
            if (p[i].revents)
                take(&r, i);
        release(&r, 0, false, now_usec());
    }
    printf("passed %lu lost %lu doubled %lu held %lu corrupted %lu too_long %lu refused %lu\n",
           r.counts.passed, r.counts.lost, r.counts.doubled, r.counts.held, r.counts.corrupted,
           r.counts.too_long, r.counts.refused);
    return 0;
}
