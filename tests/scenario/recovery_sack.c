/* SPDX-License-Identifier: BSD-2-Clause */
/* Loss recovery with SACK and without RACK: RFC 6675, RFC 2018 8, RFC 3042. */
#include "lib/script.h"

static struct script *without_rack(void **state)
{
    struct script *s = script(state);

    s->tun.rack = 0;
    return opens(s, OFFER_PLAIN);
}

/* @n full segments in flight from relative position @base on; cwnd is just @n segments. */
static struct script *in_flight(void **state, uint32_t n, int64_t *ret_base)
{
    struct script *s = without_rack(state);

    grow_cwnd(s, n);
    *ret_base = s->p->rcv_nxt;
    app_writes(s, info(s).cwnd);
    assert_true(forget_output(s) >= n);
    return s;
}

/* 4: a hole is lost once more than two segments above it are SACKed. */
static void third_sack_resends_the_hole(void **state)
{
    struct script *s = without_rack(state); /* MSS 1000, window open */

    app_writes(s, 4000);
    expect(s, SEG(ACK | NO_PSH, .seq = 1, .len = 1000));
    expect(s, SEG(ACK | NO_PSH, .seq = 1001, .len = 1000));
    expect(s, SEG(ACK | NO_PSH, .seq = 2001, .len = 1000));
    expect(s, SEG(ACK | PSH, .seq = 3001, .len = 1000));

    inject(s, SEG(ACK, .seq = 1, .ack = 1, SACKED(1001, 2001)));
    inject(s, SEG(ACK, .seq = 1, .ack = 1, SACKED(1001, 3001)));
    expect_nothing(s);
    inject(s, SEG(ACK, .seq = 1, .ack = 1, SACKED(1001, 4001)));
    expect(s, SEG(ACK, .seq = 1, .len = 1000)); /* at once: no time passed */
    expect_nothing(s);
    assert_true(info(s).in_recovery);
}

/* 4: bytes count too: one SACK of three segments is as good. */
static void one_sack_of_three_segments_resends_the_hole(void **state)
{
    struct script *s = without_rack(state);

    app_writes(s, 4000);
    forget_output(s);
    inject(s, SEG(ACK, .ack = 1, SACKED(1001, 4001)));
    expect(s, SEG(ACK, .seq = 1, .len = 1000));
}

/* RFC 3042 2: the first two of them clock out new segments. */
static void limited_transmit_sends_new_data(void **state)
{
    struct script *s = without_rack(state);

    app_writes(s, 8000);
    assert_int_equal(forget_output(s), 4);
    inject(s, SEG(ACK, .ack = 1, SACKED(1001, 2001)));
    expect(s, SEG(ACK, .seq = 4001, .len = 1000));
    expect_nothing(s);
    inject(s, SEG(ACK, .ack = 1, SACKED(1001, 3001)));
    expect(s, SEG(ACK, .seq = 5001, .len = 1000));
    expect_nothing(s);
    inject(s, SEG(ACK, .ack = 1, SACKED(1001, 4001)));
    expect(s, SEG(ACK, .seq = 1, .len = 1000));
}

/* 5 (4.2): ssthresh = cwnd = FlightSize / 2. */
static void recovery_halves_the_window(void **state)
{
    int64_t b;
    struct script *s = in_flight(state, 10, &b);
    uint32_t flight = info(s).flight;

    inject(s, SEG(ACK, .ack = b, SACKED(b + 1000, b + 4000)));
    assert_int_equal(info(s).ssthresh, flight / 2);
}

/* 4 NextSeg (1): holes in order, each once, and none that was SACKed. */
static void every_hole_is_resent_once_and_in_order(void **state)
{
    int64_t b;
    struct script *s = in_flight(state, 12, &b);
    int resent_first = 0, resent_second = 0;
    unsigned order = 0, first_at = 0, second_at = 0;

    for (int64_t k = 1; k < 12; k++) {
        if (k == 4)
            continue;
        if (k < 4)
            inject(s, SEG(ACK, .ack = b, SACKED(b + 1000, b + 1000 * (k + 1))));
        else
            inject(s, SEG(ACK, .ack = b,
                          SACKED(b + 5000, b + 1000 * (k + 1), b + 1000, b + 4000)));
        while (packets_waiting(s)) {
            struct sent p = next_sent(s);

            order++;
            if (p.seq == b)
                resent_first++, first_at = order;
            else if (p.seq == b + 4000)
                resent_second++, second_at = order;
            else
                assert_true(p.seq >= b + 12000);
        }
    }
    assert_int_equal(resent_first, 1);
    assert_int_equal(resent_second, 1);
    assert_true(first_at < second_at);
}

/* 5: an ACK below the recovery point does not end recovery, one at it does. */
static void recovery_ends_at_the_recovery_point(void **state)
{
    int64_t b, end;
    struct script *s = in_flight(state, 10, &b);

    end = s->p->rcv_nxt;
    inject(s, SEG(ACK, .ack = b, SACKED(b + 1000, b + 4000)));
    forget_output(s);
    inject(s, SEG(ACK, .ack = b + 4000));
    assert_true(info(s).in_recovery);
    forget_output(s);
    inject(s, SEG(ACK, .ack = end));
    assert_false(info(s).in_recovery);
    assert_true(info(s).cwnd <= info(s).ssthresh + 1000);
}

