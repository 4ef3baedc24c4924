/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Super-frames against a kernel receiver, which checks every checksum by itself,
 * and in the eyes of a packet socket on the peer's device.
 */
#include "world.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wire/checksum.h"
#include "wire/ip4.h"
#include "wire/ip6.h"

#define SEGMENTS 20u
#define MSS4     1460u
#define MSS6     1440u

struct sight {
    unsigned frames, over_mss, bad_checksum, whole; /* whole: not cut before it arrived */
    uint32_t bytes;
};

static int sniffer_new(struct world *w)
{
    struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
    int fd, one = 1, big = 4 << 20;

    world_enter(w->there);
    fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, htons(ETH_P_ALL));
    assert_true(fd >= 0);
    at.sll_ifindex = (int)world_ifindex("vb");
    assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &big, sizeof(big)), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    world_enter(w->here);
    return fd;
}

static void look_at_segment(const struct virtio_net_hdr *v, const struct ip_addr *src,
                            const struct ip_addr *dst, const uint8_t *tcp, size_t len, uint32_t mss,
                            struct sight *ret)
{
    size_t hdr_len = (size_t)(tcp[12] >> 4) * 4;
    uint32_t sum = checksum_pseudo(src, dst, IPPROTO_TCP, (uint32_t)len);

    if (len == hdr_len)
        return; /* the handshake */
    ret->frames++;
    ret->bytes += (uint32_t)(len - hdr_len);
    if (v->gso_type != VIRTIO_NET_HDR_GSO_NONE) {
        ret->whole++;
        ret->over_mss += v->gso_size > mss;
    } else {
        ret->over_mss += len - hdr_len > mss;
    }
    if (v->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
        ret->bad_checksum += memcmp(tcp + 16, &(uint16_t){ checksum_fold(sum) }, 2) != 0;
    else
        ret->bad_checksum += checksum_fold(checksum_partial(sum, tcp, len)) != 0xffff;
}

/* Everything that came to the peer's device from us. */
static struct sight look(int fd, uint32_t mss)
{
    static uint8_t buf[70000];
    const struct ip_addr there4 = world_addr(THERE4), there6 = world_addr(THERE6);
    struct sight s = { 0 };
    ssize_t len;

    while ((len = recv(fd, buf, sizeof(buf), 0)) > 0) {
        const struct virtio_net_hdr *v = (const struct virtio_net_hdr *)buf;
        const uint8_t *ip = buf + sizeof(*v) + 14;
        size_t ip_len = (size_t)len - sizeof(*v) - 14;
        struct ip4_header h4;
        struct ip6_header h6;

        if (ip4_parse(ip, ip_len, &h4) == 0 && h4.proto == IPPROTO_TCP &&
            ip_addr_eq(&h4.dst, &there4))
            look_at_segment(v, &h4.src, &h4.dst, ip + h4.hdr_len, h4.total_len - h4.hdr_len, mss,
                            &s);
        else if (ip6_parse(ip, ip_len, &h6) == 0 && h6.next_header == IPPROTO_TCP &&
                 ip_addr_eq(&h6.dst, &there6))
            look_at_segment(v, &h6.src, &h6.dst, ip + IP6_HDR_LEN, h6.payload_len, mss, &s);
    }
    return s;
}

static void read_all(int fd, uint8_t *buf, size_t want)
{
    while (want) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        ssize_t len;

        assert_int_equal(poll(&p, 1, 2000), 1);
        len = recv(fd, buf, want, 0);
        assert_true(len > 0);
        buf += len;
        want -= (size_t)len;
    }
}

/* The kernel's end goes away with a reset, so that it says nothing more in the tests to come. */
static void abort_socket(int fd)
{
    struct linger now = { 1, 0 };

    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
    (void)close(fd);
}

/*
 * Opens a connection with the kernel there, sends SEGMENTS segments as one
 * super-frame with a FIN at its end, and compares what arrives.
 */
