/* SPDX-License-Identifier: BSD-2-Clause */
/* What a wire may bring: RFC 9293 3.1, 3.2 MUST-6 and MUST-7, 3.9.2.3. */
#include "lib/script.h"

#include "wire/checksum.h"

static size_t data_segment(struct script *s, uint8_t *buf, size_t size)
{
    return script_build(s, SEG(ACK | PSH, .len = 20), buf, size);
}

static void shorter_than_a_header(void **state)
{
    struct script *s = established(state);
    uint8_t buf[100];

    (void)data_segment(s, buf, sizeof(buf));
    for (size_t len = 0; len < 20; len++)
        script_receive(s, buf, len, PACKET_CSUM_VERIFIED);
    expect_nothing(s);
    expect_drop(s, DROP_SHORT);
}

static void a_data_offset_that_is_impossible(void **state)
{
    struct script *s = established(state);
    uint8_t buf[100];
    size_t len = data_segment(s, buf, sizeof(buf));

    for (int words = 0; words < 16; words++) {
        if (words >= 5 && (size_t)words * 4 <= len)
            continue;
        buf[12] = (uint8_t)(words << 4);
        script_receive(s, buf, len, PACKET_CSUM_VERIFIED);
        expect_drop(s, DROP_OFFSET);
    }
    expect_nothing(s);
    expect_no_event(s, TCP_EV_READABLE);
}

