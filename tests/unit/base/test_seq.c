/* SPDX-License-Identifier: BSD-2-Clause */
/* Sequence numbers modulo 2^32: RFC 9293 3.4. */
#include "cm.h"

#include "base/seq.h"

/* Everything below must hold wherever on the circle it starts. */
static const uint32_t starts[] = { 0, 1, 0x7fffffff, 0x80000000, 0x80000001, 0xfffffffe,
                                   0xffffffff };

static void order_holds_across_the_wrap(void **state)
{
    for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
        struct seq a = seq_of(starts[i]);

        for (uint32_t d = 1; d < 0x80000000u; d = d * 3 + 1) {
            struct seq b = seq_add(a, d);

            assert_true(seq_lt(a, b) && seq_leq(a, b) && seq_gt(b, a) && seq_geq(b, a));
            assert_false(seq_lt(b, a) || seq_leq(b, a) || seq_gt(a, b) || seq_geq(a, b));
            assert_int_equal(seq_diff(b, a), (int32_t)d);
            assert_int_equal(seq_diff(a, b), -(int32_t)d);
            assert_int_equal(seq_len(a, b), d);
            assert_true(seq_eq(seq_dec(b, d), a));
        }
    }
}

static void a_number_equals_itself(void **state)
{
    for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
        struct seq a = seq_of(starts[i]);

        assert_true(seq_eq(a, a) && seq_leq(a, a) && seq_geq(a, a));
        assert_false(seq_lt(a, a) || seq_gt(a, a));
        assert_int_equal(seq_diff(a, a), 0);
    }
}

static void an_interval_is_half_open(void **state)
{
    for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
        struct seq from = seq_of(starts[i]), to = seq_add(from, 1000);

        assert_true(seq_in(from, from, to));
        assert_true(seq_in(seq_add(from, 999), from, to));
        assert_false(seq_in(to, from, to));
        assert_false(seq_in(seq_dec(from, 1), from, to));
        assert_false(seq_in(from, from, from));
    }
}

static void min_and_max_follow_the_circle(void **state)
{
    struct seq a = seq_of(0xfffffff0), b = seq_of(0x10);

    assert_true(seq_eq(seq_min(a, b), a) && seq_eq(seq_min(b, a), a));
    assert_true(seq_eq(seq_max(a, b), b) && seq_eq(seq_max(b, a), b));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_holds_across_the_wrap),
        cmocka_unit_test(a_number_equals_itself),
        cmocka_unit_test(an_interval_is_half_open),
        cmocka_unit_test(min_and_max_follow_the_circle),
    };

    return cmocka_run_group_tests_name("base/seq", tests, NULL, NULL);
}
