/* SPDX-License-Identifier: BSD-2-Clause */
/* Timestamps: RFC 7323 3 to 5. */
#include "lib/script.h"

static struct script *with_ts(void **state)
{
    return established_with(state, OFFER_TS);
}

/* 3.2: once agreed, every segment carries it. */
static void every_segment_carries_a_timestamp(void **state)
{
    struct script *s = with_ts(state);

    app_writes(s, 500);
    assert_true(next_sent(s).seg.opt.has_ts);
    inject(s, SEG(ACK, .ack = 501, .len = 10));
    advance(s, MS(200));
    assert_true(next_sent(s).seg.opt.has_ts);
    app_shuts(s);
    assert_true(next_sent(s).seg.opt.has_ts);
}

/* 3.2: only if both SYNs carried it. */
static void without_agreement_no_segment_carries_one(void **state)
{
    struct script *s = established(state);

    app_writes(s, 500);
    expect(s, SEG(ACK | PSH, .len = 500, .tsval = NONE));
    inject(s, SEG(ACK, .seq = 1, .ack = 501, .len = 10, .tsval = 1, .tsecr = 2));
    app_reads(s, 10);
    advance(s, MS(200));
    expect(s, SEG(ACK, .ack = 11, .tsval = NONE));
}

static void they_can_be_switched_off(void **state)
{
    struct script *s = script(state);

    s->tun.tstamp_if_wscale = 0;
    script_start(s);
    assert_int_equal(connects(s), 0);
    expect(s, SEG(SYN, .tsval = NONE));
}

static void they_can_be_offered_without_scale(void **state)
{
    struct script *s = script(state);

    s->tun.wscale_always = 0;
    s->tun.tstamp_always = 1;
    s->tun.recv_buf = 60000;
    script_start(s);
    assert_int_equal(connects(s), 0);
    expect(s, SEG(SYN, .wscale = NONE, .tsecr = 0));
}

/* 4.1: the clock ticks between 1 ms and 1 s; ours at 1 ms. */
static void the_clock_ticks_each_millisecond(void **state)
{
    struct script *s = with_ts(state);
    uint32_t first;

    app_writes(s, 10);
    first = next_sent(s).seg.opt.tsval;
    peer_acks(s, 11);
    advance(s, MS(750));
    app_writes(s, 10);
    assert_int_equal(next_sent(s).seg.opt.tsval - first, 750);
}

/* 4.3 (2): the echo is the value of the segment that moved the left edge. */
static void the_echo_is_of_the_last_segment_in_order(void **state)
{
    struct script *s = with_ts(state);

    peer_sends(s, 1000);
    advance(s, MS(200));
    forget_output(s);
    advance(s, MS(50));
    inject(s, SEG(ACK, .len = 1000, .tsval = 0x12345678));
    expect_ack_by(s, MS(110), 2001);
    app_writes(s, 1);
    expect(s, SEG(ACK | PSH, .tsecr = 0x12345678));
}

/* 4.3, figure 2: a segment beyond a hole is not echoed, the one that fills it is. */
static void a_segment_beyond_a_hole_is_not_echoed(void **state)
{
    struct script *s = with_ts(state);
    int64_t t = 0x20000000;

    inject(s, SEG(ACK, .seq = 1, .len = 1000, .tsval = t));
    advance(s, MS(200));
    forget_output(s);
    inject(s, SEG(ACK, .seq = 2001, .len = 1000, .tsval = t + 20));
    expect(s, SEG(ACK, .ack = 1001, .tsecr = t));
    inject(s, SEG(ACK, .seq = 1001, .len = 1000, .tsval = t + 10));
    expect(s, SEG(ACK, .ack = 3001, .tsecr = t + 10));
}

/* 5.3 R1: older than the last: dropped, and answered. */
static void an_older_timestamp_is_dropped_and_acknowledged(void **state)
{
    struct script *s = with_ts(state);
    int64_t t = 0x20000000;

    inject(s, SEG(ACK, .len = 100, .tsval = t));
    advance(s, MS(200));
    forget_output(s);
    inject(s, SEG(ACK, .len = 100, .tsval = t - 1));
    expect(s, SEG(ACK, .seq = 1, .ack = 101, .len = 0, .tsecr = t));
    expect_drop(s, DROP_PAWS);
    app_reads(s, 100);
    app_reads(s, 0);
}

