/* SPDX-License-Identifier: BSD-2-Clause */
/* RACK: RFC 8985 6. The peer is 100 ms away. */
#include "lib/script.h"

#define RTT MS(100)

/* @n segments, one each millisecond, and the time until the first answer. */
static struct script *flight(void **state, int n)
{
    struct script *s = script(state);

    s->tun.slow_start_initial = 16;
    s->tun.pacing = 0;
    opens_far(s, OFFER_PLAIN, RTT);
    for (int i = 0; i < n; i++) {
        app_writes(s, 1000);
        expect(s, SEG(ACK, .seq = 1 + 1000 * i, .len = 1000));
        advance(s, MS(1));
    }
    advance(s, RTT - MS(n));
    return s;
}

/* 6.2 step 5: no reordering seen, and DupThresh segments beyond the hole: at once. */
static void three_segments_beyond_a_hole_are_enough(void **state)
{
    struct script *s = flight(state, 8);

    inject(s, SEG(ACK, .ack = 1, SACKED(1001, 3001)));
    expect_nothing(s);
    inject(s, SEG(ACK, .ack = 1, SACKED(1001, 4001)));
    expect(s, SEG(ACK, .seq = 1, .len = 1000));
    expect_nothing(s);
    assert_true(info(s).in_recovery);
}

/* 6.2 step 5: one SACK is no proof, a quarter of the round trip later it is one. */
static void one_segment_beyond_a_hole_and_a_quarter_round_trip(void **state)
{
    struct script *s = flight(state, 2);

    advance(s, MS(1));
    inject(s, SEG(ACK, .ack = 1, SACKED(1001, 2001)));
    expect_within(s, MS(23), MS(27), SEG(ACK, .seq = 1, .len = 1000));
    assert_true(info(s).in_recovery);
}

/* What comes within the window was late, not lost. */
static void a_late_segment_is_not_sent_again(void **state)
{
    struct script *s = flight(state, 3);

    advance(s, MS(1));
    inject(s, SEG(ACK, .ack = 1, SACKED(1001, 2001)));
    advance(s, MS(15));
    peer_acks(s, 3001);
    advance(s, MS(200));
    expect_nothing(s);
    assert_true(info(s).reordered);
    assert_int_equal(info(s).retrans_segs, 0);
}

/* A path that reorders gets time, however many segments are SACKed. */
static void a_path_that_reorders_is_given_time(void **state)
{
    struct script *s = flight(state, 3);

    inject(s, SEG(ACK, .ack = 1, SACKED(1001, 2001)));
    peer_acks(s, 3001);
    assert_true(info(s).reordered);
    forget_output(s);
    app_writes(s, 8000);
    assert_int_equal(forget_output(s), 8);
    advance(s, RTT);
    inject(s, SEG(ACK, .ack = 3001, SACKED(4001, 11001)));
    expect_nothing(s);
    expect_within(s, MS(20), MS(30), SEG(ACK, .seq = 3001, .len = 1000));
}

/* The point of it all: a lost retransmission is found by what was sent after it. */
static void a_lost_retransmission_is_sent_again_in_a_round_trip(void **state)
{
    struct script *s = flight(state, 8);

    inject(s, SEG(ACK, .ack = 1, SACKED(1001, 8001)));
    expect(s, SEG(ACK, .seq = 1, .len = 1000));
    advance(s, MS(2));
    app_writes(s, 2000);
    inject(s, SEG(ACK, .ack = 1, SACKED(1001, 8001)));
    assert_true(packets_waiting(s) >= 1);
    assert_int_equal(next_sent(s).seq, 8001);
    forget_output(s);
    advance(s, RTT);
    inject(s, SEG(ACK, .ack = 1, SACKED(1001, 9001)));
    expect(s, SEG(ACK, .seq = 1, .len = 1000));
    assert_int_equal(tcp_engine_counters(s->e)->tim_retrans, 0);
}

/* Behind a hole that was sent again lies another one, older than what was delivered. */
static void a_hole_behind_a_retransmission_is_found(void **state)
{
    struct script *s = flight(state, 8);

    inject(s, SEG(ACK, .ack = 1, SACKED(1001, 4001)));
    expect(s, SEG(ACK, .seq = 1, .len = 1000));
    assert_int_equal(info(s).lost, 1000);
    advance(s, MS(5));
    inject(s, SEG(ACK, .ack = 1, SACKED(5001, 6001, 1001, 4001)));
    assert_int_equal(info(s).lost, 2000);
}

/*
 * The queue has grown to twice the smallest round trip. A D-SACKed retransmission that
 * is answered sooner than that was not answered: nothing sent before it seems lost.
 */
