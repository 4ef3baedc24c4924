/* SPDX-License-Identifier: BSD-2-Clause */
/* The retransmission timer: RFC 6298. */
#include "lib/script.h"

/* The handshake takes @rtt, and so does the first sample: SRTT = R, RTTVAR = R/2, RTO = 3 R. */
static struct script *with_rtt(void **state, usec_t rtt)
{
    struct script *s = syn_sent(state);

    advance(s, rtt);
    inject(s, SEG(SYN | ACK, .seq = 0, .ack = 1));
    expect(s, SEG(ACK));
    return s;
}

/* 2.2 */
static void the_first_sample_sets_the_timeout(void **state)
{
    struct script *s = with_rtt(state, MS(500));

    assert_int_equal(info(s).srtt, MS(500));
    app_writes(s, 1000);
    expect(s, SEG(ACK | PSH, .seq = 1, .len = 1000));
    expect_after(s, MS(1500), SEG(ACK | PSH, .seq = 1, .len = 1000));
}

/* 2.3: RTTVAR = 3/4 250 + 1/4 500, SRTT = 7/8 500 + 1/8 1000: RTO = 562.5 + 4 * 312.5. */
static void later_samples_are_smoothed(void **state)
{
    struct script *s = with_rtt(state, MS(500));

    app_writes(s, 2000);
    forget_output(s);
    advance(s, MS(1000));
    peer_acks(s, 1001);
    assert_in_range(info(s).srtt, 562000, 563000);
    assert_in_range(info(s).rttvar, 312000, 313000);
    /* 5.3: and this ACK restarted the timer. */
    expect_after(s, MS(1812), SEG(ACK | PSH, .seq = 1001, .len = 1000));
}

/* 5.5 */
static void the_timeout_doubles_each_time(void **state)
{
    struct script *s = with_rtt(state, MS(500));

    app_writes(s, 1000);
    forget_output(s);
    expect_after(s, MS(1500), SEG(ACK | PSH, .seq = 1));
    expect_after(s, MS(3000), SEG(ACK | PSH, .seq = 1));
    expect_after(s, MS(6000), SEG(ACK | PSH, .seq = 1));
    expect_after(s, MS(12000), SEG(ACK | PSH, .seq = 1));
}

/* design.md 6: the floor is 400 ms, not the 1 s of 2.4. */
static void the_timeout_is_never_below_the_minimum(void **state)
{
    struct script *s = with_rtt(state, MS(10));

    app_writes(s, 1000);
    forget_output(s);
    expect_after(s, MS(400), SEG(ACK | PSH, .seq = 1));
}

static void the_minimum_is_configurable(void **state)
{
    struct script *s = with_rtt(state, MS(10));
    struct tcp_config config = app_config(s);

    config.rto_min_ms = 700;
    app_configures(s, &config);
    app_writes(s, 1000);
    forget_output(s);
    expect_after(s, MS(700), SEG(ACK | PSH, .seq = 1));
}

/* 2.5 */
static void the_timeout_is_never_above_the_maximum(void **state)
{
    struct script *s = with_rtt(state, MS(500));

    app_writes(s, 1000);
    advance(s, SEC(150));
    forget_output(s);
    expect_within(s, 0, SEC(61), SEG(ACK | PSH, .seq = 1));
    expect_after(s, SEC(60), SEG(ACK | PSH, .seq = 1));
}

static void the_extra_interval_is_added(void **state)
{
    struct script *s = script(state);

    s->tun.rexmit_interval_extra = 300;
    s = with_rtt(state, MS(500));
    app_writes(s, 1000);
    forget_output(s);
    expect_after(s, MS(1800), SEG(ACK | PSH, .seq = 1));
}

/* 3: Karn: a segment sent twice gives no sample. */
static void a_retransmitted_segment_gives_no_sample(void **state)
{
    struct script *s = with_rtt(state, MS(500));

    app_writes(s, 1000);
    advance(s, MS(1600));
    forget_output(s);
    peer_acks(s, 1001);
    assert_int_equal(info(s).srtt, MS(500));
    assert_int_equal(info(s).rttvar, MS(250));
}