/* 5.2: the comparison is modulo 2^32. */
static void timestamps_may_wrap(void **state)
{
    struct script *s = script(state);

    script_start(s);
    s->p->ts_offset = 0xfffffff0u - (uint32_t)usec_to_msec(s->now);
    opens(s, OFFER_TS);
    inject(s, SEG(ACK, .len = 100, .tsval = 0xfffffff8));
    inject(s, SEG(ACK, .len = 100, .tsval = 5));
    app_reads(s, 200);
    inject(s, SEG(ACK, .len = 100, .tsval = 0xfffffff9));
    expect_drop(s, DROP_PAWS);
}

/* 5.3 R1: a RST is exempt. */
static void a_rst_with_an_old_timestamp_counts(void **state)
{
    struct script *s = with_ts(state);

    inject(s, SEG(ACK, .len = 100, .tsval = 0x20000000));
    forget_output(s);
    inject(s, SEG(RST, .tsval = 0x10000000, .tsecr = 0));
    expect_event(s, TCP_EV_CLOSED);
}

/* 3.2: without a timestamp: silently dropped, but not a RST. */
static void a_segment_without_timestamp_is_dropped(void **state)
{
    struct script *s = with_ts(state);

    inject(s, SEG(ACK, .len = 100, .tsval = NONE));
    expect_nothing(s);
    expect_drop(s, DROP_NO_TIMESTAMP);
    expect_no_event(s, TCP_EV_READABLE);
}

static void a_rst_without_timestamp_counts(void **state)
{
    struct script *s = with_ts(state);

    inject(s, SEG(RST, .tsval = NONE));
    expect_closed(s, ECONNRESET);
}

/* illumos: the shape of a keep-alive is let pass without one. */
static void a_keepalive_without_timestamp_is_answered(void **state)
{
    struct script *s = with_ts(state);

    inject(s, SEG(ACK, .seq = 0, .tsval = NONE));
    expect(s, SEG(ACK, .seq = 1, .ack = 1));
}

/* 5.5: after 24 days of silence the last timestamp means nothing. */
static void after_24_idle_days_any_timestamp_is_taken(void **state)
{
    struct script *s = with_ts(state);

    inject(s, SEG(ACK, .len = 100, .tsval = 0x20000000));
    advance(s, SEC(25 * 86400));
    forget_output(s);
    inject(s, SEG(ACK, .len = 100, .tsval = 0x10000000));
    app_reads(s, 200);
}

/* 4.1 and RFC 6298: the echo measures the round trip, of a retransmission too. */
static void the_echo_measures_the_round_trip(void **state)
{
    struct script *s = with_ts(state);
    uint32_t again;

    app_writes(s, 1000);
    advance(s, MS(600));
    forget_output(s);
    again = s->p->ts_last;
    advance(s, MS(100));
    inject(s, SEG(ACK, .ack = 1001, .tsecr = again));
    assert_in_range(info(s).srtt, MS(1), MS(150));
}

/* An echo of a time that has not come yet is no measurement. */
static void an_echo_from_the_future_is_no_measurement(void **state)
{
    struct script *s = with_ts(state);
    usec_t before = info(s).rto;

    app_writes(s, 1000);
    forget_output(s);
    inject(s, SEG(ACK, .ack = 1001, .tsecr = s->p->ts_last + 1000000u));
    assert_true(info(s).srtt < SEC(1));
    assert_true(info(s).rto <= before);
}

static const struct CMUnitTest tests[] = {
    SCENARIO(every_segment_carries_a_timestamp),
    SCENARIO(without_agreement_no_segment_carries_one),
    SCENARIO(they_can_be_switched_off),
    SCENARIO(they_can_be_offered_without_scale),
    SCENARIO(the_clock_ticks_each_millisecond),
    SCENARIO(the_echo_is_of_the_last_segment_in_order),
    SCENARIO(a_segment_beyond_a_hole_is_not_echoed),
    SCENARIO(an_older_timestamp_is_dropped_and_acknowledged),
    SCENARIO(timestamps_may_wrap),
    SCENARIO(a_rst_with_an_old_timestamp_counts),
    SCENARIO(a_segment_without_timestamp_is_dropped),
    SCENARIO(a_rst_without_timestamp_counts),
    SCENARIO(a_keepalive_without_timestamp_is_answered),
    SCENARIO(after_24_idle_days_any_timestamp_is_taken),
    SCENARIO(the_echo_measures_the_round_trip),
    SCENARIO(an_echo_from_the_future_is_no_measurement),
};

SCRIPT_MAIN("timestamps", tests)
