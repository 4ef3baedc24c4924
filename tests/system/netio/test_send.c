/* SPDX-License-Identifier: BSD-2-Clause */
#include "world.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wire/checksum.h"
#include "wire/ip4.h"

/* Two pieces, the first of odd length: the checksum has to be right across the seam. */
static void talks_to_kernel(struct world *w, int ns, const char *from, const char *to)
{
    static const char text[] = "the quick brown fox jumps over the lazy dog";
    int l = world_listen(ns, AF_INET6, 7000, 1), conn;
    struct segment seg = { .sport = 0, .dport = 7000, .flags = TCP_ACK | TCP_PSH, .wnd = 65535 };
    struct packet pkt;
    uint16_t port = 0;
    char got[64] = { 0 };

    assert_true(l >= 0);
    assert_int_equal(netio_claim(w->n, &port), 0);
    seg.sport = port;
    seg.ack = world_open(w, from, to, port, 7000);
    seg.seq = seq_of(WORLD_ISS + 1);
    conn = accept(l, NULL, NULL);
    assert_true(conn >= 0);

    pkt = world_packet(from, to, &seg, text, sizeof(text));
    pkt.iov_count = 2;
    pkt.iov[0].iov_len = 7;
    pkt.iov[1] = (struct iovec){ (char *)(uintptr_t)text + 7, sizeof(text) - 7 };
    w->packets = 0;
    assert_int_equal(netio_send(w->n, &pkt), 0);
    world_flush(w);
    assert_int_equal(w->unsent, 0);
    assert_int_equal(recv(conn, got, sizeof(got), 0), sizeof(text));
    assert_string_equal(got, text);
    world_pump(w, 1, 1000);
    assert_int_equal(w->in[0].seg.ack.v, WORLD_ISS + 1 + sizeof(text));

    (void)close(conn);
    (void)close(l);
    world_pump(w, 1, 200);
    netio_close_claims(w->n);
}

static void speaks_with_the_kernel_over_ipv4(void **state)
{
    struct world *w = *state;

    talks_to_kernel(w, w->there, HERE4, THERE4);
}

static void speaks_with_the_kernel_over_ipv6(void **state)
{
    struct world *w = *state;

    talks_to_kernel(w, w->there, HERE6, THERE6);
}

static void speaks_with_the_kernel_over_loopback(void **state)
{
    struct world *w = *state;

    talks_to_kernel(w, w->here, "127.0.0.1", "127.0.0.1");
    talks_to_kernel(w, w->here, "::1", "::1");
    talks_to_kernel(w, w->here, HERE4, HERE4);
}

static void sixty_four_kilobytes_pass_loopback_in_one_segment(void **state)
{
    struct world *w = *state;
    static uint8_t data[65000];
    struct segment seg = { .sport = 7001, .dport = 7001, .flags = TCP_ACK, .seq = seq_of(1) };
    const char *addr[] = { "127.0.0.1", "::1" };
    uint16_t port = 7001;

    memset(data, 'x', sizeof(data));
    assert_int_equal(netio_claim(w->n, &port), 0);
    for (int i = 0; i < 2; i++) {
        struct packet pkt = world_packet(addr[i], addr[i], &seg, data, sizeof(data));

        w->packets = 0;
        assert_int_equal(netio_send(w->n, &pkt), 0);
        world_flush(w);
        assert_int_equal(w->unsent, 0);
        world_pump(w, 1, 1000);
        assert_int_equal(w->packets, 1);
        assert_int_equal(w->in[0].verdict, TCP_PARSE_OK);
        assert_int_equal(w->in[0].seg.len, sizeof(data));
    }
    netio_release(w->n, 7001);
}

static void traffic_class_and_hop_limit_arrive(void **state)
{
    struct world *w = *state;
    struct segment seg = { .sport = 7002, .dport = 7002, .flags = TCP_ACK, .seq = seq_of(1) };
    const char *addr[] = { "127.0.0.1", "::1" };
    uint16_t port = 7002;

    assert_int_equal(netio_claim(w->n, &port), 0);
    for (int i = 0; i < 2; i++) {
        struct packet pkt = world_packet(addr[i], addr[i], &seg, NULL, 0);

        pkt.tos = 0xb9;
        pkt.ttl = 77;
        w->packets = 0;
        assert_int_equal(netio_send(w->n, &pkt), 0);
        world_flush(w);
        world_pump(w, 1, 1000);
        assert_int_equal(w->packets, 1);
        assert_int_equal(w->in[0].pkt.tos, 0xb9);
        assert_int_equal(w->in[0].pkt.ttl, 77);
        assert_int_equal(w->in[0].pkt.ifindex, 1);
    }
    netio_release(w->n, 7002);
}

