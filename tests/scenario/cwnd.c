/* SPDX-License-Identifier: BSD-2-Clause */
/* The congestion window: RFC 5681 3.1 and 4.1, RFC 3390, RFC 3465. */
#include "lib/script.h"

static unsigned first_flight(struct script *s)
{
    app_writes_some(s, 40000);
    return forget_output(s);
}

/* RFC 3390: min(4 MSS, max(2 MSS, 4380 bytes)). */
static void the_initial_window_is_4380_bytes_at_ethernet_size(void **state)
{
    struct script *s = established_with(state, (struct offer){ .mss = 1460, .wscale = NONE });

    assert_int_equal(first_flight(s), 3);
}

static void the_initial_window_is_four_small_segments(void **state)
{
    assert_int_equal(first_flight(established(state)), 4);
}

static void the_initial_window_is_two_large_segments(void **state)
{
    struct script *s = script(state);

    script_start(s);
    s->path.mtu = 9000;
    opens(s, (struct offer){ .mss = 4000, .wscale = NONE });
    assert_int_equal(first_flight(s), 2);
}

/* TCP_INIT_CWND and _slow_start_initial. */
static void the_initial_window_is_an_option(void **state)
{
    struct script *s = script(state);

    script_start(s);
    s->config.init_cwnd_segs = 10;
    opens(s, OFFER_PLAIN);
    assert_int_equal(first_flight(s), 10);
}

static void the_initial_window_is_a_tunable(void **state)
{
    struct script *s = script(state);

    s->tun.slow_start_initial = 2;
    opens(s, OFFER_PLAIN);
    assert_int_equal(first_flight(s), 2);
}

/* RFC 5681 3.1 (2): by at most one segment for each ACK of one. */
static void slow_start_grows_by_one_segment_per_ack(void **state)
{
    struct script *s = established(state);

    first_flight(s);
    for (int i = 1; i <= 4; i++) {
        peer_acks(s, 1 + 1000 * i);
        assert_int_equal(info(s).cwnd, 4000 + 1000 * i);
    }
}

/* RFC 3465 2.2: by the bytes acknowledged, at most L = 2 segments. */
static void byte_counting_grows_by_at_most_two_segments(void **state)
{
    struct script *s = established(state);

    first_flight(s);
    peer_acks(s, 2001);
    assert_int_equal(info(s).cwnd, 6000);
    peer_acks(s, 2201);
    assert_in_range(info(s).cwnd, 6000, 6200);
    forget_output(s);
    peer_acks(s, s->p->rcv_nxt);
    assert_in_range(info(s).cwnd, 8000, 8200);
}

static void without_byte_counting_each_ack_counts_one(void **state)
{
    struct script *s = script(state);

    s->tun.abc = 0;
    opens(s, OFFER_PLAIN);
    first_flight(s);
    peer_acks(s, 4001);
    assert_int_equal(info(s).cwnd, 5000);
}

/* A timeout leaves ssthresh at two segments: avoidance begins at once. */
static struct script *avoiding(void **state)
{
    struct script *s = established(state);

    first_flight(s);
    advance(s, MS(500));
    assert_int_equal(info(s).ssthresh, 2000);
    for (int i = 0; i < 20 && info(s).cwnd < 2000; i++) {
        forget_output(s);
        peer_acks(s, s->p->rcv_nxt);
    }
    return s;
}

/* RFC 5681 3.1: one segment for each window acknowledged. */
static void avoidance_grows_by_one_segment_per_window(void **state)
{
    struct script *s = avoiding(state);
    uint32_t before;

    for (int round = 0; round < 6; round++) {
        int64_t una, target;

        app_writes_some(s, 40000);
        forget_output(s);
        before = info(s).cwnd;
        una = info(s).snd_una - s->p->iss_ours;
        target = s->p->rcv_nxt;
        while (una < target) {
            una = MIN(una + 1000, target);
            peer_acks(s, una);
        }
        assert_in_range(info(s).cwnd, before, before + 1100);
    }
    assert_in_range(info(s).cwnd, 4000, 8000);
}

/* RFC 5681 3.1 (4): ssthresh = max(FlightSize / 2, 2 MSS), once per loss. */
static void a_timeout_halves_ssthresh_once(void **state)
{
    struct script *s = established(state);

    grow_cwnd(s, 16);
    app_writes(s, 16000);
    forget_output(s);
    advance(s, MS(500));
    assert_int_equal(info(s).ssthresh, 8000);
    assert_int_equal(info(s).cwnd, 1000);
    advance(s, SEC(1));
    assert_int_equal(info(s).ssthresh, 8000);
}

