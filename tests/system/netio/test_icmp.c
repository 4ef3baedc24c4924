/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ICMP errors reach the handler; and forged ones do not reach the host's path MTU
 * cache by way of our sockets.
 */
#include "world.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wire/checksum.h"
#include "wire/ip4.h"
#include "wire/ip6.h"

#define PORT 7300

static void put16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

/* An error from the host there about a packet of protocol @proto from here to there. */
static size_t forge4(uint8_t type, uint8_t code, uint16_t mtu, uint8_t proto, uint8_t *ret)
{
    struct ip4_header quoted = {
        .src = world_addr(HERE4),
        .dst = world_addr(THERE4),
        .ttl = 60,
        .proto = proto,
        .df = true,
        .total_len = 1500,
    };
    size_t len = 8 + IP4_HDR_MIN + 8;
    uint16_t sum;

    memset(ret, 0, len);
    ret[0] = type;
    ret[1] = code;
    put16(ret + 6, mtu);
    ip4_build(&quoted, ret + 8);
    put16(ret + 28, PORT);
    put16(ret + 30, 80);
    ret[35] = 42; /* sequence number */
    sum = (uint16_t)~checksum_fold(checksum_partial(0, ret, len));
    memcpy(ret + 2, &sum, 2);
    return len;
}

static size_t forge6(uint8_t type, uint8_t code, uint16_t mtu, uint8_t *ret)
{
    struct ip6_header quoted = {
        .src = world_addr(HERE6),
        .dst = world_addr(THERE6),
        .hop_limit = 60,
        .next_header = IPPROTO_TCP,
        .payload_len = 1460,
    };

    memset(ret, 0, 8 + IP6_HDR_LEN + 8);
    ret[0] = type;
    ret[1] = code;
    put16(ret + 6, mtu);
    ip6_build(&quoted, ret + 8);
    put16(ret + 48, PORT);
    put16(ret + 50, 80);
    ret[55] = 42;
    return 8 + IP6_HDR_LEN + 8; /* the kernel adds the checksum */
}

static void send_icmp(struct world *w, int family, const uint8_t *data, size_t len)
{
    struct sockaddr_in in = { .sin_family = AF_INET };
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
    int fd;

    world_enter(w->there);
    fd = socket(family, SOCK_RAW | SOCK_CLOEXEC, family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6);
    world_enter(w->here);
    assert_true(fd >= 0);
    (void)inet_pton(AF_INET, HERE4, &in.sin_addr);
    (void)inet_pton(AF_INET6, HERE6, &in6.sin6_addr);
    if (family == AF_INET)
        assert_int_equal(sendto(fd, data, len, 0, (struct sockaddr *)&in, sizeof(in)), len);
    else
        assert_int_equal(sendto(fd, data, len, 0, (struct sockaddr *)&in6, sizeof(in6)), len);
    (void)close(fd);
}

static bool cache_is_poisoned(struct world *w)
{
    return world_sh_status(w->here, "ip route get %s | grep -q mtu", THERE4) == 0 ||
           world_sh_status(w->here, "ip -6 route get %s | grep -q 'mtu 1280'", THERE6) == 0;
}

static void port_unreachable_reaches_the_handler(void **state)
{
    struct world *w = *state;
    const struct ip_addr there = world_addr(THERE4);
    uint8_t data[128];
    uint16_t port = PORT;

    assert_int_equal(netio_claim(w->n, &port), 0);
    send_icmp(w, AF_INET, data, forge4(ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, 0, 6, data));
    world_pump(w, 0, 50);
    assert_int_equal(w->icmps, 1);
    assert_int_equal(w->icmp.error, ECONNREFUSED);
    assert_true(w->icmp.hard);
    assert_int_equal(w->icmp.flow.lport, PORT);
    assert_int_equal(w->icmp.flow.rport, 80);
    assert_int_equal(w->icmp.seq.v, 42);
    assert_int_equal(w->icmp.flow.zone, 0);
    assert_true(ip_addr_eq(&w->icmp.flow.remote, &there));

    send_icmp(w, AF_INET6, data, forge6(ICMP6_PACKET_TOO_BIG, 0, 1300, data));
    world_pump(w, 0, 50);
    assert_int_equal(w->icmps, 2);
    assert_int_equal(w->icmp.error, EMSGSIZE);
    assert_int_equal(w->icmp.mtu, 1300);
    assert_true(w->icmp.ipv6);
    netio_release(w->n, PORT);
}

