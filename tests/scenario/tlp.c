/* SPDX-License-Identifier: BSD-2-Clause */
/* Tail loss probes: RFC 8985 7. The peer is 50 ms away: PTO = 100 ms, RTO = 400 ms. */
#include "lib/script.h"

#define RTT MS(50)

static struct script *far(void **state, struct offer offer)
{
    struct script *s = script(state);

    s->tun.tlp = 1;
    return opens_far(s, offer, RTT);
}

/* 7.2, 7.3: after two round trips of silence the last segment goes again. */
static void the_last_segment_is_the_probe(void **state)
{
    struct script *s = far(state, OFFER_PLAIN);

    app_writes(s, 3000);
    assert_int_equal(forget_output(s), 3);
    expect_within(s, MS(100), MS(102), SEG(ACK | PSH, .seq = 2001, .len = 1000));
    assert_int_equal(tcp_engine_counters(s->e)->tlp_probes, 1);
    assert_int_equal(tcp_engine_counters(s->e)->tim_retrans, 0);
}

/* 7.2: one segment alone may wait for a delayed ACK. */
static void one_segment_is_given_more_time(void **state)
{
    struct script *s = far(state, OFFER_PLAIN);

    app_writes(s, 1000);
    forget_output(s);
    expect_within(s, MS(300), MS(302), SEG(ACK | PSH, .seq = 1, .len = 1000));
}

/* 7.3: a new segment is the better probe, although the window is full. */
static void a_new_segment_is_sent_if_there_is_one(void **state)
{
    struct script *s = far(state, OFFER_PLAIN);

    app_writes(s, 6000);
    assert_int_equal(forget_output(s), 4);
    expect_within(s, MS(100), MS(102), SEG(ACK, .seq = 4001, .len = 1000));
    expect_nothing(s);
}

/* One probe at a time, and the retransmission timer begins anew with it. */
static void then_comes_the_timeout(void **state)
{
    struct script *s = far(state, OFFER_PLAIN);

    app_writes(s, 3000);
    forget_output(s);
    expect_within(s, MS(100), MS(102), SEG(ACK | PSH, .seq = 2001, .len = 1000));
    expect_within(s, MS(390), MS(420), SEG(ACK, .seq = 1, .len = 1000));
    assert_int_equal(tcp_engine_counters(s->e)->tim_retrans, 1);
}

/* The whole tail is lost: the probe's SACK lets RACK repair it. */
static void a_lost_tail_is_repaired_without_a_timeout(void **state)
{
    struct script *s = far(state, OFFER_PLAIN);

    app_writes(s, 4000);
    forget_output(s);
    advance(s, RTT);
    peer_acks(s, 1001); /* the rest is gone */
    forget_output(s);
    expect_within(s, MS(90), MS(110), SEG(ACK | PSH, .seq = 3001, .len = 1000));
    advance(s, RTT);
    inject(s, SEG(ACK, .ack = 1001, SACKED(3001, 4001)));
    advance(s, MS(20));
    assert_true(info(s).in_recovery);
    expect(s, SEG(ACK, .seq = 1001, .len = 1000));
    advance(s, RTT);
    peer_acks(s, 2001);
    expect(s, SEG(ACK, .seq = 2001, .len = 1000));
    advance(s, RTT);
    peer_acks(s, 4001);
    assert_int_equal(tcp_conn_tx_unacked(s->p->conn), 0);
    assert_int_equal(tcp_engine_counters(s->e)->tim_retrans, 0);
}

/* 7.4.2 case 2: the probe itself filled the only hole. That was a loss: the window is halved. */
static void a_probe_that_repairs_costs_what_a_loss_costs(void **state)
{
    struct script *s = far(state, OFFER_PLAIN);

    app_writes(s, 4000);
    forget_output(s);
    advance(s, RTT);
    peer_acks(s, 3001);
    forget_output(s);
    expect_within(s, MS(290), MS(310), SEG(ACK | PSH, .seq = 3001, .len = 1000));
    app_writes(s, 1000);
    expect(s, SEG(ACK | PSH, .seq = 4001, .len = 1000));
    advance(s, RTT);
    peer_acks(s, 5001);
    assert_int_equal(tcp_engine_counters(s->e)->tlp_repairs, 1);
    assert_int_equal(info(s).ssthresh, 2000);
}

/* 7.4.2 case 1: both arrived, a D-SACK says so: nothing happened. */
static void a_needless_probe_costs_nothing(void **state)
{
    struct script *s = far(state, OFFER_PLAIN);
    uint32_t cwnd;

    app_writes(s, 4000);
    forget_output(s);
    expect_within(s, MS(100), MS(102), SEG(ACK | PSH, .seq = 3001, .len = 1000));
    peer_acks(s, 4001);
    cwnd = info(s).cwnd;
    inject(s, SEG(ACK, .ack = 4001, SACKED(3001, 4001)));
    app_writes(s, 1000);
    forget_output(s);
    advance(s, RTT);
    peer_acks(s, 5001);
    assert_int_equal(tcp_engine_counters(s->e)->tlp_repairs, 0);
    assert_true(info(s).cwnd >= cwnd);
}

/* 7.4.2 case 3: the same, of a peer that sends no D-SACK. */
static void a_bare_duplicate_ack_excuses_the_probe_too(void **state)
{
    struct script *s = far(state, OFFER_PLAIN);

    app_writes(s, 4000);
    forget_output(s);
    expect_within(s, MS(100), MS(102), SEG(ACK | PSH, .seq = 3001, .len = 1000));
    peer_acks(s, 4001);
    peer_acks(s, 4001);
    app_writes(s, 1000);
    forget_output(s);
    peer_acks(s, 5001);
    assert_int_equal(tcp_engine_counters(s->e)->tlp_repairs, 0);
}

/* 7.1: needs SACK. */
static void a_peer_without_sack_gets_no_probe(void **state)
{
    struct script *s = far(state, OFFER_MSS);

    app_writes(s, 3000);
    forget_output(s);
    expect_after(s, MS(400), SEG(ACK, .seq = 1, .len = 1000));
}

static void an_acknowledged_flight_needs_no_probe(void **state)
{
    struct script *s = far(state, OFFER_PLAIN);

    app_writes(s, 3000);
    forget_output(s);
    advance(s, RTT);
    peer_acks(s, 3001);
    advance(s, SEC(2));
    expect_nothing(s);
}

static const struct CMUnitTest tests[] = {
    SCENARIO(the_last_segment_is_the_probe),
    SCENARIO(one_segment_is_given_more_time),
    SCENARIO(a_new_segment_is_sent_if_there_is_one),
    SCENARIO(then_comes_the_timeout),
    SCENARIO(a_lost_tail_is_repaired_without_a_timeout),
    SCENARIO(a_probe_that_repairs_costs_what_a_loss_costs),
    SCENARIO(a_needless_probe_costs_nothing),
    SCENARIO(a_bare_duplicate_ack_excuses_the_probe_too),
    SCENARIO(a_peer_without_sack_gets_no_probe),
    SCENARIO(an_acknowledged_flight_needs_no_probe),
};

SCRIPT_MAIN("tlp", tests)
