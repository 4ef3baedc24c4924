/* SPDX-License-Identifier: BSD-2-Clause */
#include "cm.h"

#include <unistd.h>

#include "loop/loop.h"

#define MS USEC_PER_MSEC

struct fix {
    struct loop *loop;
    unsigned wakes, due;
    usec_t deadline, began, woke;
    unsigned stop_after;
    bool keep_awake;
};

static void on_wake(void *ctx, unsigned due, usec_t now)
{
    struct fix *f = ctx;

    f->due |= due;
    f->woke = now;
    if (f->keep_awake)
        loop_wake_now(f->loop, 4);
    if (++f->wakes >= f->stop_after)
        loop_stop(f->loop);
}

static void start(struct fix *f, unsigned stop_after)
{
    const struct loop_handler handler = { f, on_wake };

    *f = (struct fix){ .stop_after = stop_after, .began = loop_now() };
    assert_int_equal(loop_new(&handler, &f->loop), 0);
}

static void a_readable_fd_reports_its_bit(void **state)
{
    struct fix f;
    int p[2], q[2];

    start(&f, 1);
    assert_int_equal(pipe(p), 0);
    assert_int_equal(pipe(q), 0);
    assert_int_equal(loop_watch(f.loop, p[0], LOOP_READ, 1), 0);
    assert_int_equal(loop_watch(f.loop, q[0], LOOP_READ, 2), 0);
    assert_int_equal(write(q[1], "x", 1), 1);
    loop_run(f.loop);
    assert_int_equal(f.due, 2);
    loop_free(f.loop);
    for (int i = 0; i < 2; i++) {
        (void)close(p[i]);
        (void)close(q[i]);
    }
}

static void two_ready_fds_are_one_wake_up(void **state)
{
    struct fix f;
    int p[2], q[2];

    start(&f, 1);
    assert_int_equal(pipe(p), 0);
    assert_int_equal(pipe(q), 0);
    assert_int_equal(loop_watch(f.loop, p[0], LOOP_READ, 1), 0);
    assert_int_equal(loop_watch(f.loop, q[0], LOOP_READ, 2), 0);
    assert_int_equal(write(p[1], "x", 1), 1);
    assert_int_equal(write(q[1], "x", 1), 1);
    loop_run(f.loop);
    assert_int_equal(f.due, 3);
    assert_int_equal(f.wakes, 1);
    loop_free(f.loop);
    for (int i = 0; i < 2; i++) {
        (void)close(p[i]);
        (void)close(q[i]);
    }
}

static void writable_is_reported_once_until_asked_again(void **state)
{
    struct fix f;
    int p[2];

    start(&f, 1);
    assert_int_equal(pipe(p), 0);
    assert_int_equal(loop_watch(f.loop, p[1], LOOP_WRITE_ONCE, 8), 0);
    loop_run(f.loop);
    assert_int_equal(f.due, 8);
    f.due = 0;
    loop_wake_at(f.loop, loop_now(), loop_now() + 5 * MS);
    loop_run(f.loop);
    assert_int_equal(f.due, 0); /* it was the timer */
    assert_int_equal(loop_watch(f.loop, p[1], LOOP_WRITE_ONCE, 8), 0);
    loop_run(f.loop);
    assert_int_equal(f.due, 8);
    loop_free(f.loop);
    (void)close(p[0]);
    (void)close(p[1]);
}

static void it_wakes_at_the_deadline_and_not_long_before(void **state)
{
    struct fix f;

    start(&f, 1);
    loop_wake_at(f.loop, f.began, f.began + 30 * MS);
    loop_run(f.loop);
    assert_true(f.woke + 2 * MS >= f.began + 30 * MS);
    loop_free(f.loop);
}

static void an_earlier_deadline_replaces_a_later_one(void **state)
{
    struct fix f;

    start(&f, 1);
    loop_wake_at(f.loop, f.began, f.began + 3600 * USEC_PER_SEC);
    loop_wake_at(f.loop, f.began, f.began + 5 * MS);
    loop_run(f.loop);
    assert_true(f.woke < f.began + 10 * USEC_PER_SEC);
    loop_free(f.loop);
}

static void a_deadline_in_the_past_wakes_at_once(void **state)
{
    struct fix f;

    start(&f, 1);
    loop_wake_at(f.loop, f.began, f.began - 1);
    loop_run(f.loop);
    assert_int_equal(f.wakes, 1);
    loop_free(f.loop);
}

static void what_remains_keeps_it_awake_and_is_reported_again(void **state)
{
    struct fix f;

    start(&f, 3);
    f.keep_awake = true;
    loop_wake_now(f.loop, 1);
    loop_run(f.loop);
    assert_int_equal(f.wakes, 3);
    assert_int_equal(f.due, 5);
    loop_free(f.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_readable_fd_reports_its_bit),
        cmocka_unit_test(two_ready_fds_are_one_wake_up),
        cmocka_unit_test(writable_is_reported_once_until_asked_again),
        cmocka_unit_test(it_wakes_at_the_deadline_and_not_long_before),
        cmocka_unit_test(an_earlier_deadline_replaces_a_later_one),
        cmocka_unit_test(a_deadline_in_the_past_wakes_at_once),
        cmocka_unit_test(what_remains_keeps_it_awake_and_is_reported_again),
    };

    return cmocka_run_group_tests_name("loop/loop", tests, NULL, NULL);
}