static struct sight transfer(struct world *w, const char *from, const char *to, uint32_t mss,
                             uint64_t conn_id)
{
    static uint8_t data[SEGMENTS * MSS4], got[sizeof(data)];
    uint32_t len = SEGMENTS * mss - 100;
    int sniff = sniffer_new(w), l = world_listen(w->there, AF_INET6, 7000, 1), conn;
    struct segment seg = { .dport = 7000, .flags = TCP_ACK | TCP_PSH | TCP_FIN, .wnd = 65535 };
    struct packet pkt;
    struct sight s;
    uint16_t port = 0;

    assert_true(l >= 0);
    for (uint32_t i = 0; i < len; i++)
        data[i] = (uint8_t)(i * 2654435761u >> 24);
    assert_int_equal(netio_claim(w->n, &port), 0);
    seg.sport = port;
    seg.ack = world_open(w, from, to, port, 7000);
    seg.seq = seq_of(WORLD_ISS + 1);
    conn = accept(l, NULL, NULL);
    assert_true(conn >= 0);

    pkt = world_packet(from, to, &seg, data, len);
    pkt.iov_count = 2;
    pkt.iov[0].iov_len = 12345;
    pkt.iov[1] = (struct iovec){ data + 12345, len - 12345 };
    pkt.flags = PACKET_SUPER | PACKET_PROGRESS;
    pkt.gso_size = (uint16_t)mss;
    pkt.conn_id = conn_id;
    w->packets = w->unsent = 0;
    world_pump_routes(w, 10);
    assert_int_equal(netio_send(w->n, &pkt), 0);
    world_flush(w);
    assert_int_equal(w->unsent, 0);

    read_all(conn, got, len);
    assert_memory_equal(got, data, len);
    assert_int_equal(recv(conn, got, 1, 0), 0); /* the FIN, once and at the end */
    for (int i = 0; i < 20; i++) {
        world_pump(w, 1, 100);
        if (w->packets && w->in[w->packets - 1].seg.ack.v == WORLD_ISS + 1 + len + 1)
            break;
    }
    assert_int_equal(w->in[w->packets - 1].seg.ack.v, WORLD_ISS + 1 + len + 1);

    s = look(sniff, mss);
    abort_socket(conn);
    (void)close(l);
    (void)close(sniff);
    world_pump(w, 1, 50);
    netio_close_claims(w->n);
    assert_int_equal(s.over_mss, 0);
    assert_int_equal(s.bad_checksum, 0);
    assert_int_equal(s.bytes, len);
    return s;
}

static struct netio_stats stats_of(struct world *w)
{
    struct netio_stats s;

    netio_stats(w->n, &s);
    return s;
}

static void offload(struct world *w, const char *what)
{
    world_sh(w->here, "ethtool -K va tso %s gso %s tx %s >/dev/null", what, what, what);
    world_sh(w->there, "ethtool -K vb gro off >/dev/null");
    world_pump_routes(w, 50);
}

static void super_frame_stays_whole_on_a_device_with_tso(void **state)
{
    struct world *w = *state;
    struct netio_stats before = stats_of(w), after;
    struct sight s;

    offload(w, "on");
    s = transfer(w, HERE4, THERE4, MSS4, 11);
    assert_int_equal(s.frames, 1);
    assert_int_equal(s.whole, 1);
    s = transfer(w, HERE6, THERE6, MSS6, 12);
    assert_int_equal(s.frames, 1);
    after = stats_of(w);
    assert_int_equal(after.supers_out - before.supers_out, 2);
    assert_int_equal(after.supers_cut - before.supers_cut, 0);
}

static void super_frame_is_cut_by_the_kernel_without_tso(void **state)
{
    struct world *w = *state;
    struct netio_stats before = stats_of(w), after;
    struct sight s;

    offload(w, "off");
    s = transfer(w, HERE4, THERE4, MSS4, 21);
    assert_int_equal(s.frames, SEGMENTS);
    assert_int_equal(s.whole, 0);
    s = transfer(w, HERE6, THERE6, MSS6, 22);
    assert_int_equal(s.frames, SEGMENTS);
    after = stats_of(w);
    assert_int_equal(after.supers_out - before.supers_out, 2);
    offload(w, "on");
}

