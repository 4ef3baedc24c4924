/* SPDX-License-Identifier: BSD-2-Clause */
#include "world.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

usec_t world_now(void)
{
    struct timespec ts;

    assert_int_equal(clock_gettime(CLOCK_BOOTTIME, &ts), 0);
    return (usec_t)ts.tv_sec * USEC_PER_SEC + (usec_t)ts.tv_nsec / 1000;
}

void world_enter(int ns)
{
    assert_int_equal(setns(ns, CLONE_NEWNET), 0);
}

static int shell(int ns, const char *format, va_list ap)
{
    int back = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), status;
    char command[1024];

    assert_true(back >= 0);
    (void)vsnprintf(command, sizeof(command), format, ap);
    world_enter(ns);
    status = system(command);
    world_enter(back);
    (void)close(back);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int world_sh_status(int ns, const char *format, ...)
{
    va_list ap;
    int r;

    va_start(ap, format);
    r = shell(ns, format, ap);
    va_end(ap);
    return r;
}

void world_sh(int ns, const char *format, ...)
{
    va_list ap;
    int r;

    va_start(ap, format);
    r = shell(ns, format, ap);
    va_end(ap);
    if (r)
        fail_msg("\"%s\" ended with %d", format, r);
}

static int new_namespace(void)
{
    int fd;

    assert_int_equal(unshare(CLONE_NEWNET), 0);
    fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static void on_packet(void *ctx, const struct packet *pkt, usec_t now)
{
    struct world *w = ctx;

    if (w->packets == WORLD_PACKETS)
        return;
    w->in[w->packets].pkt = *pkt;
    w->in[w->packets].verdict = tcp_header_parse(pkt, &w->in[w->packets].seg);
    w->packets++;
}

static void on_icmp(void *ctx, const struct icmp_error *err, usec_t now)
{
    struct world *w = ctx;

    w->icmp = *err;
    w->icmps++;
}

static void on_routes(void *ctx, usec_t now)
{
    ((struct world *)ctx)->route_changes++;
}

void world_netio(struct world *w, const struct netio_init *like)
{
    struct netio_init init = like ? *like : (struct netio_init){ .claim_pool = 4 };

    if (w->n) {
        netio_close_claims(w->n);
        w->n = netio_free(w->n);
    }
    init.fds = w->fds;
    init.handler = (struct netio_handler){ w, on_packet, on_icmp, on_routes };
    assert_int_equal(netio_new(&init, &w->n), 0);
    world_pump_routes(w, 10);
    w->packets = w->icmps = w->route_changes = w->unsent = 0;
}

int world_setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    assert_non_null(w);
    w->home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    w->there = new_namespace();
    w->here = new_namespace();
    world_sh(w->here,
             "sysctl -q -w net.ipv6.conf.default.accept_dad=0 && "
             "ip link set lo up && ip link add va type veth peer name vb && "
             "ip link set vb netns /proc/%d/fd/%d",
             getpid(), w->there);
    world_sh(w->there,
             "ip link set lo up && ip addr add %s/24 dev vb && "
             "ip addr add %s/64 dev vb nodad && ip link set vb up",
             THERE4, THERE6);
    world_sh(w->here,
             "ip addr add %s/24 dev va && ip addr add %s/64 dev va nodad && "
             "ip link set va up",
             HERE4, HERE6);
    /* Until the link is up there are no IPv6 routes. */
    for (int i = 0; i < 100 && world_sh_status(w->here,
                                               "ip -6 route get %s from %s "
                                               ">/dev/null 2>&1",
                                               THERE6, HERE6);
         i++)
        (void)poll(NULL, 0, 20);
    assert_int_equal(netio_open_privileged(&w->fds), 0);
    world_netio(w, NULL);
    *state = w;
    return 0;
}

int world_teardown(void **state)
{
    struct world *w = *state;
    const int fds[] = { w->fds.raw4_in,   w->fds.raw6_in,  w->fds.raw4_out,     w->fds.raw6_out,
                        w->fds.icmp4,     w->fds.icmp6,    w->fds.packet_out,   w->fds.route,
                        w->fds.conntrack, w->fds.port_map, w->fds.route_events, w->fds.drop_prog,
                        w->here,          w->there };

    netio_close_claims(w->n);
    w->n = netio_free(w->n);
    world_enter(w->home);
    for (unsigned i = 0; i < ARRAY_LEN(fds); i++) {
        if (fds[i] >= 0)
            (void)close(fds[i]);
    }
    (void)close(w->home);
    free(w);
    return 0;
}

void world_pump(struct world *w, unsigned packets, int msec)
{
    usec_t end = world_now() + usec_from_msec((uint64_t)msec);
    unsigned want = w->packets + packets;
    struct netio_watch watch;

    netio_watch(w->n, &watch);
    while (world_now() < end && (!packets || w->packets < want)) {
        struct pollfd p[4];

        for (int i = 0; i < 4; i++)
            p[i] = (struct pollfd){ .fd = watch.input[i], .events = POLLIN };
        (void)poll(p, 4, 10);
        while (netio_input(w->n, NETIO_ALL, 64, world_now()))
            ;
    }
}