/* 5.2 */
static void the_timer_stops_when_all_is_acknowledged(void **state)
{
    struct script *s = with_rtt(state, MS(500));

    app_writes(s, 1000);
    forget_output(s);
    peer_acks(s, 1001);
    advance(s, SEC(1000));
    expect_nothing(s);
}

/* 5.1, and lessons.md: duplicate ACKs do not put the timer off. */
static void duplicate_acks_do_not_restart_the_timer(void **state)
{
    struct script *s = with_rtt(state, MS(500));

    app_writes(s, 1000);
    forget_output(s);
    for (int i = 0; i < 14; i++) {
        advance(s, MS(100));
        inject(s, SEG(ACK, .ack = 1, .wnd = 65535 + i % 2));
    }
    expect_nothing(s);
    expect_within(s, MS(90), MS(130), SEG(ACK | PSH, .seq = 1, .len = 1000));
}

/* 5.4: only the earliest segment; RFC 5681 3.1: one segment of window. */
static void only_the_first_segment_is_resent(void **state)
{
    struct script *s = established(state);

    app_writes(s, 4000);
    assert_int_equal(forget_output(s), 4);
    expect_after(s, MS(400), SEG(ACK, .seq = 1, .len = 1000));
    expect_nothing(s);
    assert_int_equal(info(s).cwnd, 1000);
    assert_int_equal(info(s).ssthresh, 2000);
}

/* RFC 5681 3.1: what was lost with it follows in slow start. */
static void the_rest_follows_in_slow_start(void **state)
{
    struct script *s = established_with(state, OFFER_MSS);

    app_writes(s, 4000);
    forget_output(s);
    expect_after(s, MS(400), SEG(ACK, .seq = 1, .len = 1000));
    peer_acks(s, 1001);
    expect(s, SEG(ACK, .seq = 1001, .len = 1000));
    expect(s, SEG(ACK, .seq = 2001, .len = 1000));
    expect_nothing(s);
}

/* 5.7: a SYN timed out, so the first data get 3 s. */
static void after_a_lost_syn_the_timeout_is_3_seconds(void **state)
{
    struct script *s = syn_sent(state);

    expect_after(s, SEC(1), SEG(SYN));
    inject(s, SEG(SYN | ACK, .seq = 0, .ack = 1, .tsval = NONE));
    expect(s, SEG(ACK));
    app_writes(s, 500);
    forget_output(s);
    expect_after(s, SEC(3), SEG(ACK | PSH, .seq = 1));
}

/* RFC 5681 3.1: and the initial window is one segment. */
static void after_a_lost_syn_the_window_is_one_segment(void **state)
{
    struct script *s = syn_sent(state);

    expect_after(s, SEC(1), SEG(SYN));
    inject(s, SEG(SYN | ACK, .seq = 0, .ack = 1));
    expect(s, SEG(ACK));
    app_writes(s, 4000);
    expect(s, SEG(ACK, .seq = 1, .len = 1000));
    expect_nothing(s);
}

/* RFC 9293 3.8.3 R2, illumos _ip_abort_interval: 5 minutes. */
static void a_silent_peer_is_given_up(void **state)
{
    struct script *s = established(state);

    app_writes(s, 1000);
    advance(s, SEC(290));
    expect_alive(s);
    advance(s, SEC(80));
    expect_closed(s, ETIMEDOUT);
    expect_gone(s);
}

/* TCP_ABORT_THRESHOLD */
static void the_abort_threshold_is_configurable(void **state)
{
    struct script *s = established(state);
    struct tcp_config config = app_config(s);

    config.abort_ms = 5000;
    app_configures(s, &config);
    app_writes(s, 1000);
    advance(s, SEC(4));
    expect_alive(s);
    advance(s, SEC(10));
    expect_closed(s, ETIMEDOUT);
}

