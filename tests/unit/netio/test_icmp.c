/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "wire/checksum.h"
#include "wire/icmp.h"
#include "wire/ip4.h"
#include "wire/ip6.h"

#define LEN4 (8 + IP4_HDR_MIN + 8)
#define LEN6 (8 + IP6_HDR_LEN + 8)

static const uint8_t here4[4] = { 10, 0, 0, 1 }, there4[4] = { 10, 0, 0, 2 };
static const uint8_t here6[16] = { 0xfd, [15] = 1 }, there6[16] = { 0xfd, [15] = 2 };

static const uint8_t tcp[8] = { 0x30, 0x39, 0, 80, 0xde, 0xad, 0xbe, 0xef };

static void seal(uint8_t *data, size_t len)
{
    uint16_t sum;

    memset(data + 2, 0, 2);
    sum = (uint16_t)~checksum_fold(checksum_partial(0, data, len));
    memcpy(data + 2, &sum, 2);
}

static void make4(uint8_t type, uint8_t code, uint8_t data[LEN4])
{
    struct ip4_header h = {
        .src = ip_addr_v4(here4),
        .dst = ip_addr_v4(there4),
        .ttl = 1,
        .proto = 6,
        .total_len = 1500, /* more than is quoted */
    };

    memset(data, 0, LEN4);
    data[0] = type;
    data[1] = code;
    data[6] = 0x05;
    data[7] = 0x14;
    ip4_build(&h, data + 8);
    memcpy(data + 28, tcp, 8);
    seal(data, LEN4);
}

static void make6(uint8_t type, uint8_t code, uint8_t data[LEN6])
{
    struct ip6_header h = {
        .src = ip_addr_v6(here6),
        .dst = ip_addr_v6(there6),
        .next_header = 6,
        .payload_len = 1400,
    };

    memset(data, 0, LEN6);
    data[0] = type;
    data[1] = code;
    data[6] = 0x05;
    data[7] = 0x14;
    ip6_build(&h, data + 8);
    memcpy(data + 48, tcp, 8);
}

struct row {
    uint8_t type, code;
    int error;
    bool hard;
    uint32_t mtu;
};

static void assert_row(const struct row *row, const struct icmp_error *err)
{
    assert_int_equal(err->type, row->type);
    assert_int_equal(err->code, row->code);
    assert_int_equal(err->error, row->error);
    assert_int_equal(err->hard, row->hard);
    assert_int_equal(err->mtu, row->mtu);
    assert_int_equal(err->flow.lport, 12345);
    assert_int_equal(err->flow.rport, 80);
    assert_int_equal(err->flow.zone, 0);
    assert_int_equal(err->seq.v, 0xdeadbeef);
}

/* RFC 1122 4.2.3.9: what kills a connection attempt and what is only remembered. */
static void icmpv4_errors_are_told_apart(void **state)
{
    static const struct row rows[] = {
        { 3, 0, ENETUNREACH, false, 0 },   { 3, 1, EHOSTUNREACH, false, 0 },
        { 3, 2, ENOPROTOOPT, true, 0 },    { 3, 3, ECONNREFUSED, true, 0 },
        { 3, 4, EMSGSIZE, false, 1300 },   { 3, 13, EHOSTUNREACH, false, 0 },
        { 11, 0, EHOSTUNREACH, false, 0 }, { 12, 0, EPROTO, false, 0 },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t data[LEN4];
        struct icmp_error err;

        make4(rows[i].type, rows[i].code, data);
        assert_int_equal(icmp4_parse(data, LEN4, &err), 0);
        assert_row(&rows[i], &err);
        assert_false(err.ipv6);
        assert_memory_equal(err.flow.local.b + 12, here4, 4);
        assert_memory_equal(err.flow.remote.b + 12, there4, 4);
    }
}

