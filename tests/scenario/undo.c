/* SPDX-License-Identifier: BSD-2-Clause */
/* Reductions for nothing, taken back: RFC 3522, RFC 4015, RFC 2883, RFC 3708. */
#include "lib/script.h"

#define RTT MS(100)

/* Eight segments in flight, cwnd 8, a round trip ago. */
static struct script *flight(void **state, struct offer offer)
{
    struct script *s = script(state);

    s->tun.slow_start_initial = 8;
    opens_far(s, offer, RTT);
    app_writes(s, 8000);
    assert_int_equal(forget_output(s), 8);
    advance(s, RTT);
    return s;
}

static uint64_t undone(struct script *s)
{
    return tcp_engine_counters(s->e)->spurious_recoveries;
}

/* RFC 3522 3.2: the ACK echoes a timestamp from before the retransmission. */
static void an_old_echo_undoes_fast_recovery(void **state)
{
    struct script *s = flight(state, OFFER_TS);
    uint32_t original = s->p->ts_last;

    inject(s, SEG(ACK, .ack = 1, SACKED(1001, 4001)));
    expect(s, SEG(ACK, .seq = 1, .len = 1000));
    assert_int_equal(info(s).ssthresh, 4000);
    advance(s, MS(10));
    inject(s, SEG(ACK, .ack = 8001, .tsecr = original));
    assert_int_equal(undone(s), 1);
    assert_false(info(s).in_recovery);
    assert_true(info(s).cwnd >= 8000);
    assert_true(info(s).ssthresh > 1000000);
}

static void the_echo_of_the_retransmission_confirms_the_loss(void **state)
{
    struct script *s = flight(state, OFFER_TS);

    inject(s, SEG(ACK, .ack = 1, SACKED(1001, 4001)));
    expect(s, SEG(ACK, .seq = 1, .len = 1000));
    advance(s, RTT);
    inject(s, SEG(ACK, .ack = 8001)); /* echoes our last */
    assert_int_equal(undone(s), 0);
    assert_int_equal(info(s).ssthresh, 4000);
}

/* The same for a timeout, and without SACK. */
static void an_old_echo_undoes_a_timeout(void **state)
{
    struct offer no_sack = { .mss = 1012, .wscale = NONE, .ts = true };
    struct script *s = flight(state, no_sack);
    uint32_t original = s->p->ts_last;

    advance(s, MS(500));
    assert_int_equal(forget_output(s), 1);
    assert_int_equal(info(s).cwnd, 1000);
    inject(s, SEG(ACK, .ack = 1001, .tsecr = original));
    assert_int_equal(tcp_engine_counters(s->e)->spurious_rtos, 1);
    assert_true(info(s).cwnd >= 8000);
    expect_nothing(s); /* the rest is in flight */
    peer_acks(s, 8001);
    assert_int_equal(tcp_conn_tx_unacked(s->p->conn), 0);
}

/* RFC 3708: all that was sent again was there already, although the recovery is over. */
static void dsacks_of_everything_undo_it(void **state)
{
    struct script *s = flight(state, OFFER_PLAIN);

    inject(s, SEG(ACK, .ack = 1, SACKED(1001, 4001)));
    expect(s, SEG(ACK, .seq = 1, .len = 1000));
    advance(s, MS(10));
    peer_acks(s, 8001);
    assert_int_equal(info(s).cwnd, 4000);
    advance(s, RTT);
    inject(s, SEG(ACK, .ack = 8001, SACKED(1, 1001)));
    assert_int_equal(undone(s), 1);
    assert_true(info(s).cwnd >= 8000);
}

static void dsacks_of_a_part_do_not(void **state)
{
    struct script *s = flight(state, OFFER_PLAIN);

    inject(s, SEG(ACK, .ack = 1, SACKED(2001, 6001)));
    expect(s, SEG(ACK, .seq = 1, .len = 1000));
    advance(s, MS(1));
    inject(s, SEG(ACK, .ack = 1, SACKED(2001, 8001)));
    expect(s, SEG(ACK, .seq = 1001, .len = 1000));
    advance(s, RTT);
    peer_acks(s, 8001);
    inject(s, SEG(ACK, .ack = 8001, SACKED(1, 1001)));
    assert_int_equal(undone(s), 0);
    inject(s, SEG(ACK, .ack = 8001, SACKED(1001, 2001)));
    assert_int_equal(undone(s), 1);
}

/* A duplicate of the network's making is none of ours. */
static void a_dsack_of_what_was_sent_once_means_nothing(void **state)
{
    struct script *s = flight(state, OFFER_PLAIN);

    peer_acks(s, 3001);
    inject(s, SEG(ACK, .ack = 3001, SACKED(4001, 7001)));
    expect(s, SEG(ACK, .seq = 3001, .len = 1000));
    inject(s, SEG(ACK, .ack = 3001, SACKED(1, 1001, 4001, 7001)));
    assert_int_equal(undone(s), 0);
    assert_true(info(s).in_recovery);
}

/* RFC 9438 4.9: CUBIC gets back what it remembered. */
static void cubic_is_undone_as_well(void **state)
{
    struct script *s = script(state);
    uint32_t original;

    s->tun.slow_start_initial = 8;
    s->tun.congestion_control = TCP_CC_CUBIC;
    opens_far(s, OFFER_TS, RTT);
    app_writes(s, 8000);
    assert_int_equal(forget_output(s), 8);
    original = s->p->ts_last;
    advance(s, RTT);
    inject(s, SEG(ACK, .ack = 1, SACKED(1001, 4001)));
    assert_int_equal(info(s).ssthresh, 5600);
    forget_output(s);
    advance(s, MS(10));
    inject(s, SEG(ACK, .ack = 8001, .tsecr = original));
    assert_int_equal(undone(s), 1);
    assert_true(info(s).cwnd >= 8000);
}

static const struct CMUnitTest tests[] = {
    SCENARIO(an_old_echo_undoes_fast_recovery),
    SCENARIO(the_echo_of_the_retransmission_confirms_the_loss),
    SCENARIO(an_old_echo_undoes_a_timeout),
    SCENARIO(dsacks_of_everything_undo_it),
    SCENARIO(dsacks_of_a_part_do_not),
    SCENARIO(a_dsack_of_what_was_sent_once_means_nothing),
    SCENARIO(cubic_is_undone_as_well),
};

SCRIPT_MAIN("undo", tests)