/* 5 (C): during recovery new data flow while pipe is below cwnd. */
static void recovery_keeps_the_pipe_filled(void **state)
{
    int64_t b;
    struct script *s = in_flight(state, 10, &b);
    unsigned fresh = 0;

    app_writes_some(s, 20000);
    forget_output(s);
    for (int64_t k = 1; k < 10; k++) {
        inject(s, SEG(ACK, .ack = b, SACKED(b + 1000, b + 1000 * (k + 1))));
        while (packets_waiting(s))
            fresh += next_sent(s).seq >= b + 10000;
    }
    assert_in_range(fresh, 2, 6);
}

/* A retransmission that is lost again is repaired by the timer at the latest. */
static void a_lost_retransmission_is_resent(void **state)
{
    struct script *s = without_rack(state);

    app_writes(s, 4000);
    forget_output(s);
    inject(s, SEG(ACK, .ack = 1, SACKED(1001, 4001)));
    expect(s, SEG(ACK, .seq = 1, .len = 1000));
    expect_within(s, 0, MS(900), SEG(ACK, .seq = 1, .len = 1000));
    peer_acks(s, 4001);
    assert_int_equal(tcp_conn_tx_unacked(s->p->conn), 0);
}

/* 4 NextSeg (4): the rescue retransmission repairs a lost tail without the timer. */
static void the_rescue_retransmission_repairs_a_lost_tail(void **state)
{
    int64_t b;
    struct script *s = in_flight(state, 6, &b);
    int64_t end = s->p->rcv_nxt;
    bool rescued = false;

    inject(s, SEG(ACK, .ack = b, SACKED(b + 1000, end - 1000)));
    expect(s, SEG(ACK, .seq = b, .len = 1000));
    while (packets_waiting(s)) {
        assert_false(rescued); /* once in a recovery */
        rescued = next_sent(s).seq == end - 1000;
    }
    assert_true(rescued);
    inject(s, SEG(ACK, .ack = end - 1000));
    expect_nothing(s);
}

/* RFC 2018 8: a receiver may forget what it SACKed. */
static void a_receiver_that_reneges_gets_it_again(void **state)
{
    struct script *s = without_rack(state);
    bool again = false;

    app_writes(s, 4000);
    forget_output(s);
    inject(s, SEG(ACK, .ack = 1, SACKED(1001, 4001)));
    forget_output(s);
    inject(s, SEG(ACK, .ack = 1001));
    for (int i = 0; i < 8 && !again; i++) {
        advance(s, MS(500));
        while (packets_waiting(s))
            again |= next_sent(s).seq == 1001;
    }
    assert_true(again);
}

/* Blocks of what was never sent, of what is old, or upside down mean nothing. */
static void impossible_blocks_are_ignored(void **state)
{
    struct script *s = without_rack(state);

    app_writes(s, 4000);
    forget_output(s);
    inject(s, SEG(ACK, .ack = 1, SACKED(5001, 9001)));
    inject(s, SEG(ACK, .ack = 1, SACKED(3001, 2001)));
    inject(s, SEG(ACK, .ack = 1, SACKED(-4000, -1000)));
    inject(s, SEG(ACK, .ack = 1, SACKED(2001, 2001)));
    inject(s, SEG(ACK, .ack = 1, SACKED(1, 2147483000)));
    expect_nothing(s);
    assert_false(info(s).in_recovery);
    assert_int_equal(info(s).flight, 4000);
    peer_acks(s, 4001);
    assert_int_equal(info(s).flight, 0);
}

/* A block that begins before SND.UNA reports a duplicate, not a loss (RFC 2883). */
static void a_dsack_is_no_loss(void **state)
{
    struct script *s = without_rack(state);

    app_writes(s, 8000);
    forget_output(s);
    peer_acks(s, 2001);
    forget_output(s);
    for (int i = 0; i < 4; i++)
        inject(s, SEG(ACK, .ack = 2001, SACKED(1001, 2001)));
    while (packets_waiting(s))
        assert_true(next_sent(s).seq > 2001);
}

/* After a timeout SACKed data need not be resent, and all comes to an end. */
static void a_timeout_during_recovery_finishes_the_stream(void **state)
{
    int64_t b, end;
    struct script *s = in_flight(state, 8, &b);

    end = s->p->rcv_nxt;
    inject(s, SEG(ACK, .ack = b, SACKED(b + 3000, end)));
    forget_output(s);
    advance(s, SEC(2));
    forget_output(s);
    inject(s, SEG(ACK, .ack = b + 3000, SACKED(b + 3000, end)));
    inject(s, SEG(ACK, .ack = end));
    assert_int_equal(tcp_conn_tx_unacked(s->p->conn), 0);
    forget_output(s);
    app_writes(s, 1000);
    expect(s, SEG(ACK | PSH, .seq = end, .len = 1000));
}

static const struct CMUnitTest tests[] = {
    SCENARIO(third_sack_resends_the_hole),
    SCENARIO(one_sack_of_three_segments_resends_the_hole),
    SCENARIO(limited_transmit_sends_new_data),
    SCENARIO(recovery_halves_the_window),
    SCENARIO(every_hole_is_resent_once_and_in_order),
    SCENARIO(recovery_ends_at_the_recovery_point),
    SCENARIO(recovery_keeps_the_pipe_filled),
    SCENARIO(a_lost_retransmission_is_resent),
    SCENARIO(the_rescue_retransmission_repairs_a_lost_tail),
    SCENARIO(a_receiver_that_reneges_gets_it_again),
    SCENARIO(impossible_blocks_are_ignored),
    SCENARIO(a_dsack_is_no_loss),
    SCENARIO(a_timeout_during_recovery_finishes_the_stream),
};

SCRIPT_MAIN("recovery_sack", tests)
