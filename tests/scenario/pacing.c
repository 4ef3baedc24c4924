/* SPDX-License-Identifier: BSD-2-Clause */
/* Windows of many segments are spread over the round trip. The peer is 100 ms away. */
#include "lib/script.h"

static struct script *far(void **state, usec_t rtt, bool pacing)
{
    struct script *s = script(state);

    s->tun.slow_start_initial = 16;
    s->tun.pacing = pacing;
    return opens_far(s, OFFER_PLAIN, rtt);
}

/* Ten are free; then, in slow start, 2 cwnd in a round trip: one segment in 3.1 ms. */
static void after_ten_segments_the_rest_is_spread(void **state)
{
    struct script *s = far(state, MS(100), true);

    app_writes(s, 16000);
    assert_int_equal(forget_output(s), 10);
    expect_within(s, MS(1), MS(4), SEG(ACK, .seq = 10001));
    expect_within(s, MS(2), MS(4), SEG(ACK, .seq = 11001));
    expect_within(s, MS(2), MS(4), SEG(ACK, .seq = 12001));
    expect_within(s, MS(2), MS(4), SEG(ACK, .seq = 13001));
    advance(s, MS(10));
    assert_int_equal(forget_output(s), 2);
    assert_int_equal(info(s).unsent, 0);
    assert_in_range(info(s).pacing_rate, 319000, 321000); /* 2 x 16,000 / 0.1 s */
}

/* In avoidance 1.2 cwnd. */
static void in_avoidance_it_is_spread_more(void **state)
{
    struct script *s = far(state, MS(100), true);
    uint64_t in_a_round_trip;

    app_writes(s, 16000);
    advance(s, MS(100));
    forget_output(s);
    inject(s, SEG(ACK, .ack = 1, SACKED(1001, 16001)));
    advance(s, MS(100));
    peer_acks(s, 16001); /* cwnd = ssthresh = 8 */
    assert_int_equal(info(s).pacing_rate, 0);
    forget_output(s);
    for (int i = 0; i < 40 && info(s).cwnd <= 11000; i++) {
        app_writes_some(s, 20000);
        advance(s, MS(100));
        forget_output(s);
        peer_acks(s, s->p->rcv_nxt);
    }
    assert_int_equal(info(s).cwnd, 12000);
    in_a_round_trip = info(s).pacing_rate * info(s).srtt / USEC_PER_SEC;
    assert_in_range(in_a_round_trip, 14300, 14400); /* 1.2 x 12,000 */
}

/* A short round trip: timers are too coarse, and a LAN has nothing to gain. */
static void a_lan_is_not_paced(void **state)
{
    struct script *s = far(state, 500, true);

    app_writes(s, 16000);
    assert_int_equal(forget_output(s), 16);
    assert_int_equal(info(s).pacing_rate, 0);
}

static void it_can_be_switched_off(void **state)
{
    struct script *s = far(state, MS(100), false);

    app_writes(s, 16000);
    assert_int_equal(forget_output(s), 16);
}

/* Super-frames stay: two segments at the least, a millisecond's worth when that is more. */
static void super_frames_become_shorter_not_single(void **state)
{
    struct script *s = script(state);

    s->tun.slow_start_initial = 16;
    script_start(s);
    offers_gso(s, 60000);
    opens_far(s, OFFER_PLAIN, MS(100));
    app_writes(s, 4000);
    forget_output(s);
    app_writes(s, 7000);
    forget_output(s);
    app_writes(s, 5000);
    expect_within(s, MS(19), MS(23), SEG(ACK, .seq = 11001, .len = 2000));
}

/* A retransmission that begins a recovery waits for nothing. */
static void the_first_retransmission_is_not_held_back(void **state)
{
    struct script *s = far(state, MS(100), true);

    app_writes(s, 16000);
    advance(s, MS(100));
    forget_output(s);
    inject(s, SEG(ACK, .ack = 1, SACKED(1001, 16001)));
    expect(s, SEG(ACK, .seq = 1, .len = 1000));
}

static const struct CMUnitTest tests[] = {
    SCENARIO(after_ten_segments_the_rest_is_spread),
    SCENARIO(in_avoidance_it_is_spread_more),
    SCENARIO(a_lan_is_not_paced),
    SCENARIO(it_can_be_switched_off),
    SCENARIO(super_frames_become_shorter_not_single),
    SCENARIO(the_first_retransmission_is_not_held_back),
};

SCRIPT_MAIN("pacing", tests)