static void the_queue_counts_in_what_is_too_early(void **state)
{
    struct script *s = script(state);

    s->tun.slow_start_initial = 16;
    s->tun.pacing = 0;
    opens_far(s, OFFER_PLAIN, RTT);
    for (int i = 0; i < 12; i++) { /* SRTT goes towards 300 ms */
        app_writes(s, 1000);
        advance(s, MS(300));
        peer_acks(s, s->p->rcv_nxt);
    }
    app_writes(s, 8000);
    forget_output(s);
    advance(s, MS(300));
    inject(s, SEG(ACK, .ack = 12001, SACKED(14001, 18001)));
    advance(s, MS(1));
    inject(s, SEG(ACK, .ack = 12001, SACKED(14001, 20001)));
    assert_int_equal(info(s).lost, 2000);
    assert_int_equal(info(s).retrans, 2000);
    forget_output(s);
    advance(s, MS(120));
    inject(s, SEG(ACK, .ack = 12001, SACKED(13001, 20001)));
    assert_int_equal(forget_output(s), 0); /* the first one's answer is not due */
}

/* 6.2 step 2: an ACK too early for the retransmission is that of the original. */
static void an_early_ack_of_a_retransmission_proves_nothing(void **state)
{
    struct script *s = flight(state, 8);

    inject(s, SEG(ACK, .ack = 1, SACKED(2001, 8001)));
    expect(s, SEG(ACK, .seq = 1, .len = 1000));
    advance(s, MS(1));
    inject(s, SEG(ACK, .ack = 1, SACKED(2001, 8001, 1001, 2001))); /* late, not by us */
    advance(s, MS(1));
    while (packets_waiting(s))
        assert_true(next_sent(s).seq != 1);
}

/* One ACK for many segments, as after a merged receive: the same. */
static void a_batched_ack_says_as_much(void **state)
{
    struct script *s = flight(state, 10);

    advance(s, MS(20));
    inject(s, SEG(ACK, .ack = 3001, SACKED(4001, 10001)));
    expect(s, SEG(ACK, .seq = 3001, .len = 1000));
    assert_false(info(s).reordered);
    while (packets_waiting(s))
        assert_true(next_sent(s).seq >= 10001);
}

/* Blocks come newest first: that is no reordering. */
static void the_order_of_blocks_is_not_that_of_arrival(void **state)
{
    struct script *s = flight(state, 10);

    inject(s, SEG(ACK, .ack = 1, SACKED(8001, 9001, 5001, 6001, 1001, 2001)));
    assert_false(info(s).reordered);
}

/* 6.2 step 4: each round trip with a D-SACK adds a quarter to the window. */
static void dsacks_widen_the_window(void **state)
{
    struct script *s = flight(state, 3);

    inject(s, SEG(ACK, .ack = 1, SACKED(1001, 2001)));
    peer_acks(s, 3001);
    inject(s, SEG(ACK, .ack = 3001, SACKED(1, 1001)));
    assert_int_equal(info(s).dsacks, 1);
    forget_output(s);
    app_writes(s, 8000);
    forget_output(s);
    advance(s, RTT);
    inject(s, SEG(ACK, .ack = 3001, SACKED(4001, 11001)));
    expect_within(s, MS(45), MS(56), SEG(ACK, .seq = 3001, .len = 1000));
}

/* _rack = 0: RFC 6675, which waits for no timer and finds no lost retransmission. */
static void without_rack_the_segments_are_counted(void **state)
{
    struct script *s = script(state);

    s->tun.rack = 0;
    opens_far(s, OFFER_PLAIN, RTT);
    app_writes(s, 2000);
    forget_output(s);
    advance(s, RTT);
    inject(s, SEG(ACK, .ack = 1, SACKED(1001, 2001)));
    advance(s, MS(100));
    expect_nothing(s);
}

static const struct CMUnitTest tests[] = {
    SCENARIO(three_segments_beyond_a_hole_are_enough),
    SCENARIO(one_segment_beyond_a_hole_and_a_quarter_round_trip),
    SCENARIO(a_late_segment_is_not_sent_again),
    SCENARIO(a_path_that_reorders_is_given_time),
    SCENARIO(a_lost_retransmission_is_sent_again_in_a_round_trip),
    SCENARIO(a_hole_behind_a_retransmission_is_found),
    SCENARIO(the_queue_counts_in_what_is_too_early),
    SCENARIO(an_early_ack_of_a_retransmission_proves_nothing),
    SCENARIO(a_batched_ack_says_as_much),
    SCENARIO(the_order_of_blocks_is_not_that_of_arrival),
    SCENARIO(dsacks_widen_the_window),
    SCENARIO(without_rack_the_segments_are_counted),
};

SCRIPT_MAIN("rack", tests)