/* RFC 7661: a window that is not used does not grow. */
static void an_unused_window_does_not_grow(void **state)
{
    struct script *s = established(state);

    for (int i = 0; i < 50; i++) {
        app_writes(s, 100);
        forget_output(s);
        peer_acks(s, s->p->rcv_nxt);
    }
    assert_true(info(s).cwnd <= 5000);
}

static void the_ceiling_is_obeyed(void **state)
{
    struct script *s = script(state);

    s->tun.cwnd_max = 6000;
    opens(s, OFFER_PLAIN);
    for (int i = 0; i < 20; i++) {
        app_writes_some(s, 30000);
        assert_true(forget_output(s) <= 6);
        peer_acks(s, s->p->rcv_nxt);
    }
}

/* RFC 5681 4.1: after an idle RTO the window is the initial one again. */
static void idling_restarts_slow_start(void **state)
{
    struct script *s = established(state);

    grow_cwnd(s, 12);
    advance(s, SEC(10));
    app_writes(s, 12000);
    assert_int_equal(forget_output(s), 4);
}

/* RFC 5681 4.1: less than an RTO is no idling. */
static void a_short_pause_keeps_the_window(void **state)
{
    struct script *s = established(state);

    grow_cwnd(s, 12);
    advance(s, MS(300));
    app_writes(s, 12000);
    assert_int_equal(forget_output(s), 12);
}

/* RFC 9293 3.8.6: the peer's window counts as well. */
static void the_smaller_of_both_windows_rules(void **state)
{
    struct script *s = script(state);

    script_start(s);
    s->p->wnd_bytes = 2000;
    opens(s, OFFER_PLAIN);
    app_writes(s, 4000);
    assert_int_equal(forget_output(s), 2);
    s->p->wnd_bytes = 65535;
    peer_acks(s, 1);
    assert_int_equal(forget_output(s), 2);
}

/* RFC 5681 4.2: ACK division gains nothing with byte counting. */
static void divided_acks_gain_nothing(void **state)
{
    struct script *s = established(state);

    first_flight(s);
    for (int i = 1; i <= 100; i++)
        peer_acks(s, 1 + 10 * i);
    assert_in_range(info(s).cwnd, 4000, 5100);
}

/* TCP_CONGESTION on a living connection: the next loss is already the other one's. */
static void the_algorithm_changes_while_it_lives(void **state)
{
    struct script *s = established(state);
    struct tcp_config config;
    int64_t una;

    grow_cwnd(s, 10);
    config = app_config(s);
    config.cc = TCP_CC_CUBIC;
    app_configures(s, &config);
    assert_int_equal(info(s).cc, TCP_CC_CUBIC);
    una = s->p->rcv_nxt;
    app_writes(s, 10000);
    assert_int_equal(forget_output(s), 10);
    inject(s, SEG(ACK, .ack = una, SACKED(una + 1000, una + 10000)));
    assert_int_equal(info(s).ssthresh, 7000);
}

static const struct CMUnitTest tests[] = {
    SCENARIO(the_initial_window_is_4380_bytes_at_ethernet_size),
    SCENARIO(the_initial_window_is_four_small_segments),
    SCENARIO(the_initial_window_is_two_large_segments),
    SCENARIO(the_initial_window_is_an_option),
    SCENARIO(the_initial_window_is_a_tunable),
    SCENARIO(slow_start_grows_by_one_segment_per_ack),
    SCENARIO(byte_counting_grows_by_at_most_two_segments),
    SCENARIO(without_byte_counting_each_ack_counts_one),
    SCENARIO(avoidance_grows_by_one_segment_per_window),
    SCENARIO(a_timeout_halves_ssthresh_once),
    SCENARIO(an_unused_window_does_not_grow),
    SCENARIO(the_ceiling_is_obeyed),
    SCENARIO(idling_restarts_slow_start),
    SCENARIO(a_short_pause_keeps_the_window),
    SCENARIO(the_smaller_of_both_windows_rules),
    SCENARIO(divided_acks_gain_nothing),
    SCENARIO(the_algorithm_changes_while_it_lives),
};

SCRIPT_MAIN("cwnd", tests)