static void every_flipped_bit_is_seen_by_the_checksum(void **state)
{
    struct script *s = established(state);
    uint8_t buf[100];
    size_t len = data_segment(s, buf, sizeof(buf));

    for (size_t bit = 0; bit < len * 8; bit++) {
        buf[bit / 8] ^= (uint8_t)(1 << bit % 8);
        script_receive(s, buf, len, PACKET_CSUM_VERIFY);
        buf[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    expect_nothing(s);
    expect_no_event(s, TCP_EV_READABLE);
    script_receive(s, buf, len, PACKET_CSUM_VERIFY);
    expect_event(s, TCP_EV_READABLE);
}

/* Over lo, or merged by GRO: the field holds the sum of the pseudo-header only. */
static void a_partial_checksum_counts_where_it_may_occur(void **state)
{
    struct script *s = established(state);
    struct flow f = script_flow(s, s->p);
    uint8_t buf[100];
    size_t len = data_segment(s, buf, sizeof(buf));
    uint16_t partial = checksum_fold(checksum_pseudo(&f.remote, &f.local, 6, (uint32_t)len));

    memcpy(buf + 16, &partial, 2);
    script_receive(s, buf, len, PACKET_CSUM_VERIFY);
    expect_drop(s, DROP_CHECKSUM);
    script_receive(s, buf, len, PACKET_CSUM_PARTIAL);
    expect_event(s, TCP_EV_READABLE);
}

/* MUST-6: unknown options are skipped. */
static void unknown_options_are_skipped(void **state)
{
    struct script *s = established(state);
    uint8_t buf[100], with[100];
    size_t len = data_segment(s, buf, sizeof(buf));

    memcpy(with, buf, 20);
    memcpy(with + 20, "\x1e\x06\x01\x02\x03\x04\xfd\x02\x01\x01\x00\x00", 12);
    memcpy(with + 32, buf + 20, len - 20);
    with[12] = 8 << 4;
    script_checksum(s, with, len + 12);
    script_receive(s, with, len + 12, PACKET_CSUM_VERIFY);
    expect_event(s, TCP_EV_READABLE);
    s->p->snd_nxt += 20;
    app_reads(s, 20);
}

/* MUST-7: an option of length 0, 1, or beyond the header. */
static void malformed_options_drop_the_segment(void **state)
{
    static const char *const bad[] = { "\x1e\x00\x01\x01", "\x1e\x01\x01\x01", "\x01\x01\x01\x1e",
                                       "\x1e\x05\x01\x01", "\x08\x0a\x00\x00", "\x05\xff\x00\x00" };
    struct script *s = established(state);

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        uint8_t buf[100], with[100];
        size_t len = data_segment(s, buf, sizeof(buf));

        memcpy(with, buf, 20);
        memcpy(with + 20, bad[i], 4);
        memcpy(with + 24, buf + 20, len - 20);
        with[12] = 6 << 4;
        script_checksum(s, with, len + 4);
        script_receive(s, with, len + 4, PACKET_CSUM_VERIFY);
        expect_drop(s, DROP_OPTIONS);
    }
    expect_nothing(s);
    expect_no_event(s, TCP_EV_READABLE);
}

/* RFC 6335 6 */
static void port_0_is_dropped(void **state)
{
    struct script *s = listening(state);
    uint8_t buf[100];
    size_t len;

    inject(s, SEG(SYN, .lport = 0));
    expect_drop(s, DROP_PORT_ZERO);
    len = script_build(s, SEG(SYN), buf, sizeof(buf));
    memset(buf, 0, 2);
    script_checksum(s, buf, len);
    script_receive(s, buf, len, PACKET_CSUM_VERIFY);
    expect_drop(s, DROP_PORT_ZERO);
    expect_nothing(s);
}

static void receive_from_to(struct script *s, struct ip_addr src, struct ip_addr dst)
{
    uint8_t buf[100];
    size_t len = script_build(s, SEG(SYN), buf, sizeof(buf));
    struct packet pkt = { .src = src, .dst = dst, .ifindex = 2, .ttl = 64, .seg = buf,
                          .seg_len = len, .csum = PACKET_CSUM_VERIFIED };

    tcp_engine_receive(s->e, &pkt, s->now);
    settle(s);
}

/* 3.9.2.3 MUST-57, RFC 1122 4.2.3.10: neither from nor to a group. */
static void addresses_that_are_no_hosts_are_dropped(void **state)
{
    static const uint8_t v4[][4] = { { 224, 0, 0, 1 }, { 255, 255, 255, 255 }, { 0, 0, 0, 0 } };
    static const uint8_t v6[][16] = { { 0xff, 2, [15] = 1 }, { 0xff, 5, [15] = 1 }, { 0 } };
    struct script *s = listening(state);
    struct flow f = script_flow(s, s->p);

    for (int i = 0; i < 3; i++) {
        struct ip_addr bad = s->v6 ? ip_addr_v6(v6[i]) : ip_addr_v4(v4[i]);

        receive_from_to(s, bad, f.local);
        expect_drop(s, DROP_ADDRESS);
        receive_from_to(s, f.remote, bad);
        expect_drop(s, DROP_ADDRESS);
    }
    expect_nothing(s);
}

/* RFC 5082: IP_MINTTL. */
static void a_low_ttl_is_dropped_where_a_minimum_is_set(void **state)
{
    struct script *s = script(state);

    script_start(s);
    s->config.min_ttl = 65; /* the script's packets come with 64 */
    listens(s, 5);
    inject(s, SEG(SYN));
    expect_nothing(s);
    expect_drop(s, DROP_MIN_TTL);
    peer_add(s);
    s->config.min_ttl = 64;
    tcp_listener_configure(s->listener, &s->config, 5);
    peer_opens(s, OFFER_PLAIN);
}

/* SO_BINDTODEVICE */
static void another_device_is_not_listened_to(void **state)
{
    struct script *s = script(state);

    script_start(s);
    s->config.bound_ifindex = 9;
    listens(s, 5);
    inject(s, SEG(SYN));
    expect_drop(s, DROP_DEVICE);
    while (packets_waiting(s))
        assert_true(next_sent(s).seg.flags & TCP_RST);
}

/* design.md 5: super-frames arrive whole. */
static void a_super_frame_is_taken_whole(void **state)
{
    struct script *s = established(state);

    peer_sends(s, 30000);
    app_reads(s, 30000);
    assert_true(packets_waiting(s) >= 1); /* more than two segments: an ACK at once */
}

/* Nothing that comes after the header is read beyond its end (the sanitizers watch). */
static void every_truncation_is_survived(void **state)
{
    struct script *s = established_with(state, OFFER_TS);
    uint8_t buf[200];
    size_t len;

    len = script_build(s, SEG(ACK | PSH, .len = 60, SACKED(1, 1, 2, 2)), buf, sizeof(buf));
    for (size_t n = 0; n < len; n++)
        script_receive(s, buf, n, PACKET_CSUM_VERIFIED);
    forget_output(s);
    expect_alive(s);
}

static const struct CMUnitTest tests[] = {
    SCENARIO(shorter_than_a_header),
    SCENARIO(a_data_offset_that_is_impossible),
    SCENARIO(every_flipped_bit_is_seen_by_the_checksum),
    SCENARIO(a_partial_checksum_counts_where_it_may_occur),
    SCENARIO(unknown_options_are_skipped),
    SCENARIO(malformed_options_drop_the_segment),
    SCENARIO(port_0_is_dropped),
    SCENARIO(addresses_that_are_no_hosts_are_dropped),
    SCENARIO(a_low_ttl_is_dropped_where_a_minimum_is_set),
    SCENARIO(another_device_is_not_listened_to),
    SCENARIO(a_super_frame_is_taken_whole),
    SCENARIO(every_truncation_is_survived),
};

SCRIPT_MAIN("bad_packets", tests)