void world_pump_routes(struct world *w, int msec)
{
    struct pollfd p = { .fd = w->fds.route_events, .events = POLLIN };

    do
        netio_route_input(w->n, world_now());
    while (poll(&p, 1, msec) > 0);
}

static void on_unsent(void *ctx, const struct packet *pkt, int error)
{
    struct world *w = ctx;

    w->unsent++;
    w->unsent_error = error;
    w->unsent_pkt = *pkt;
}

bool world_flush(struct world *w)
{
    return netio_flush(w->n, on_unsent, w);
}

struct ip_addr world_addr(const char *text)
{
    uint8_t b[16];

    if (inet_pton(AF_INET, text, b) == 1)
        return ip_addr_v4(b);
    assert_int_equal(inet_pton(AF_INET6, text, b), 1);
    return ip_addr_v6(b);
}

uint32_t world_ifindex(const char *name)
{
    return if_nametoindex(name);
}

struct packet world_packet(const char *src, const char *dst, const struct segment *seg,
                           const void *payload, uint32_t len)
{
    struct packet pkt = {
        .src = world_addr(src),
        .dst = world_addr(dst),
        .ttl = 64,
        .payload_len = len,
        .iov_count = payload ? 1 : 0,
        .iov = { { (void *)(uintptr_t)payload, len } },
        .seq = seg->seq,
        .seq_len = len + !!(seg->flags & TCP_SYN) + !!(seg->flags & TCP_FIN),
        .conn_id = 1,
    };

    pkt.hdr_len = tcp_header_build(seg, pkt.hdr);
    return pkt;
}

static socklen_t sockaddr_of(const char *addr, uint16_t port, struct sockaddr_storage *ret)
{
    struct sockaddr_in *in = (struct sockaddr_in *)ret;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;

    memset(ret, 0, sizeof(*ret));
    if (inet_pton(AF_INET, addr, &in->sin_addr) == 1) {
        in->sin_family = AF_INET;
        in->sin_port = htons(port);
        return sizeof(*in);
    }
    assert_int_equal(inet_pton(AF_INET6, addr, &in6->sin6_addr), 1);
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(port);
    return sizeof(*in6);
}

int world_listen(int ns, int family, uint16_t port, int reuse)
{
    int back = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    struct sockaddr_storage a;
    socklen_t len = sockaddr_of(family == AF_INET ? "0.0.0.0" : "::", port, &a);
    int fd, saved;

    world_enter(ns);
    fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof(reuse));
    if (bind(fd, (struct sockaddr *)&a, len) || listen(fd, 8)) {
        saved = -errno;
        (void)close(fd);
        fd = saved;
    }
    world_enter(back);
    (void)close(back);
    return fd;
}

int world_connect(int ns, const char *addr, uint16_t port)
{
    int back = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    struct sockaddr_storage a;
    socklen_t len = sockaddr_of(addr, port, &a);
    int fd, r;

    world_enter(ns);
    fd = socket(a.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0);
    r = connect(fd, (struct sockaddr *)&a, len);
    if (r)
        assert_int_equal(errno, EINPROGRESS);
    world_enter(back);
    (void)close(back);
    return fd;
}

struct seq world_open(struct world *w, const char *from, const char *to, uint16_t sport,
                      uint16_t dport)
{
    struct segment syn = {
        .sport = sport,
        .dport = dport,
        .seq = seq_of(WORLD_ISS),
        .flags = TCP_SYN,
        .wnd = 65535,
        .opt = { .has_mss = true, .mss = 1460 },
    };
    struct segment ack = { .sport = sport, .dport = dport, .flags = TCP_ACK, .wnd = 65535 };
    struct packet pkt = world_packet(from, to, &syn, NULL, 0);

    w->packets = 0;
    assert_int_equal(netio_send(w->n, &pkt), 0);
    world_flush(w);
    assert_int_equal(w->unsent, 0);
    world_pump(w, 1, 1000);
    assert_int_equal(w->packets, 1);
    assert_int_equal(w->in[0].verdict, TCP_PARSE_OK);
    assert_int_equal(w->in[0].seg.flags & (TCP_SYN | TCP_ACK | TCP_RST), TCP_SYN | TCP_ACK);
    assert_int_equal(w->in[0].seg.ack.v, WORLD_ISS + 1);
    assert_true(ip_addr_eq(&w->in[0].pkt.src, &pkt.dst));
    assert_true(ip_addr_eq(&w->in[0].pkt.dst, &pkt.src));

    ack.seq = seq_of(WORLD_ISS + 1);
    ack.ack = seq_add(w->in[0].seg.seq, 1);
    pkt = world_packet(from, to, &ack, NULL, 0);
    pkt.flags = PACKET_PROGRESS;
    assert_int_equal(netio_send(w->n, &pkt), 0);
    world_flush(w);
    assert_int_equal(w->unsent, 0);
    return ack.ack;
}