static void super_frame_is_cut_here_where_none_is_allowed(void **state)
{
    struct world *w = *state;
    const struct netio_init raw = { .raw_only = true };
    struct netio_stats after;
    struct sight s;

    world_netio(w, &raw);
    s = transfer(w, HERE4, THERE4, MSS4, 31);
    assert_int_equal(s.frames, SEGMENTS);
    s = transfer(w, HERE6, THERE6, MSS6, 32);
    assert_int_equal(s.frames, SEGMENTS);
    after = stats_of(w);
    assert_int_equal(after.supers_out, 0);
    assert_int_equal(after.supers_cut, 2);
    world_netio(w, NULL);
}

static void unresolved_neighbour_costs_no_packet(void **state)
{
    struct world *w = *state;
    static uint8_t data[4 * MSS4];
    struct segment seg = { .sport = 7100, .dport = 7100, .flags = TCP_ACK };
    struct packet pkt = world_packet(HERE4, "10.99.0.200", &seg, data, sizeof(data));
    struct netio_stats before = stats_of(w), after;

    pkt.flags = PACKET_SUPER;
    pkt.gso_size = MSS4;
    w->unsent = 0;
    assert_int_equal(netio_send(w->n, &pkt), 0);
    world_flush(w);
    after = stats_of(w);
    assert_int_equal(w->unsent, 0);
    assert_int_equal(after.supers_cut - before.supers_cut, 1);
    assert_int_equal(after.packets_out - before.packets_out, 4);
}

/* A raw IPv4 socket in the place of the packet socket refuses the address of a device. */
static void refused_super_frame_leaves_in_pieces_and_routes_change(void **state)
{
    struct world *w = *state;
    struct netio_fds fds = w->fds;
    struct netio_stats after;
    struct sight s;

    w->fds.packet_out = w->fds.raw4_out;
    world_netio(w, NULL);
    s = transfer(w, HERE4, THERE4, MSS4, 41);
    assert_int_equal(s.frames, SEGMENTS);
    after = stats_of(w);
    assert_int_equal(after.supers_out, 0);
    assert_int_equal(after.supers_cut, 1);
    assert_true(w->route_changes >= 1);
    w->fds = fds;
    world_netio(w, NULL);
}

/* ---- connection tracking
 * -------------------------------------------------------------------------- */

static long counter(struct world *w, const char *name)
{
    char line[64];
    FILE *f;
    long v = -1;

    /* popen() runs in our namespace, which is "here". */
    (void)snprintf(line, sizeof(line), "nft list counter inet t %s | awk '/packets/{print $2}'",
                   name);
    f = popen(line, "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%ld", &v), 1);
    (void)pclose(f);
    return v;
}

static void rules(struct world *w)
{
    world_sh(w->here, "nft -f - <<'EOF'\n"
                      "table inet t {\n"
                      "  counter invalid { }\n"
                      "  counter good { }\n"
                      "  chain i { type filter hook input priority 0; policy accept;\n"
                      "    iif lo accept\n"
                      "    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept\n"
                      "    ct state invalid counter name invalid\n"
                      "    ct state established,related counter name good accept\n"
                      "    meta l4proto tcp reject with tcp reset\n"
                      "  }\n"
                      "}\nEOF");
}

/*
 * The kernel's ACKs of a super-frame are of bytes that connection tracking never
 * saw. Without the liberal mark they are INVALID, meet the reject rule, and the
 * transfer does not get its last ACK.
 */
static void firewall_lets_the_acks_of_super_frames_pass(void **state)
{
    struct world *w = *state;
    struct netio_stats before = stats_of(w), after;

    rules(w);
    (void)transfer(w, HERE4, THERE4, MSS4, 51);
    (void)transfer(w, HERE6, THERE6, MSS6, 52);
    after = stats_of(w);
    assert_int_equal(after.supers_out - before.supers_out, 2);
    assert_int_equal(counter(w, "invalid"), 0);
    assert_true(counter(w, "good") > 0);
    world_sh(w->here, "nft delete table inet t");
}

