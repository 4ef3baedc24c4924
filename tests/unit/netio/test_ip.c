/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "wire/checksum.h"
#include "wire/ip4.h"
#include "wire/ip6.h"

static const uint8_t a4[4] = { 10, 0, 0, 1 }, b4[4] = { 192, 0, 2, 9 };
static const uint8_t a6[16] = { 0x20, 1, 0xd, 0xb8, [15] = 1 }, b6[16] = { 0xfe, 0x80, [15] = 2 };

static void ipv4_header_comes_back_as_built(void **state)
{
    struct ip4_header h = {
        .src = ip_addr_v4(a4),
        .dst = ip_addr_v4(b4),
        .tos = 0xb9,
        .ttl = 61,
        .proto = 6,
        .df = true,
        .total_len = 1234,
    };
    struct ip4_header got;
    uint8_t buf[IP4_HDR_MIN];

    ip4_build(&h, buf);
    assert_int_equal(checksum_fold(checksum_partial(0, buf, sizeof(buf))), 0xffff);
    assert_int_equal(ip4_parse(buf, sizeof(buf), &got), 0);
    assert_true(ip_addr_eq(&got.src, &h.src) && ip_addr_eq(&got.dst, &h.dst));
    assert_int_equal(got.tos, 0xb9);
    assert_int_equal(got.ttl, 61);
    assert_int_equal(got.proto, 6);
    assert_true(got.df);
    assert_false(got.mf);
    assert_int_equal(got.frag_offset, 0);
    assert_int_equal(got.total_len, 1234);
    assert_int_equal(got.hdr_len, 20);
    assert_null(got.options);
}

/* A header whose sum is known: with identification 0x1c46 it is 0xb1e6, ours has 0. */
static void ipv4_checksum_is_that_of_a_known_header(void **state)
{
    static const uint8_t known[IP4_HDR_MIN] = { 0x45, 0,    0,    0x3c, 0x1c, 0x46, 0x40,
                                                0,    0x40, 6,    0xb1, 0xe6, 0xac, 0x10,
                                                0x0a, 0x63, 0xac, 0x10, 0x0a, 0x0c };
    struct ip4_header h;
    uint8_t buf[IP4_HDR_MIN];

    assert_int_equal(ip4_parse(known, sizeof(known), &h), 0);
    ip4_build(&h, buf);
    assert_int_equal(checksum_fold(checksum_partial(0, known, sizeof(known))), 0xffff);
    assert_int_equal(buf[10] << 8 | buf[11], 0xb1e6 + 0x1c46);
}

static void ipv4_options_are_found(void **state)
{
    uint8_t buf[64] = { 0x47, 0, 0, 60, [6] = 0x20, [7] = 5, [9] = 6, [20] = 0x83, 7, 4 };
    struct ip4_header h;

    assert_int_equal(ip4_parse(buf, sizeof(buf), &h), 0);
    assert_int_equal(h.hdr_len, 28);
    assert_int_equal(h.options_len, 8);
    assert_ptr_equal(h.options, buf + 20);
    assert_true(h.mf);
    assert_int_equal(h.frag_offset, 5);
}

static void malformed_ipv4_headers_are_refused(void **state)
{
    const uint8_t good[28] = { 0x47, 0, 0, 60 };
    uint8_t buf[28];
    struct ip4_header h;

    assert_int_equal(ip4_parse(good, 28, &h), 0);
    for (size_t len = 0; len < 28; len++)
        assert_int_equal(ip4_parse(good, len, &h), -EBADMSG);
    memcpy(buf, good, 28);
    buf[0] = 0x67; /* version 6 */
    assert_int_equal(ip4_parse(buf, 28, &h), -EBADMSG);
    buf[0] = 0x44; /* header of 16 bytes */
    assert_int_equal(ip4_parse(buf, 28, &h), -EBADMSG);
    buf[0] = 0x48; /* longer than what there is */
    assert_int_equal(ip4_parse(buf, 28, &h), -EBADMSG);
    buf[0] = 0x47;
    buf[3] = 27; /* shorter in total than its header */
    assert_int_equal(ip4_parse(buf, 28, &h), -EBADMSG);
}

static void ipv6_header_comes_back_as_built(void **state)
{
    struct ip6_header h = {
        .src = ip_addr_v6(a6),
        .dst = ip_addr_v6(b6),
        .tclass = 0xb9,
        .flow_label = 0xabcde,
        .hop_limit = 61,
        .next_header = 6,
        .payload_len = 65535,
    };
    struct ip6_header got;
    uint8_t buf[IP6_HDR_LEN];

    ip6_build(&h, buf);
    assert_int_equal(buf[0] >> 4, 6);
    assert_int_equal(ip6_parse(buf, sizeof(buf), &got), 0);
    assert_memory_equal(&got.src, &h.src, 16);
    assert_memory_equal(&got.dst, &h.dst, 16);
    assert_int_equal(got.tclass, 0xb9);
    assert_int_equal(got.flow_label, 0xabcde);
    assert_int_equal(got.hop_limit, 61);
    assert_int_equal(got.next_header, 6);
    assert_int_equal(got.payload_len, 65535);
    assert_int_equal(ip6_parse(buf, 39, &got), -EBADMSG);
    buf[0] = 0x45;
    assert_int_equal(ip6_parse(buf, 40, &got), -EBADMSG);
}

/* hop-by-hop (16 bytes), fragment (8), TCP */
static void extension_headers_are_stepped_over(void **state)
{
    uint8_t buf[IP6_HDR_LEN + 16 + 8 + 20] = { 0x60, [6] = 0, [40] = 44, [41] = 1, [56] = 6 };
    uint8_t proto;
    size_t offset;

    assert_int_equal(ip6_find_upper(buf, sizeof(buf), &proto, &offset), 0);
    assert_int_equal(proto, 6);
    assert_int_equal(offset, 64);
    assert_int_equal(ip6_find_upper(buf, 64, &proto, &offset), 0); /* nothing of TCP is there */
    for (size_t len = 0; len < 64; len++)
        assert_int_equal(ip6_find_upper(buf, len, &proto, &offset), -EBADMSG);
    buf[41] = 255; /* an extension that is longer than the packet */
    assert_int_equal(ip6_find_upper(buf, sizeof(buf), &proto, &offset), -EBADMSG);
    buf[41] = 1;
    buf[59] = 8; /* fragment offset 1 */
    assert_int_equal(ip6_find_upper(buf, sizeof(buf), &proto, &offset), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ipv4_header_comes_back_as_built),
        cmocka_unit_test(ipv4_checksum_is_that_of_a_known_header),
        cmocka_unit_test(ipv4_options_are_found),
        cmocka_unit_test(malformed_ipv4_headers_are_refused),
        cmocka_unit_test(ipv6_header_comes_back_as_built),
        cmocka_unit_test(extension_headers_are_stepped_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
