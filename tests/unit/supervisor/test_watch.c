/* SPDX-License-Identifier: BSD-2-Clause */
#include "cm.h"

#include "supervisor/watch.h"

#define S USEC_PER_SEC

static void a_worker_that_beats_is_not_silent(void **state)
{
    struct watch_state w = { 0 };

    watch_started(&w, 100 * S);
    for (usec_t t = 100; t < 300; t += 29)
        assert_false(watch_silent(&w, t, t * S));
}

static void thirty_seconds_without_a_beat_are_silence(void **state)
{
    struct watch_state w = { 0 };

    watch_started(&w, 100 * S);
    assert_false(watch_silent(&w, 5, 110 * S));
    assert_false(watch_silent(&w, 5, 139 * S));
    assert_true(watch_silent(&w, 5, 140 * S));
}

static void a_worker_that_never_beats_is_silent_after_thirty_seconds(void **state)
{
    struct watch_state w = { .beat = 77 };

    watch_started(&w, 100 * S);
    assert_false(watch_silent(&w, 77, 129 * S)); /* the beat of the one before */
    assert_true(watch_silent(&w, 77, 130 * S));
}

static void five_deaths_in_ten_seconds_are_too_many(void **state)
{
    struct watch_state w = { 0 };

    for (usec_t i = 0; i < 4; i++)
        assert_false(watch_died(&w, (100 + i) * S));
    assert_true(watch_died(&w, 110 * S));
}

static void deaths_now_and_then_are_not(void **state)
{
    struct watch_state w = { 0 };

    for (usec_t i = 0; i < 100; i++)
        assert_false(watch_died(&w, (100 + i * 3) * S));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_worker_that_beats_is_not_silent),
        cmocka_unit_test(thirty_seconds_without_a_beat_are_silence),
        cmocka_unit_test(a_worker_that_never_beats_is_silent_after_thirty_seconds),
        cmocka_unit_test(five_deaths_in_ten_seconds_are_too_many),
        cmocka_unit_test(deaths_now_and_then_are_not),
    };

    return cmocka_run_group_tests_name("supervisor/watch", tests, NULL, NULL);
}
