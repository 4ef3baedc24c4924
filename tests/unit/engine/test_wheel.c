/* SPDX-License-Identifier: BSD-2-Clause */
/* The timing wheel: never early, at most one tick late, whatever the distance. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/impl.h"

struct world {
    struct tunables tun;
    struct tcp_engine *engine;
    struct tcp_conn *conn;
    usec_t now, fired_at;
};

static void on_trace(void *ctx, const struct tcp_trace *t)
{
    struct world *w = ctx;

    if (t->what == TCP_TRACE_TIMER)
        w->fired_at = w->now;
}

static int setup(void **state)
{
    static struct world w;
    struct tcp_engine_init init = { .tun = &w.tun, .mem = *ring_mem_heap(), .now = 777 };
    struct flow flow = { .lport = 1, .rport = 2 };
    struct tcp_config config;

    w = (struct world){ .now = 777 };
    tunables_init(&w.tun);
    tcp_config_init(&config, &w.tun);
    assert_int_equal(tcp_engine_new(&init, &w.engine), 0);
    assert_int_equal(conn_new(w.engine, &flow, &config, w.now, &w.conn), 0);
    tcp_engine_set_trace(w.engine, on_trace, &w);
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    w->engine = tcp_engine_free(w->engine);
    return 0;
}

/* Step from deadline to deadline until it fires; returns when. */
static usec_t run_until_fired(struct world *w)
{
    w->fired_at = 0;
    for (int i = 0; i < 64 && !w->fired_at; i++) {
        usec_t at = tcp_engine_deadline(w->engine);

        assert_true(at != USEC_NEVER);
        assert_true(at >= w->now || at + 256 >= w->now);
        w->now = at > w->now ? at : w->now + 1;
        tcp_engine_advance(w->engine, w->now);
    }
    return w->fired_at;
}

static void timers_fire_in_time_at_every_distance(void **state)
{
    struct world *w = *state;

    for (usec_t d = 1; d < 400ULL * 24 * 3600 * USEC_PER_SEC; d = d * 5 / 3 + 1) {
        usec_t want = w->now + d, got;

        timer_set(w->conn, TIMER_REXMT, want);
        got = run_until_fired(w);
        assert_true(got >= want);
        assert_true(got <= want + 512);
    }
}

static void a_timer_moved_later_fires_later(void **state)
{
    struct world *w = *state;
    usec_t want = w->now + 500000;

    timer_set(w->conn, TIMER_REXMT, w->now + 1000);
    timer_set(w->conn, TIMER_REXMT, want);
    assert_true(run_until_fired(w) >= want);
}

static void a_timer_moved_earlier_fires_earlier(void **state)
{
    struct world *w = *state;
    usec_t want = w->now + 1000;

    timer_set(w->conn, TIMER_REXMT, w->now + 50000000);
    timer_set(w->conn, TIMER_REXMT, want);
    assert_true(run_until_fired(w) <= want + 512);
}

static void a_stopped_timer_does_not_fire(void **state)
{
    struct world *w = *state;

    timer_set(w->conn, TIMER_REXMT, w->now + 1000);
    timer_stop(w->conn, TIMER_REXMT);
    w->fired_at = 0;
    w->now += 10 * USEC_PER_SEC;
    tcp_engine_advance(w->engine, w->now);
    assert_int_equal(w->fired_at, 0);
    assert_true(tcp_engine_deadline(w->engine) == USEC_NEVER);
}

/* A suspended host: years pass in one step. */
static void a_jump_of_the_clock_fires_what_was_due(void **state)
{
    struct world *w = *state;

    timer_set(w->conn, TIMER_REXMT, w->now + 60 * USEC_PER_SEC);
    w->fired_at = 0;
    w->now += 20ULL * 365 * 24 * 3600 * USEC_PER_SEC;
    tcp_engine_advance(w->engine, w->now);
    assert_int_equal(w->fired_at, w->now);
}

#define WHEEL_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WHEEL_TEST(timers_fire_in_time_at_every_distance),
        WHEEL_TEST(a_timer_moved_later_fires_later),
        WHEEL_TEST(a_timer_moved_earlier_fires_earlier),
        WHEEL_TEST(a_stopped_timer_does_not_fire),
        WHEEL_TEST(a_jump_of_the_clock_fires_what_was_due),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
