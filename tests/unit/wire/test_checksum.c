/* SPDX-License-Identifier: BSD-2-Clause */
/* The fast sums against the plainest loop that RFC 1071 4.1 allows. */
#include "cm.h"

#include "lib/rng.h"
#include "wire/checksum.h"

/* Big-endian words, as the RFC writes it; returned in memory order. */
static uint16_t naive(const uint8_t *p, size_t len)
{
    uint32_t sum = 0;
    uint16_t folded;
    uint8_t out[2];

    for (size_t i = 0; i + 1 < len; i += 2)
        sum += (uint32_t)(p[i] << 8 | p[i + 1]);
    if (len % 2)
        sum += (uint32_t)p[len - 1] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    out[0] = (uint8_t)(sum >> 8);
    out[1] = (uint8_t)sum;
    memcpy(&folded, out, 2);
    return folded;
}

static void randomize(struct rng *r, uint8_t *p, size_t len)
{
    for (size_t i = 0; i < len; i++)
        p[i] = (uint8_t)rng_next(r);
}

/* RFC 1071 3: the example of the RFC itself. */
static void the_example_of_the_rfc(void **state)
{
    static const uint8_t in[] = { 0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7 };
    static const uint8_t want[] = { 0xdd, 0xf2 };
    uint16_t got = checksum_fold(checksum_partial(0, in, sizeof(in)));

    assert_memory_equal(&got, want, 2);
}

static void every_length_at_every_alignment(void **state)
{
    struct rng r = { 1 };
    uint8_t buf[300 + 8];

    for (size_t align = 0; align < 8; align++)
        for (size_t len = 0; len <= 300; len++) {
            randomize(&r, buf, sizeof(buf));
            if (checksum_fold(checksum_partial(0, buf + align, len)) != naive(buf + align, len))
                fail_msg("%zu bytes at alignment %zu", len, align);
        }
}

/* Carries that run through every lane. */
static void all_ones_and_all_zeros(void **state)
{
    static uint8_t buf[70000];

    for (size_t len = 1; len < sizeof(buf); len = len * 2 + 1) {
        memset(buf, 0xff, len);
        assert_int_equal(checksum_fold(checksum_partial(0, buf, len)), naive(buf, len));
        memset(buf, 0, len);
        assert_int_equal(checksum_fold(checksum_partial(0, buf, len)), 0);
    }
}

static void a_sum_goes_on_where_another_ended(void **state)
{
    struct rng r = { 2 };
    uint8_t buf[200];

    for (size_t cut = 0; cut <= sizeof(buf); cut += 2) {
        uint32_t sum;

        randomize(&r, buf, sizeof(buf));
        sum = checksum_partial(0, buf, cut);
        sum = checksum_partial(sum, buf + cut, sizeof(buf) - cut);
        assert_int_equal(checksum_fold(sum), naive(buf, sizeof(buf)));
    }
}

/* Pieces of any length, odd ones and empty ones too. */
static void pieces_sum_up_like_the_whole(void **state)
{
    struct rng r = { 3 };
    uint8_t buf[500];

    for (int round = 0; round < 3000; round++) {
        struct iovec iov[6];
        size_t at = 0;

        randomize(&r, buf, sizeof(buf));
        for (int i = 0; i < 6; i++) {
            size_t len = rng_upto(&r, i == 5 ? 1 : 90);

            iov[i] = (struct iovec){ buf + at, len };
            at += len;
        }
        assert_int_equal(checksum_fold(checksum_iov(0, iov, 6)), naive(buf, at));
    }
}

/* RFC 9293 3.1: source, destination, zero, protocol, length. */
static void the_ipv4_pseudo_header(void **state)
{
    uint8_t flat[12] = { 192, 0, 2, 1, 198, 51, 100, 7, 0, 6, 0x12, 0x34 };
    struct ip_addr src = ip_addr_v4(flat), dst = ip_addr_v4(flat + 4);

    assert_int_equal(checksum_fold(checksum_pseudo(&src, &dst, 6, 0x1234)),
                     naive(flat, sizeof(flat)));
}

/* RFC 8200 8.1: 32 bits of length, three zeros, next header. */
static void the_ipv6_pseudo_header(void **state)
{
    struct rng r = { 4 };
    uint8_t flat[40];
    struct ip_addr src, dst;

    randomize(&r, flat, 32);
    memcpy(flat + 32, "\x00\x01\x23\x45\x00\x00\x00\x06", 8);
    src = ip_addr_v6(flat);
    dst = ip_addr_v6(flat + 16);
    assert_int_equal(checksum_fold(checksum_pseudo(&src, &dst, 6, 0x12345)), naive(flat, 40));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_of_the_rfc),
        cmocka_unit_test(every_length_at_every_alignment),
        cmocka_unit_test(all_ones_and_all_zeros),
        cmocka_unit_test(a_sum_goes_on_where_another_ended),
        cmocka_unit_test(pieces_sum_up_like_the_whole),
        cmocka_unit_test(the_ipv4_pseudo_header),
        cmocka_unit_test(the_ipv6_pseudo_header),
    };

    return cmocka_run_group_tests_name("wire/checksum", tests, NULL, NULL);
}