static void refusal_is_told_and_the_rest_goes_out(void **state)
{
    struct world *w = *state;
    static uint8_t data[3000];
    struct segment seg = { .sport = 7003, .dport = 7003, .flags = TCP_ACK, .seq = seq_of(5) };
    struct packet bad = world_packet(HERE4, THERE4, &seg, data, sizeof(data));
    struct packet lost = world_packet(HERE4, "203.0.113.1", &seg, NULL, 0);
    struct packet good = world_packet("127.0.0.1", "127.0.0.1", &seg, NULL, 0);
    uint16_t port = 7003;

    assert_int_equal(netio_claim(w->n, &port), 0);
    w->packets = w->unsent = 0;
    assert_int_equal(netio_send(w->n, &bad), 0);
    assert_int_equal(netio_send(w->n, &good), 0);
    world_flush(w);
    assert_int_equal(w->unsent, 1);
    assert_int_equal(w->unsent_error, -EMSGSIZE);
    assert_int_equal(w->unsent_pkt.seq.v, 5);
    world_pump(w, 1, 1000);
    assert_int_equal(w->packets, 1);

    w->unsent = 0;
    assert_int_equal(netio_send(w->n, &lost), 0);
    world_flush(w);
    assert_int_equal(w->unsent, 1);
    assert_int_equal(w->unsent_error, -ENETUNREACH);

    world_sh(w->here, "nft -f - <<'EOF'\ntable ip out { chain o { type filter hook output "
                      "priority 0; tcp dport 7003 drop; }; }\nEOF");
    w->unsent = 0;
    assert_int_equal(netio_send(w->n, &good), 0);
    world_flush(w);
    assert_int_equal(w->unsent, 1);
    assert_int_equal(w->unsent_error, -EPERM);
    world_sh(w->here, "nft delete table ip out");
    w->unsent = 0;
    netio_release(w->n, 7003);
}

static void full_queue_asks_for_a_flush(void **state)
{
    struct world *w = *state;
    struct segment seg = { .sport = 7004, .dport = 7004, .flags = TCP_ACK };
    struct packet pkt = world_packet("127.0.0.1", "127.0.0.1", &seg, NULL, 0);
    uint16_t port = 7004;
    int r, sent = 0;

    assert_int_equal(netio_claim(w->n, &port), 0);
    while ((r = netio_send(w->n, &pkt)) == 0)
        sent++;
    assert_int_equal(r, -EAGAIN);
    w->packets = 0;
    world_flush(w);
    assert_int_equal(netio_send(w->n, &pkt), 0);
    world_flush(w);
    world_pump(w, (unsigned)sent + 1, 1000);
    assert_int_equal(w->packets, sent + 1);
    netio_release(w->n, 7004);
}

/* Packets that wait for a neighbour who is not there fill the socket. */
static void full_socket_gives_back_the_rest(void **state)
{
    struct world *w = *state;
    static uint8_t data[20 * 1400];
    struct segment seg = { .sport = 7008, .dport = 7008, .flags = TCP_ACK | TCP_FIN };
    struct packet pkt = world_packet(HERE4, "10.99.0.201", &seg, data, 1400), super;
    int tiny = 1, big = 8 << 20;

    assert_int_equal(setsockopt(w->fds.raw4_out, SOL_SOCKET, SO_SNDBUF, &tiny, sizeof(tiny)), 0);
    w->unsent = 0;
    for (int i = 0; i < 20; i++)
        assert_int_equal(netio_send(w->n, &pkt), 0);
    assert_true(world_flush(w));
    assert_in_range(w->unsent, 10, 19); /* some went, and each of the others came back */
    assert_int_equal(w->unsent_error, -EAGAIN);

    /* A super-frame in pieces comes back as one packet: all that did not go. */
    super = world_packet(HERE4, "10.99.0.202", &seg, data, sizeof(data));
    super.flags = PACKET_SUPER;
    super.gso_size = 1400;
    assert_int_equal(setsockopt(w->fds.raw4_out, SOL_SOCKET, SO_SNDBUFFORCE, &big, sizeof(big)), 0);
    tiny = 10000;
    assert_int_equal(setsockopt(w->fds.raw4_out, SOL_SOCKET, SO_SNDBUF, &tiny, sizeof(tiny)), 0);
    w->unsent = 0;
    assert_int_equal(netio_send(w->n, &super), 0);
    assert_true(world_flush(w));
    assert_int_equal(w->unsent, 1);
    assert_int_equal(w->unsent_error, -EAGAIN);
    assert_true(w->unsent_pkt.seq.v > 0);
    assert_int_equal(w->unsent_pkt.seq.v % 1400, 0);
    assert_int_equal(w->unsent_pkt.payload_len, sizeof(data) - w->unsent_pkt.seq.v);
    assert_int_equal(w->unsent_pkt.seq_len, w->unsent_pkt.payload_len + 1);
    assert_int_equal(setsockopt(w->fds.raw4_out, SOL_SOCKET, SO_SNDBUFFORCE, &big, sizeof(big)), 0);
    w->unsent = 0;
}

