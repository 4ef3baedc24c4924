/* SPDX-License-Identifier: BSD-2-Clause */
/* Options, good and bad: RFC 9293 3.2 MUST-5 to MUST-7, RFC 7323, RFC 2018. */
#include "cm.h"

#include "base/cleanup.h"
#include "lib/rng.h"
#include "wire/tcp_options.h"

struct row {
    const char *bytes;
    size_t len;
};

#define ROW(text) { text, sizeof(text) - 1 }

/* In memory of just their size, so that a read beyond the end is seen. */
static bool parse(const struct row *row, bool syn, struct tcp_options *ret)
{
    uint8_t *exact = malloc(row->len ? row->len : 1);
    bool ok;

    assert_non_null(exact);
    memcpy(exact, row->bytes, row->len);
    ok = tcp_options_parse(exact, row->len, syn, ret);
    free(exact);
    return ok;
}

static void all_known_options_are_read(void **state)
{
    static const struct row row = ROW("\x02\x04\x05\xb4\x04\x02\x08\x0a\x01\x02\x03\x04\x05\x06"
                                      "\x07\x08\x01\x03\x03\x07");
    struct tcp_options o;

    assert_true(parse(&row, true, &o));
    assert_true(o.has_mss && o.has_sack_ok && o.has_ts && o.has_wscale);
    assert_int_equal(o.mss, 1460);
    assert_int_equal(o.tsval, 0x01020304);
    assert_int_equal(o.tsecr, 0x05060708);
    assert_int_equal(o.wscale, 7);
}

static void options_of_a_syn_mean_nothing_elsewhere(void **state)
{
    static const struct row row = ROW("\x02\x04\x05\xb4\x04\x02\x01\x03\x03\x07\x01\x01");
    struct tcp_options o;

    assert_true(parse(&row, false, &o));
    assert_false(o.has_mss || o.has_sack_ok || o.has_wscale);
}

static void sack_blocks_mean_nothing_on_a_syn(void **state)
{
    static const struct row row = ROW("\x01\x01\x05\x0a\x00\x00\x00\x01\x00\x00\x00\x02");
    struct tcp_options o;

    assert_true(parse(&row, true, &o));
    assert_int_equal(o.sacks, 0);
    assert_true(parse(&row, false, &o));
    assert_int_equal(o.sacks, 1);
    assert_int_equal(o.sack[0].start.v, 1);
    assert_int_equal(o.sack[0].end.v, 2);
}

/* MUST-5: order and alignment are the sender's business. */
static void any_order_and_alignment_is_read(void **state)
{
    static const struct row row = ROW("\x01\x03\x03\x02\x08\x0a\x00\x00\x00\x09\x00\x00\x00\x00"
                                      "\x01\x02\x04\x02\x18");
    struct tcp_options o;

    assert_true(parse(&row, true, &o));
    assert_true(o.has_wscale && o.has_ts && o.has_mss);
    assert_int_equal(o.mss, 536);
    assert_int_equal(o.tsval, 9);
}

/* MUST-6 */
static void unknown_options_are_skipped(void **state)
{
    static const struct row row = ROW("\x22\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x02\x04\x02\x18"
                                      "\xfe\x02");
    struct tcp_options o;

    assert_true(parse(&row, true, &o));
    assert_true(o.has_mss);
}

/* After End of Option List anything may follow. */
static void the_end_of_the_list_is_the_end(void **state)
{
    static const struct row row = ROW("\x01\x00\x02\x04\x02\x18\x22\x00");
    struct tcp_options o;

    assert_true(parse(&row, true, &o));
    assert_false(o.has_mss);
}

/* MUST-7: an impossible length, or one that runs over the header's end. */
static void impossible_lengths_are_refused(void **state)
{
    static const struct row rows[] = {
        ROW("\x02"), ROW("\x02\x00"), ROW("\x02\x01"), ROW("\x02\x04"), ROW("\x02\x04\x05"),
        ROW("\x01\x01\x01\x08"), ROW("\x08\x0a\x00\x00"), ROW("\x05\x22\x00\x00"),
        ROW("\x99"), ROW("\x99\x00\x00\x00"), ROW("\x99\x01\x00\x00"), ROW("\x99\x05\x00\x00"),
        ROW("\x04\xff"), ROW("\x01\x03\x04\x01"),
    };
    struct tcp_options o;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (parse(&rows[i], true, &o) || parse(&rows[i], false, &o))
            fail_msg("row %zu", i);
}