static void icmpv6_errors_are_told_apart(void **state)
{
    static const struct row rows[] = {
        { 1, 0, ENETUNREACH, false, 0 },  { 1, 1, EACCES, false, 0 },
        { 1, 3, EHOSTUNREACH, false, 0 }, { 1, 4, ECONNREFUSED, true, 0 },
        { 2, 0, EMSGSIZE, false, 1300 },  { 3, 0, EHOSTUNREACH, false, 0 },
        { 4, 0, EPROTO, false, 0 },       { 4, 1, ENOPROTOOPT, true, 0 },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t data[LEN6];
        struct icmp_error err;

        make6(rows[i].type, rows[i].code, data);
        assert_int_equal(icmp6_parse(data, LEN6, &err), 0);
        assert_row(&rows[i], &err);
        assert_true(err.ipv6);
        assert_memory_equal(err.flow.local.b, here6, 16);
    }
}

static void what_is_no_error_is_refused(void **state)
{
    static const uint8_t types4[] = { 0, 4, 5, 8, 13 }, types6[] = { 0, 128, 129, 134, 135, 137 };
    uint8_t d4[LEN4], d6[LEN6];
    struct icmp_error err;

    for (size_t i = 0; i < sizeof(types4); i++) {
        make4(types4[i], 0, d4);
        assert_int_equal(icmp4_parse(d4, LEN4, &err), -EBADMSG);
    }
    for (size_t i = 0; i < sizeof(types6); i++) {
        make6(types6[i], 0, d6);
        assert_int_equal(icmp6_parse(d6, LEN6, &err), -EBADMSG);
    }
}

static void truncated_quotes_are_refused(void **state)
{
    uint8_t d4[LEN4], d6[LEN6];
    struct icmp_error err;

    make6(1, 4, d6);
    for (size_t len = 0; len < LEN6; len++)
        assert_int_equal(icmp6_parse(d6, len, &err), -EBADMSG);
    for (size_t len = 0; len < LEN4; len++) {
        make4(3, 3, d4);
        if (len >= 8)
            seal(d4, len);
        assert_int_equal(icmp4_parse(d4, len, &err), -EBADMSG);
    }
}

static void wrong_checksum_is_refused(void **state)
{
    uint8_t data[LEN4];
    struct icmp_error err;

    for (size_t i = 0; i < LEN4; i++) {
        make4(3, 3, data);
        data[i] ^= 0x40;
        assert_int_equal(icmp4_parse(data, LEN4, &err), -EBADMSG);
    }
}

static void quotes_of_other_protocols_and_later_fragments_are_refused(void **state)
{
    uint8_t d4[LEN4], d6[LEN6];
    struct icmp_error err;

    make4(3, 3, d4);
    d4[8 + 9] = 17;
    seal(d4, LEN4);
    assert_int_equal(icmp4_parse(d4, LEN4, &err), -EBADMSG);
    make4(3, 3, d4);
    d4[8 + 7] = 1;
    seal(d4, LEN4);
    assert_int_equal(icmp4_parse(d4, LEN4, &err), -EBADMSG);
    make4(3, 3, d4);
    d4[8] = 0x4f; /* options that are not there */
    seal(d4, LEN4);
    assert_int_equal(icmp4_parse(d4, LEN4, &err), -EBADMSG);
    make6(1, 4, d6);
    d6[8 + 6] = 17;
    assert_int_equal(icmp6_parse(d6, LEN6, &err), -EBADMSG);
}

/* It would pass for an error about an IPv4 connection. */
static void mapped_address_in_an_ipv6_quote_is_refused(void **state)
{
    uint8_t data[LEN6];
    struct ip_addr mapped = ip_addr_v4(there4);
    struct icmp_error err;

    make6(1, 4, data);
    memcpy(data + 8 + 24, mapped.b, 16);
    assert_int_equal(icmp6_parse(data, LEN6, &err), -EBADMSG);
    make6(1, 4, data);
    memcpy(data + 8 + 8, mapped.b, 16);
    assert_int_equal(icmp6_parse(data, LEN6, &err), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(icmpv4_errors_are_told_apart),
        cmocka_unit_test(icmpv6_errors_are_told_apart),
        cmocka_unit_test(what_is_no_error_is_refused),
        cmocka_unit_test(truncated_quotes_are_refused),
        cmocka_unit_test(wrong_checksum_is_refused),
        cmocka_unit_test(quotes_of_other_protocols_and_later_fragments_are_refused),
        cmocka_unit_test(mapped_address_in_an_ipv6_quote_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
