/* SPDX-License-Identifier: BSD-2-Clause */
/* A segment as bytes and back: RFC 9293 3.1. */
#include "cm.h"

#include "lib/rng.h"
#include "wire/checksum.h"
#include "wire/tcp_header.h"

static struct ip_addr local, remote;

static int addresses(void **state)
{
    local = ip_addr_v4("\x0a\x00\x00\x01");
    remote = ip_addr_v4("\x0a\x00\x00\x02");
    return 0;
}

static struct segment random_segment(struct rng *r)
{
    struct segment seg = { .sport = (uint16_t)rng_next(r), .dport = (uint16_t)rng_next(r),
                           .seq = seq_of((uint32_t)rng_next(r)),
                           .flags = (uint8_t)rng_next(r), .wnd = (uint16_t)rng_next(r) };

    if (seg.flags & TCP_ACK)
        seg.ack = seq_of((uint32_t)rng_next(r));
    if (seg.flags & TCP_URG)
        seg.up = (uint16_t)rng_next(r);
    seg.opt.has_ts = rng_upto(r, 1);
    if (seg.opt.has_ts) {
        seg.opt.tsval = (uint32_t)rng_next(r);
        seg.opt.tsecr = (uint32_t)rng_next(r);
    }
    if (seg.flags & TCP_SYN) {
        seg.opt.has_mss = rng_upto(r, 1);
        seg.opt.mss = seg.opt.has_mss ? (uint16_t)rng_next(r) : 0;
        seg.opt.has_wscale = rng_upto(r, 1);
        seg.opt.wscale = seg.opt.has_wscale ? (uint8_t)rng_upto(r, 14) : 0;
        seg.opt.has_sack_ok = rng_upto(r, 1);
    } else {
        seg.opt.sacks = (uint8_t)rng_upto(r, seg.opt.has_ts ? 3 : 4);
        for (int i = 0; i < seg.opt.sacks; i++)
            seg.opt.sack[i] = (struct seq_range){ seq_of((uint32_t)rng_next(r)),
                                                  seq_of((uint32_t)rng_next(r)) };
    }
    return seg;
}

/* Header, then @payload split over two iovecs, with its checksum; flat in @buf. */
static size_t encode(const struct segment *seg, const uint8_t *payload, size_t len, size_t cut,
                     uint8_t *buf)
{
    struct packet pkt = { .src = remote, .dst = local, .payload_len = (uint32_t)len };

    pkt.hdr_len = tcp_header_build(seg, pkt.hdr);
    pkt.iov[0] = (struct iovec){ (void *)(uintptr_t)payload, cut };
    pkt.iov[1] = (struct iovec){ (void *)(uintptr_t)(payload + cut), len - cut };
    pkt.iov_count = 2;
    tcp_header_set_checksum(&pkt);
    memcpy(buf, pkt.hdr, pkt.hdr_len);
    if (len)
        memcpy(buf + pkt.hdr_len, payload, len);
    return pkt.hdr_len + len;
}

static enum tcp_parse decode(const uint8_t *buf, size_t len, enum packet_csum csum,
                             struct segment *ret)
{
    struct packet pkt = { .src = remote, .dst = local, .seg = buf, .seg_len = len,
                          .csum = (uint8_t)csum };

    return tcp_header_parse(&pkt, ret);
}

static void a_segment_survives_the_wire(void **state)
{
    struct rng r = { 7 };
    uint8_t payload[200], buf[300];

    for (int round = 0; round < 5000; round++) {
        struct segment in = random_segment(&r), out;
        size_t len = rng_upto(&r, sizeof(payload));

        for (size_t i = 0; i < len; i++)
            payload[i] = (uint8_t)rng_next(&r);
        len = encode(&in, payload, len, rng_upto(&r, len), buf);
        assert_int_equal(decode(buf, len, PACKET_CSUM_VERIFY, &out), TCP_PARSE_OK);
        assert_memory_equal(out.data, payload, out.len);
        in.data = out.data;
        in.len = out.len;
        assert_int_equal(in.sport, out.sport);
        assert_int_equal(in.dport, out.dport);
        assert_int_equal(in.seq.v, out.seq.v);
        assert_int_equal(in.ack.v, out.ack.v);
        assert_int_equal(in.flags, out.flags);
        assert_int_equal(in.wnd, out.wnd);
        assert_int_equal(in.up, out.up);
        assert_memory_equal(&in.opt, &out.opt, sizeof(in.opt));
    }
}