/* tcp_header.h: a known kind of another length is as if it were not there. */
static void a_known_option_of_wrong_length_is_skipped(void **state)
{
    static const struct row rows[] = {
        ROW("\x02\x03\x05\x01"), ROW("\x02\x05\x05\xb4\x00"), ROW("\x03\x02\x01\x01"),
        ROW("\x03\x04\x01\x01"), ROW("\x04\x03\x01\x01"), ROW("\x08\x09\x00\x00\x00\x00\x00\x00\x00"),
        ROW("\x05\x02\x01\x01"), ROW("\x05\x09\x00\x00\x00\x00\x00\x00\x00"),
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct tcp_options o;

        assert_true(parse(&rows[i], true, &o));
        assert_false(o.has_mss || o.has_wscale || o.has_sack_ok || o.has_ts || o.sacks);
        assert_true(parse(&rows[i], false, &o));
        assert_false(o.has_ts || o.sacks);
    }
}

/* RFC 7323 2.3 */
static void a_shift_above_14_is_14(void **state)
{
    static const struct row row = ROW("\x03\x03\xff");
    struct tcp_options o;

    assert_true(parse(&row, true, &o));
    assert_int_equal(o.wscale, TCP_MAX_WSCALE);
}

static void no_bytes_are_no_options(void **state)
{
    static const struct row row = { "", 0 };
    struct tcp_options o;

    assert_true(parse(&row, true, &o));
}

/* RFC 2018 3: four blocks, three beside timestamps; what does not fit is left out. */
static void only_the_sack_blocks_that_fit_are_built(void **state)
{
    struct tcp_options o = { .sacks = 4 };
    uint8_t buf[TCP_OPTIONS_MAX];

    for (uint32_t i = 0; i < 4; i++)
        o.sack[i] = (struct seq_range){ seq_of(10 * i), seq_of(10 * i + 5) };
    assert_int_equal(tcp_options_max_sacks(&o), 4);
    assert_int_equal(tcp_options_build(&o, buf), 36);
    o.has_ts = true;
    assert_int_equal(tcp_options_max_sacks(&o), 3);
    assert_int_equal(tcp_options_build(&o, buf), 40);
    assert_int_equal(buf[14], 5);
    assert_int_equal(buf[15], 26);
}

/* illumos' order: MSS, then SACK-permitted with timestamps, then scale, all aligned. */
static void a_syn_is_laid_out_in_words(void **state)
{
    static const uint8_t want[] = { 2, 4, 0x05, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0,
                                    1, 3, 3, 5 };
    struct tcp_options o = { .has_mss = true, .mss = 1460, .has_sack_ok = true, .has_ts = true,
                             .tsval = 1, .has_wscale = true, .wscale = 5 };
    uint8_t buf[TCP_OPTIONS_MAX];

    assert_int_equal(tcp_options_build(&o, buf), sizeof(want));
    assert_memory_equal(buf, want, sizeof(want));
}

static void noise_never_runs_over_the_end(void **state)
{
    struct rng r = { 5 };

    for (int round = 0; round < 20000; round++) {
        char bytes[40];
        struct row row = { bytes, rng_upto(&r, sizeof(bytes)) };
        struct tcp_options o;

        for (size_t i = 0; i < sizeof(bytes); i++)
            bytes[i] = (char)rng_upto(&r, rng_upto(&r, 1) ? 10 : 255);
        (void)parse(&row, rng_upto(&r, 1), &o);
        assert_true(o.sacks <= TCP_MAX_SACKS);
        assert_true(o.wscale <= TCP_MAX_WSCALE);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_known_options_are_read),
        cmocka_unit_test(options_of_a_syn_mean_nothing_elsewhere),
        cmocka_unit_test(sack_blocks_mean_nothing_on_a_syn),
        cmocka_unit_test(any_order_and_alignment_is_read),
        cmocka_unit_test(unknown_options_are_skipped),
        cmocka_unit_test(the_end_of_the_list_is_the_end),
        cmocka_unit_test(impossible_lengths_are_refused),
        cmocka_unit_test(a_known_option_of_wrong_length_is_skipped),
        cmocka_unit_test(a_shift_above_14_is_14),
        cmocka_unit_test(no_bytes_are_no_options),
        cmocka_unit_test(only_the_sack_blocks_that_fit_are_built),
        cmocka_unit_test(a_syn_is_laid_out_in_words),
        cmocka_unit_test(noise_never_runs_over_the_end),
    };

    return cmocka_run_group_tests_name("wire/tcp_options", tests, NULL, NULL);
}
