/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "engine/rtt.h"

#define MS USEC_PER_MSEC

/* RFC 6298 2.2 to 2.4: the estimator step by step. Times in ms. */
static void samples_move_the_rto_as_the_rfc_says(void **state)
{
    static const struct {
        uint64_t sample, srtt, rttvar, rto;
    } rows[] = {
        { 100, 100000, 50000, 300000 },   /* first: SRTT = R, RTTVAR = R/2 */
        { 100, 100000, 37500, 250000 },   /* steady: the variance decays */
        { 180, 110000, 48125, 302500 },   /* |SRTT - R'| = 80 */
        { 20, 98750, 58593, 333122 },
    };
    struct rtt rtt;

    rtt_init(&rtt, 1000 * MS, 1 * MS, 60000 * MS, 0);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        rtt_sample(&rtt, rows[i].sample * MS);
        assert_int_equal(rtt.srtt, rows[i].srtt);
        assert_int_equal(rtt.rttvar, rows[i].rttvar);
        assert_int_equal(rtt.rto, rows[i].rto);
    }
}

/* 2.1, 2.4, 2.5 */
static void the_rto_stays_within_its_limits(void **state)
{
    struct rtt rtt;

    rtt_init(&rtt, 1000 * MS, 400 * MS, 60000 * MS, 0);
    assert_int_equal(rtt.rto, 1000 * MS);
    rtt_sample(&rtt, 1 * MS);
    assert_int_equal(rtt.rto, 400 * MS);
    for (int i = 0; i < 50; i++)
        rtt_sample(&rtt, 100000 * MS);
    assert_int_equal(rtt.rto, 60000 * MS);
    rtt_limits(&rtt, 1 * MS, 2000 * MS);
    assert_int_equal(rtt.rto, 2000 * MS);
}

/* 5.5: each timeout doubles, the maximum stops it. */
static void back_off_doubles_up_to_the_maximum(void **state)
{
    struct rtt rtt;

    rtt_init(&rtt, 1000 * MS, 400 * MS, 60000 * MS, 0);
    assert_int_equal(rtt_rto(&rtt, 0), 1000 * MS);
    assert_int_equal(rtt_rto(&rtt, 3), 8000 * MS);
    assert_int_equal(rtt_rto(&rtt, 6), 60000 * MS);
    assert_int_equal(rtt_rto(&rtt, 255), 60000 * MS);
}

/* G: with a variance of nothing the RTO is still above SRTT. */
static void a_constant_rtt_leaves_slack_for_the_clock(void **state)
{
    struct rtt rtt;

    rtt_init(&rtt, 1000 * MS, 1 * MS, 60000 * MS, 0);
    for (int i = 0; i < 200; i++)
        rtt_sample(&rtt, 50 * MS);
    assert_in_range(rtt.rto, 51 * MS, 52 * MS);
}

static void the_smallest_sample_is_remembered(void **state)
{
    struct rtt rtt;

    rtt_init(&rtt, 1000 * MS, 1 * MS, 60000 * MS, 0);
    assert_true(rtt.min_rtt == USEC_NEVER);
    rtt_sample(&rtt, 30 * MS);
    rtt_sample(&rtt, 10 * MS);
    rtt_sample(&rtt, 90 * MS);
    assert_int_equal(rtt.min_rtt, 10 * MS);
    assert_int_equal(rtt.latest, 90 * MS);
}

/* {at, sample, minimum}: it lasts from half a minute to a whole one. */
static void an_old_minimum_is_forgotten(void **state)
{
    static const struct {
        uint64_t at_s, sample, min;
    } rows[] = {
        { 0, 10, 10 },   { 5, 50, 10 },  { 29, 40, 10 },
        { 31, 60, 10 }, /* the next half minute: 10 is the smallest of the last one */
        { 62, 70, 60 }, /* and now 60 is */
        { 63, 20, 20 },  { 200, 90, 90 }, /* long idle: nothing of it counts */
    };
    usec_t since = 0, next = 0;
    struct rtt rtt;

    rtt_init(&rtt, 1000 * MS, 1 * MS, 60000 * MS, 0);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        usec_t now = (1000 + rows[i].at_s) * USEC_PER_SEC;

        rtt_sample(&rtt, rows[i].sample * MS);
        rtt_min_window(&rtt, rows[i].sample * MS, &since, &next, now);
        assert_int_equal(rtt.min_rtt, rows[i].min * MS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_move_the_rto_as_the_rfc_says),
        cmocka_unit_test(the_rto_stays_within_its_limits),
        cmocka_unit_test(back_off_doubles_up_to_the_maximum),
        cmocka_unit_test(a_constant_rtt_leaves_slack_for_the_clock),
        cmocka_unit_test(the_smallest_sample_is_remembered),
        cmocka_unit_test(an_old_minimum_is_forgotten),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