/* What the wire carries to a group, a broadcast address or in mapped disguise is not for TCP. */
static void broadcast_segments_are_not_for_us(void **state)
{
    struct world *w = *state;
    uint16_t port = 7005;
    struct segment seg = { .sport = 9, .dport = 7005, .flags = TCP_SYN };
    struct packet pkt = world_packet(THERE4, "10.99.0.255", &seg, NULL, 0);
    struct sockaddr_in to = { .sin_family = AF_INET };
    uint8_t frame[IP4_HDR_MIN + TCP_HDR_MAX];
    struct ip4_header ip = {
        .src = pkt.src,
        .dst = pkt.dst,
        .ttl = 64,
        .proto = IPPROTO_TCP,
        .total_len = (uint16_t)(IP4_HDR_MIN + pkt.hdr_len),
    };
    int raw, one = 1;

    assert_int_equal(netio_claim(w->n, &port), 0);
    tcp_header_set_checksum(&pkt);
    memcpy(frame + IP4_HDR_MIN, pkt.hdr, pkt.hdr_len);
    world_enter(w->there);
    raw = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
    world_enter(w->here);
    assert_int_equal(setsockopt(raw, SOL_SOCKET, SO_BROADCAST, &one, sizeof(one)), 0);
    w->packets = 0;
    ip4_build(&ip, frame);
    memcpy(&to.sin_addr, pkt.dst.b + 12, 4);
    assert_int_equal(sendto(raw, frame, ip.total_len, 0, (struct sockaddr *)&to, sizeof(to)),
                     ip.total_len);
    world_pump(w, 0, 100);
    assert_int_equal(w->packets, 0);

    ip.dst = world_addr(HERE4); /* the same to our own address does arrive */
    ip4_build(&ip, frame);
    memcpy(&to.sin_addr, ip.dst.b + 12, 4);
    assert_int_equal(sendto(raw, frame, ip.total_len, 0, (struct sockaddr *)&to, sizeof(to)),
                     ip.total_len);
    world_pump(w, 1, 1000);
    assert_int_equal(w->packets, 1);
    (void)close(raw);
    netio_release(w->n, 7005);
}

/* A device without link header: a super-frame leaves in pieces, by the raw socket. */
static void tun_device_is_served_by_the_raw_socket(void **state)
{
    struct world *w = *state;
    static uint8_t data[5000];
    struct segment seg = { .sport = 7006, .dport = 80, .flags = TCP_ACK | TCP_PSH };
    struct ifreq ifr = { .ifr_flags = IFF_TUN | IFF_NO_PI };
    int tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
    struct flow flow = { .local = world_addr("10.98.0.1"),
                         .remote = world_addr("10.98.0.2"),
                         .lport = 7006,
                         .rport = 80 };
    struct packet pkt;
    struct path path;
    uint32_t got = 0;

    assert_true(tun >= 0);
    strcpy(ifr.ifr_name, "tt");
    assert_int_equal(ioctl(tun, TUNSETIFF, &ifr), 0);
    world_sh(w->here, "ip addr add 10.98.0.1/24 dev tt && ip link set tt up");
    world_pump_routes(w, 50);
    assert_int_equal(netio_route(w->n, &flow, 0, &path), 0);
    assert_int_equal(path.gso_max, 0);
    assert_int_equal(path.ifindex, world_ifindex("tt"));
    assert_int_equal(path.mtu, 1500);

    pkt = world_packet("10.98.0.1", "10.98.0.2", &seg, data, sizeof(data));
    pkt.flags = PACKET_SUPER;
    pkt.gso_size = 1460;
    w->unsent = 0;
    assert_int_equal(netio_send(w->n, &pkt), 0);
    world_flush(w);
    assert_int_equal(w->unsent, 0);
    while (got < sizeof(data)) {
        uint8_t frame[2000];
        ssize_t len;
        struct ip4_header ip;
        struct pollfd p = { .fd = tun, .events = POLLIN };

        assert_int_equal(poll(&p, 1, 1000), 1);
        len = read(tun, frame, sizeof(frame));
        if (frame[0] >> 4 != 4)
            continue; /* the kernel's own router solicitations */
        assert_int_equal(ip4_parse(frame, (size_t)len, &ip), 0);
        assert_true(len <= 1500);
        assert_true(ip.df);
        got += (uint32_t)len - IP4_HDR_MIN - TCP_HDR_MIN;
    }
    assert_int_equal(got, sizeof(data));
    (void)close(tun);
    world_pump_routes(w, 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(speaks_with_the_kernel_over_ipv4),
        cmocka_unit_test(speaks_with_the_kernel_over_ipv6),
        cmocka_unit_test(speaks_with_the_kernel_over_loopback),
        cmocka_unit_test(sixty_four_kilobytes_pass_loopback_in_one_segment),
        cmocka_unit_test(traffic_class_and_hop_limit_arrive),
        cmocka_unit_test(refusal_is_told_and_the_rest_goes_out),
        cmocka_unit_test(full_queue_asks_for_a_flush),
        cmocka_unit_test(full_socket_gives_back_the_rest),
        cmocka_unit_test(broadcast_segments_are_not_for_us),
        cmocka_unit_test(tun_device_is_served_by_the_raw_socket),
    };

    return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