static void the_header_length_is_in_words_and_true(void **state)
{
    struct rng r = { 8 };

    for (int round = 0; round < 2000; round++) {
        struct segment seg = random_segment(&r);
        uint8_t hdr[TCP_HDR_MAX], len = tcp_header_build(&seg, hdr);

        assert_int_equal(len % 4, 0);
        assert_int_equal(hdr[12] >> 4, len / 4);
        assert_int_equal(len, TCP_HDR_MIN + tcp_options_len(&seg.opt));
        assert_in_range(len, TCP_HDR_MIN, TCP_HDR_MAX);
    }
}

static void syn_and_fin_count_as_sequence_space(void **state)
{
    struct segment seg = { .len = 10 };

    assert_int_equal(segment_space(&seg), 10);
    seg.flags = TCP_SYN;
    assert_int_equal(segment_space(&seg), 11);
    seg.flags = TCP_SYN | TCP_FIN;
    assert_int_equal(segment_space(&seg), 12);
}

static void a_short_or_lying_header_is_refused(void **state)
{
    struct segment seg = { .flags = TCP_ACK }, out;
    uint8_t buf[100] = { 0 };
    size_t len = encode(&seg, (const uint8_t *)"hello", 5, 2, buf);

    for (size_t n = 0; n < TCP_HDR_MIN; n++)
        assert_int_equal(decode(buf, n, PACKET_CSUM_VERIFIED, &out), TCP_PARSE_SHORT);
    for (int words = 0; words < 16; words++) {
        enum tcp_parse want = words < 5 || (size_t)words * 4 > len ? TCP_PARSE_OFFSET
                                                                   : TCP_PARSE_OK;
        enum tcp_parse got;

        buf[12] = (uint8_t)(words << 4);
        got = decode(buf, len, PACKET_CSUM_VERIFIED, &out);
        if (want == TCP_PARSE_OFFSET || words == 5)
            assert_int_equal(got, want);
    }
}

static void any_wrong_byte_is_seen(void **state)
{
    struct segment seg = { .sport = 1, .dport = 2, .flags = TCP_ACK }, out;
    uint8_t buf[100];
    size_t len = encode(&seg, (const uint8_t *)"seven b", 7, 3, buf);

    for (size_t i = 0; i < len; i++) {
        for (int x = 1; x < 256; x++) {
            buf[i] ^= (uint8_t)x;
            assert_int_not_equal(decode(buf, len, PACKET_CSUM_VERIFY, &out), TCP_PARSE_OK);
            buf[i] ^= (uint8_t)x;
        }
    }
    assert_int_equal(decode(buf, len, PACKET_CSUM_VERIFY, &out), TCP_PARSE_OK);
}

/* The addresses are part of the sum. */
static void a_wrong_address_is_seen(void **state)
{
    struct segment seg = { .flags = TCP_ACK }, out;
    uint8_t buf[100];
    size_t len = encode(&seg, NULL, 0, 0, buf);

    remote.b[15] ^= 1;
    assert_int_equal(decode(buf, len, PACKET_CSUM_VERIFY, &out), TCP_PARSE_CHECKSUM);
    remote.b[15] ^= 1;
}

static void a_partial_sum_is_accepted_only_where_it_may_occur(void **state)
{
    struct segment seg = { .flags = TCP_ACK }, out;
    uint8_t buf[100];
    size_t len = encode(&seg, (const uint8_t *)"abc", 3, 1, buf);
    uint16_t partial = checksum_fold(checksum_pseudo(&remote, &local, 6, (uint32_t)len));

    assert_int_equal(decode(buf, len, PACKET_CSUM_PARTIAL, &out), TCP_PARSE_OK);
    memcpy(buf + 16, &partial, 2);
    assert_int_equal(decode(buf, len, PACKET_CSUM_PARTIAL, &out), TCP_PARSE_OK);
    assert_int_equal(decode(buf, len, PACKET_CSUM_VERIFY, &out), TCP_PARSE_CHECKSUM);
    buf[16] ^= 1;
    assert_int_equal(decode(buf, len, PACKET_CSUM_PARTIAL, &out), TCP_PARSE_CHECKSUM);
    assert_int_equal(decode(buf, len, PACKET_CSUM_VERIFIED, &out), TCP_PARSE_OK);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_segment_survives_the_wire),
        cmocka_unit_test(the_header_length_is_in_words_and_true),
        cmocka_unit_test(syn_and_fin_count_as_sequence_space),
        cmocka_unit_test(a_short_or_lying_header_is_refused),
        cmocka_unit_test(any_wrong_byte_is_seen),
        cmocka_unit_test(a_wrong_address_is_seen),
        cmocka_unit_test(a_partial_sum_is_accepted_only_where_it_may_occur),
    };

    return cmocka_run_group_tests_name("wire/tcp_header", tests, addresses, NULL);
}
