/* SPDX-License-Identifier: BSD-2-Clause */
/* Slow start that ends when round trips become longer: RFC 9406. */
#include "lib/script.h"

static struct script *starting(void **state, bool hystart)
{
    struct script *s = script(state);

    s->tun.slow_start_initial = 10;
    s->tun.pacing = 0;
    s->tun.hystart = hystart;
    script_start(s);
    s->p->wnd_bytes = 4000000;
    return opens_far(s, OFFER_SCALED, MS(100));
}

/* A window is sent, and each segment of it acknowledged after @rtt. Returns cwnd in segments. */
static uint32_t round_trip(struct script *s, usec_t rtt)
{
    int64_t una = info(s).snd_una - s->p->iss_ours, end;

    app_writes_some(s, 400000);
    forget_output(s);
    end = s->p->rcv_nxt;
    advance(s, rtt);
    while (una < end) {
        una = MIN(una + 1000, end);
        peer_acks(s, una);
        app_writes_some(s, 1000);
        forget_output(s);
    }
    return info(s).cwnd / 1000;
}

static void steady_round_trips_double_the_window(void **state)
{
    struct script *s = starting(state, true);

    assert_int_equal(round_trip(s, MS(100)), 20);
    assert_int_equal(round_trip(s, MS(101)), 40);
    assert_int_equal(round_trip(s, MS(99)), 80);
}

/* 4.2: 100 ms and an eighth more: after 8 samples growth is a quarter. */
static void longer_round_trips_slow_the_growth(void **state)
{
    struct script *s = starting(state, true);

    assert_int_equal(round_trip(s, MS(100)), 20);
    assert_int_equal(round_trip(s, MS(100)), 40);
    /* 8 ACKs that count whole, though the eighth is the one that decides; 32 by a quarter */
    assert_in_range(round_trip(s, MS(120)), 55, 57);
    assert_in_range(round_trip(s, MS(120)), 69, 71);
}

/* Less than RttThresh: as before. */
static void a_little_longer_is_no_reason(void **state)
{
    struct script *s = starting(state, true);

    assert_int_equal(round_trip(s, MS(100)), 20);
    assert_int_equal(round_trip(s, MS(100)), 40);
    assert_int_equal(round_trip(s, MS(110)), 80);
}

/* CSS_ROUNDS of it, and avoidance begins; no loss was needed. */
static void five_rounds_later_avoidance_begins(void **state)
{
    struct script *s = starting(state, true);
    int rounds = 0;

    round_trip(s, MS(100));
    round_trip(s, MS(100));
    while (info(s).ssthresh > 1000000 && rounds < 10) {
        round_trip(s, MS(120));
        rounds++;
    }
    assert_in_range(rounds, 5, 6);
    assert_int_equal(tcp_engine_counters(s->e)->hystart_exits, 1);
    assert_in_range(info(s).ssthresh, 90000, 180000);
}

/* Below the baseline again: it was an error, slow start goes on. */
static void shorter_round_trips_take_it_back(void **state)
{
    struct script *s = starting(state, true);
    uint32_t before;

    round_trip(s, MS(100));
    round_trip(s, MS(100));
    before = round_trip(s, MS(120));
    assert_true(before < 60);
    round_trip(s, MS(100));
    before = info(s).cwnd / 1000;
    assert_in_range(round_trip(s, MS(100)), 2 * before - 2, 2 * before + 2);
}

static void it_can_be_switched_off(void **state)
{
    struct script *s = starting(state, false);

    assert_int_equal(round_trip(s, MS(100)), 20);
    assert_int_equal(round_trip(s, MS(150)), 40);
    assert_int_equal(round_trip(s, MS(200)), 80);
}

static const struct CMUnitTest tests[] = {
    SCENARIO(steady_round_trips_double_the_window),
    SCENARIO(longer_round_trips_slow_the_growth),
    SCENARIO(a_little_longer_is_no_reason),
    SCENARIO(five_rounds_later_avoidance_begins),
    SCENARIO(shorter_round_trips_take_it_back),
    SCENARIO(it_can_be_switched_off),
};

SCRIPT_MAIN("hystart", tests)
