/* SPDX-License-Identifier: BSD-2-Clause */
/* A peer that takes no more: RFC 9293 3.8.6.1, RFC 1122 4.2.2.17. */
#include "lib/script.h"

/* The peer has closed its window; 3,000 bytes wait. */
static struct script *shut(void **state)
{
    struct script *s = established(state);

    inject(s, SEG(ACK, .wnd = 0));
    s->p->wnd_bytes = 0;
    app_writes(s, 3000);
    expect_nothing(s);
    return s;
}

static struct sent next_probe(struct script *s, usec_t within)
{
    usec_t end = s->now + within;

    while (!packets_waiting(s) && s->now < end)
        advance(s, MS(10));
    return next_sent(s);
}

static void a_closed_window_is_probed_with_one_byte(void **state)
{
    struct script *s = shut(state);
    struct sent p = next_probe(s, MS(1100));

    assert_int_equal(p.seq, 1);
    assert_int_equal(p.seg.len, 1);
    assert_true(p.good_payload);
    expect_nothing(s);
}

/* "Increase exponentially the interval between successive probes." */
static void probes_back_off(void **state)
{
    struct script *s = shut(state);
    usec_t last = 0, gap[5];

    for (int i = 0; i < 5; i++) {
        usec_t from = s->now;

        (void)next_probe(s, SEC(100));
        gap[i] = s->now - from;
        inject(s, SEG(ACK, .ack = 1));
    }
    for (int i = 0; i < 5; i++) {
        assert_true(gap[i] >= last + last / 2);
        last = gap[i];
    }
}

static void probes_are_never_rarer_than_the_maximum_timeout(void **state)
{
    struct script *s = shut(state);

    for (int i = 0; i < 20; i++) {
        (void)next_probe(s, SEC(61));
        inject(s, SEG(ACK, .ack = 1));
    }
}

/* "The connection must be kept as long as the receiver answers the probes." */
static void an_answering_peer_is_never_given_up(void **state)
{
    struct script *s = shut(state);

    for (int i = 0; i < 60; i++) {
        (void)next_probe(s, SEC(61));
        inject(s, SEG(ACK, .ack = 1));
    }
    expect_alive(s);
    expect_state(s, TCP_ESTABLISHED);
}

/* illumos: but a silent one is, after the abort interval. */
static void a_silent_peer_is_given_up(void **state)
{
    struct script *s = shut(state);

    advance(s, SEC(500));
    expect_closed(s, ETIMEDOUT);
    expect_gone(s);
}

static void an_opened_window_sends_at_once(void **state)
{
    struct script *s = shut(state);

    s->p->wnd_bytes = 65535;
    inject(s, SEG(ACK, .ack = 1));
    expect(s, SEG(ACK, .seq = 1, .len = 1000));
    expect(s, SEG(ACK, .seq = 1001, .len = 1000));
    expect(s, SEG(ACK | PSH, .seq = 2001, .len = 1000));
}

/* The answer to a probe may open the window; the probe's byte may be taken or not. */
static void the_answer_to_a_probe_opens_the_window(void **state)
{
    struct script *s = shut(state);

    (void)next_probe(s, MS(1100));
    s->p->wnd_bytes = 65535;
    inject(s, SEG(ACK, .ack = 2));
    expect(s, SEG(ACK, .seq = 2, .len = 1000));
}

static void a_refused_probe_byte_is_sent_again(void **state)
{
    struct script *s = shut(state);
    int64_t sent = 1;

    (void)next_probe(s, MS(1100));
    s->p->wnd_bytes = 65535;
    inject(s, SEG(ACK, .ack = 1));
    advance(s, SEC(1));
    while (packets_waiting(s)) {
        struct sent p = next_sent(s);

        assert_true(p.seq <= sent);
        sent = MAX(sent, p.seq + p.seg.len);
    }
    assert_int_equal(sent, 3001);
}

static void a_taken_probe_byte_moves_the_next_probe(void **state)
{
    struct script *s = shut(state);

    (void)next_probe(s, MS(1100));
    inject(s, SEG(ACK, .ack = 2));
    assert_int_equal(next_probe(s, SEC(3)).seq, 2);
}

/* Probing is no congestion: neither window nor threshold changes. */
static void probing_leaves_the_congestion_window_alone(void **state)
{
    struct script *s = shut(state);
    uint32_t cwnd = info(s).cwnd, ssthresh = info(s).ssthresh;

    for (int i = 0; i < 5; i++) {
        (void)next_probe(s, SEC(61));
        inject(s, SEG(ACK, .ack = 1));
    }
    assert_int_equal(info(s).cwnd, cwnd);
    assert_int_equal(info(s).ssthresh, ssthresh);
}

/* A window that closes on data in flight: they may still be taken. */
static void a_window_that_shrinks_below_the_flight_does_no_harm(void **state)
{
    struct script *s = established(state);

    app_writes(s, 4000);
    assert_int_equal(forget_output(s), 4);
    inject(s, SEG(ACK, .ack = 1001, .wnd = 0));
    expect_nothing(s);
    s->p->wnd_bytes = 0;
    inject(s, SEG(ACK, .ack = 4001));
    assert_int_equal(tcp_conn_tx_unacked(s->p->conn), 0);
    advance(s, SEC(100));
    expect_alive(s);
}

/* Without data there is nothing to probe for. */
static void a_closed_window_without_data_is_not_probed(void **state)
{
    struct script *s = established(state);

    inject(s, SEG(ACK, .wnd = 0));
    advance(s, SEC(1000));
    expect_nothing(s);
}

static void closing_with_a_closed_window_keeps_probing(void **state)
{
    struct script *s = shut(state);

    app_closes(s);
    (void)next_probe(s, SEC(2));
    s->p->wnd_bytes = 65535;
    inject(s, SEG(ACK, .ack = 1));
    advance(s, SEC(1));
    assert_int_equal(s->p->rcv_nxt, 3002);
}

/* RFC 9293 3.10.7.4: an old segment does not change the window (WL1, WL2). */
static void an_old_segment_does_not_reopen_the_window(void **state)
{
    struct script *s = established(state);

    inject(s, SEG(ACK, .seq = 1, .len = 10));
    forget_output(s);
    inject(s, SEG(ACK, .seq = 11, .wnd = 0));
    inject(s, SEG(ACK, .seq = 1, .len = 10, .wnd = 65535));
    assert_int_equal(info(s).snd_wnd, 0);
}

static const struct CMUnitTest tests[] = {
    SCENARIO(a_closed_window_is_probed_with_one_byte),
    SCENARIO(probes_back_off),
    SCENARIO(probes_are_never_rarer_than_the_maximum_timeout),
    SCENARIO(an_answering_peer_is_never_given_up),
    SCENARIO(a_silent_peer_is_given_up),
    SCENARIO(an_opened_window_sends_at_once),
    SCENARIO(the_answer_to_a_probe_opens_the_window),
    SCENARIO(a_refused_probe_byte_is_sent_again),
    SCENARIO(a_taken_probe_byte_moves_the_next_probe),
    SCENARIO(probing_leaves_the_congestion_window_alone),
    SCENARIO(a_window_that_shrinks_below_the_flight_does_no_harm),
    SCENARIO(a_closed_window_without_data_is_not_probed),
    SCENARIO(closing_with_a_closed_window_keeps_probing),
    SCENARIO(an_old_segment_does_not_reopen_the_window),
};

SCRIPT_MAIN("zero_window", tests)