/* No way to mark: the connection stays raw, and the firewall is as happy. */
static void connection_that_cannot_be_marked_stays_raw(void **state)
{
    struct world *w = *state;
    struct netio_fds fds = w->fds;
    struct netio_stats after;

    rules(w);
    w->fds.conntrack = -1;
    world_netio(w, NULL);
    (void)transfer(w, HERE4, THERE4, MSS4, 61);
    after = stats_of(w);
    assert_int_equal(after.supers_out, 0);
    assert_int_equal(after.supers_cut, 1);
    assert_int_equal(counter(w, "invalid"), 0);
    world_sh(w->here, "nft delete table inet t");
    w->fds = fds;
    world_netio(w, NULL);
}

/* Inbound: the entry's first direction is the peer's. */
static void accepted_connection_is_marked_too(void **state)
{
    struct world *w = *state;
    static uint8_t data[SEGMENTS * MSS4], got[sizeof(data)];
    struct segment seg = { .sport = 7200,
                           .flags = TCP_SYN | TCP_ACK,
                           .wnd = 65535,
                           .seq = seq_of(WORLD_ISS),
                           .opt = { .has_mss = true, .mss = MSS4 } };
    struct packet pkt;
    uint16_t port = 7200;
    int fd;

    rules(w);
    world_sh(w->here, "nft insert rule inet t i tcp dport 7200 ct state new accept");
    assert_int_equal(netio_claim(w->n, &port), 0);
    w->packets = 0;
    fd = world_connect(w->there, HERE4, 7200);
    world_pump(w, 1, 1000);
    assert_int_equal(w->packets, 1);
    seg.dport = w->in[0].seg.sport;
    seg.ack = seq_add(w->in[0].seg.seq, 1);
    pkt = world_packet(HERE4, THERE4, &seg, NULL, 0);
    assert_int_equal(netio_send(w->n, &pkt), 0);
    world_flush(w);
    world_pump(w, 1, 1000);

    seg.flags = TCP_ACK;
    seg.seq = seq_of(WORLD_ISS + 1);
    seg.opt = (struct tcp_options){ 0 };
    pkt = world_packet(HERE4, THERE4, &seg, data, sizeof(data));
    pkt.flags = PACKET_SUPER;
    pkt.gso_size = MSS4;
    pkt.conn_id = 71;
    world_pump_routes(w, 10);
    assert_int_equal(netio_send(w->n, &pkt), 0);
    world_flush(w);
    read_all(fd, got, sizeof(data));
    world_pump(w, 0, 100);
    assert_int_equal(w->in[w->packets - 1].seg.ack.v, WORLD_ISS + 1 + sizeof(data));
    assert_int_equal(counter(w, "invalid"), 0);
    abort_socket(fd);
    world_sh(w->here, "nft delete table inet t");
    netio_close_claims(w->n);
}

/* A busy packet socket does not make the kernel forget its neighbour. */
static void neighbour_in_use_is_kept_alive(void **state)
{
    struct world *w = *state;

    (void)transfer(w, HERE4, THERE4, MSS4, 81);
    world_sh(w->here,
             "lladdr=$(ip neigh show %s dev va | awk '{print $3}') && "
             "ip neigh replace %s lladdr $lladdr dev va nud stale",
             THERE4, THERE4);
    world_netio(w, NULL);
    (void)transfer(w, HERE4, THERE4, MSS4, 82);
    world_sh(w->here, "ip neigh show %s dev va | grep -Eq 'REACHABLE|DELAY|PROBE'", THERE4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(super_frame_stays_whole_on_a_device_with_tso),
        cmocka_unit_test(super_frame_is_cut_by_the_kernel_without_tso),
        cmocka_unit_test(super_frame_is_cut_here_where_none_is_allowed),
        cmocka_unit_test(unresolved_neighbour_costs_no_packet),
        cmocka_unit_test(refused_super_frame_leaves_in_pieces_and_routes_change),
        cmocka_unit_test(firewall_lets_the_acks_of_super_frames_pass),
        cmocka_unit_test(connection_that_cannot_be_marked_stays_raw),
        cmocka_unit_test(accepted_connection_is_marked_too),
        cmocka_unit_test(neighbour_in_use_is_kept_alive),
    };

    return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