static void an_abort_threshold_of_0_never_gives_up(void **state)
{
    struct script *s = established(state);
    struct tcp_config config = app_config(s);

    config.abort_ms = 0;
    app_configures(s, &config);
    app_writes(s, 1000);
    advance(s, SEC(7200));
    expect_alive(s);
}

/* RFC 9293 3.8.3: progress starts the count anew. */
static void progress_resets_the_abort_time(void **state)
{
    struct script *s = established(state);

    app_writes(s, 3000);
    advance(s, SEC(200));
    peer_acks(s, 1001);
    advance(s, SEC(200));
    expect_alive(s);
}

static void a_retransmission_carries_the_newest_ack(void **state)
{
    struct script *s = established(state);

    app_writes(s, 500);
    forget_output(s);
    inject(s, SEG(ACK, .len = 700, .ack = 1));
    advance(s, MS(200));
    forget_output(s);
    expect_within(s, MS(100), MS(300), SEG(ACK | PSH, .seq = 1, .ack = 701, .len = 500));
}

/* A suspended host: the clock goes on for an hour, and the ACK had been there all the time. */
static void a_sleep_of_the_host_is_no_round_trip(void **state)
{
    struct script *s = opens_far(script(state), OFFER_TS, MS(50));
    usec_t srtt = info(s).srtt, rto = info(s).rto;

    app_writes(s, 1000);
    forget_output(s);
    s->now += SEC(3600); /* no timer was run */
    peer_acks(s, 1001);
    assert_int_equal(info(s).srtt, srtt);
    assert_int_equal(info(s).rto, rto);
    app_writes(s, 1000);
    forget_output(s);
    advance(s, MS(60));
    peer_acks(s, 2001);
    assert_true(info(s).srtt > srtt); /* measured again */
}

/* Waiting as long as the engine asked for is none. */
static void a_long_wait_for_a_timer_is_no_sleep(void **state)
{
    struct script *s = opens_far(script(state), OFFER_TS, MS(50));
    uint32_t original;

    app_writes(s, 1000);
    original = s->p->ts_last;
    forget_output(s);
    advance(s, SEC(60)); /* backed off, the timer is more than ten seconds apart */
    forget_output(s);
    inject(s, SEG(ACK, .ack = 1001, .tsecr = original));
    assert_true(info(s).srtt > SEC(5)); /* by its timestamp it took a minute */
    assert_int_equal(info(s).backoff, 0);
}

static const struct CMUnitTest tests[] = {
    SCENARIO(the_first_sample_sets_the_timeout),
    SCENARIO(later_samples_are_smoothed),
    SCENARIO(the_timeout_doubles_each_time),
    SCENARIO(the_timeout_is_never_below_the_minimum),
    SCENARIO(the_minimum_is_configurable),
    SCENARIO(the_timeout_is_never_above_the_maximum),
    SCENARIO(the_extra_interval_is_added),
    SCENARIO(a_retransmitted_segment_gives_no_sample),
    SCENARIO(the_timer_stops_when_all_is_acknowledged),
    SCENARIO(duplicate_acks_do_not_restart_the_timer),
    SCENARIO(only_the_first_segment_is_resent),
    SCENARIO(the_rest_follows_in_slow_start),
    SCENARIO(after_a_lost_syn_the_timeout_is_3_seconds),
    SCENARIO(after_a_lost_syn_the_window_is_one_segment),
    SCENARIO(a_silent_peer_is_given_up),
    SCENARIO(the_abort_threshold_is_configurable),
    SCENARIO(an_abort_threshold_of_0_never_gives_up),
    SCENARIO(progress_resets_the_abort_time),
    SCENARIO(a_retransmission_carries_the_newest_ack),
    SCENARIO(a_sleep_of_the_host_is_no_round_trip),
    SCENARIO(a_long_wait_for_a_timer_is_no_sleep),
};

SCRIPT_MAIN("rto", tests)