static void errors_of_others_stay_out(void **state)
{
    struct world *w = *state;
    uint8_t data[128];
    size_t len;

    w->icmps = 0; /* the port is not claimed */
    send_icmp(w, AF_INET, data, forge4(ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, 0, 6, data));
    len = forge4(ICMP_ECHO, 0, 0, 6, data);
    send_icmp(w, AF_INET, data, len);
    world_pump(w, 0, 50);
    assert_int_equal(w->icmps, 0);
}

/* The host's cache of path MTUs is not for strangers to write, whatever they quote. */
static void forged_packet_too_big_leaves_no_route_exception(void **state)
{
    struct world *w = *state;
    const uint8_t quoted[] = { IPPROTO_TCP, IPPROTO_RAW, IPPROTO_ICMP };
    uint8_t data[128];
    uint16_t port = PORT;

    assert_int_equal(netio_claim(w->n, &port), 0);
    w->icmps = 0;
    for (unsigned i = 0; i < ARRAY_LEN(quoted); i++)
        send_icmp(w, AF_INET, data,
                  forge4(ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, 600, quoted[i], data));
    send_icmp(w, AF_INET6, data, forge6(ICMP6_PACKET_TOO_BIG, 0, 1280, data));
    world_pump(w, 0, 100);
    assert_int_equal(w->icmps, 2); /* the engine hears of those about TCP */
    assert_int_equal(w->icmp.mtu, 1280);
    assert_false(cache_is_poisoned(w));
    netio_release(w->n, PORT);
}

/* That the test above can fail: a raw socket as the kernel makes it falls into the trap. */
static void common_raw_socket_is_trapped(void **state)
{
    struct world *w = *state;
    uint8_t data[128];
    struct flow f = { .local = IP_ADDR_ANY4, .remote = world_addr(THERE4), .rport = 80 };
    struct path path;
    int trap = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_TCP);

    assert_true(trap >= 0);
    send_icmp(w, AF_INET, data, forge4(ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, 600, 6, data));
    world_pump(w, 0, 100);
    assert_true(cache_is_poisoned(w));

    /* And when others are fooled, we do not follow. */
    world_netio(w, NULL);
    assert_int_equal(netio_route(w->n, &f, 0, &path), 0);
    assert_int_equal(path.mtu, 1500);
    (void)close(trap);
    world_sh(w->here, "ip route flush cache");
}

/* The cache of others does not stop our packets either. */
static void poisoned_cache_does_not_hold_up_full_segments(void **state)
{
    struct world *w = *state;
    static uint8_t payload[1460];
    struct segment seg = { .sport = PORT, .dport = 80, .flags = TCP_ACK };
    struct packet pkt = world_packet(HERE4, THERE4, &seg, payload, sizeof(payload));
    uint8_t data[128];
    int trap = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_TCP);

    send_icmp(w, AF_INET, data, forge4(ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, 600, 6, data));
    world_pump(w, 0, 100);
    assert_true(cache_is_poisoned(w));
    w->unsent = 0;
    assert_int_equal(netio_send(w->n, &pkt), 0);
    world_flush(w);
    assert_int_equal(w->unsent, 0);
    (void)close(trap);
    world_sh(w->here, "ip route flush cache");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(port_unreachable_reaches_the_handler),
        cmocka_unit_test(errors_of_others_stay_out),
        cmocka_unit_test(forged_packet_too_big_leaves_no_route_exception),
        cmocka_unit_test(common_raw_socket_is_trapped),
        cmocka_unit_test(poisoned_cache_does_not_hold_up_full_segments),
    };

    return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
