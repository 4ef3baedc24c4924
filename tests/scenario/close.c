/* SPDX-License-Identifier: BSD-2-Clause */
/* Orderly ends: RFC 9293 3.6, figures 12 and 13, and half-closed connections. */
#include "lib/script.h"

/* Figure 12, seen from the side that closes first. */
static void the_first_closer_ends_in_time_wait(void **state)
{
    struct script *s = established(state);

    app_shuts(s);
    expect(s, SEG(FIN | ACK, .seq = 1, .ack = 1));
    inject(s, SEG(ACK, .seq = 1, .ack = 2));
    expect_state(s, TCP_FIN_WAIT_2);
    inject(s, SEG(FIN | ACK, .seq = 1, .ack = 2));
    expect(s, SEG(ACK, .seq = 2, .ack = 2));
    expect_state(s, TCP_TIME_WAIT);
    app_closes(s);
    expect_state(s, TCP_TIME_WAIT);
    advance(s, SEC(70));
    expect_gone(s);
}

/* Figure 12, seen from the other side. */
static void the_second_closer_is_gone_at_once(void **state)
{
    struct script *s = established(state);

    inject(s, SEG(FIN | ACK, .seq = 1, .ack = 1));
    expect(s, SEG(ACK, .seq = 1, .ack = 2));
    expect_event(s, TCP_EV_FIN);
    app_closes(s);
    expect(s, SEG(FIN | ACK, .seq = 1, .ack = 2));
    inject(s, SEG(ACK, .seq = 2, .ack = 2));
    expect_nothing(s);
    expect_gone(s);
}

/* Figure 13. */
static void a_simultaneous_close_goes_through_closing(void **state)
{
    struct script *s = established(state);

    app_shuts(s);
    expect(s, SEG(FIN | ACK, .seq = 1, .ack = 1));
    inject(s, SEG(FIN | ACK, .seq = 1, .ack = 1));
    expect(s, SEG(ACK, .seq = 2, .ack = 2));
    expect_state(s, TCP_CLOSING);
    inject(s, SEG(ACK, .seq = 2, .ack = 2));
    expect_state(s, TCP_TIME_WAIT);
}

/* RFC 9293 3.6: after our FIN the peer may go on sending. */
static void a_half_closed_connection_still_receives(void **state)
{
    struct script *s = established(state);

    app_shuts(s);
    expect(s, SEG(FIN | ACK, .seq = 1));
    inject(s, SEG(ACK, .seq = 1, .ack = 2));
    for (int i = 0; i < 20; i++) {
        peer_sends(s, 1000);
        app_reads(s, 1000);
    }
    forget_output(s);
    inject(s, SEG(FIN | ACK));
    expect_event(s, TCP_EV_FIN);
    assert_true(tcp_conn_rx_fin(s->p->conn));
    expect_state(s, TCP_TIME_WAIT);
}

/* RFC 9293 3.6: after the peer's FIN we may go on sending. */
static void a_half_closed_connection_still_sends(void **state)
{
    struct script *s = established(state);

    inject(s, SEG(FIN | ACK, .seq = 1, .ack = 1));
    expect(s, SEG(ACK, .ack = 2));
    app_writes(s, 3000);
    expect(s, SEG(ACK, .seq = 1, .ack = 2, .len = 1000));
    expect(s, SEG(ACK, .seq = 1001, .ack = 2, .len = 1000));
    expect(s, SEG(ACK | PSH, .seq = 2001, .ack = 2, .len = 1000));
    peer_acks(s, 3001);
    app_shuts(s);
    expect(s, SEG(FIN | ACK, .seq = 3001, .ack = 2));
    peer_acks(s, 3002);
    app_closes(s);
    expect_gone(s);
}

/* RFC 9293 3.6: the FIN counts only once what precedes it is here. */
static void unread_bytes_come_before_the_end_of_the_stream(void **state)
{
    struct script *s = established(state);

    inject(s, SEG(FIN | ACK | PSH, .seq = 1, .ack = 1, .len = 700));
    expect(s, SEG(ACK, .ack = 702));
    expect_event(s, TCP_EV_READABLE | TCP_EV_FIN);
    assert_false(tcp_conn_rx_fin(s->p->conn));
    app_reads(s, 700);
    assert_true(tcp_conn_rx_fin(s->p->conn));
}

/* engine.h DRAINED: all that was written is acknowledged, FIN included. */
static void drained_waits_for_the_ack_of_the_fin(void **state)
{
    struct script *s = established(state);

    app_writes(s, 1000);
    app_shuts(s);
    forget_output(s);
    peer_acks(s, 1001);
    expect_no_event(s, TCP_EV_DRAINED);
    expect_state(s, TCP_FIN_WAIT_1);
    peer_acks(s, 1002);
    expect_event(s, TCP_EV_DRAINED);
    expect_state(s, TCP_FIN_WAIT_2);
}

/* RFC 9293 3.8.1: a FIN whose data were lost is resent with them. */
static void lost_data_before_a_fin_are_resent(void **state)
{
    struct script *s = established(state);

    app_writes(s, 1000);
    app_shuts(s);
    forget_output(s);
    advance(s, MS(600));
    assert_int_equal(next_sent(s).seq, 1);
    forget_output(s);
    peer_acks(s, 1001);
    forget_output(s);
    advance(s, SEC(2));
    expect_state(s, TCP_FIN_WAIT_1);
    peer_acks(s, 1002);
    expect_state(s, TCP_FIN_WAIT_2);
}

/* engine.h: after close() the data still in flight are delivered, in order, with the FIN. */
static void close_delivers_what_was_written(void **state)
{
    struct script *s = established(state);
    int64_t acked = 1;

    app_writes(s, 20000);
    app_closes(s);
    for (int i = 0; i < 50 && s->p->rcv_nxt < 20002; i++) {
        forget_output(s);
        acked = s->p->rcv_nxt;
        peer_acks(s, acked);
    }
    assert_int_equal(s->p->rcv_nxt, 20002);
    peer_acks(s, 20002);
    expect_state(s, TCP_FIN_WAIT_2);
    inject(s, SEG(FIN | ACK));
    advance(s, SEC(120));
    expect_gone(s);
}

/* engine.h: a program that is gone is told nothing but DRAINED and GONE. */
static void after_close_only_drained_and_gone_are_announced(void **state)
{
    struct script *s = established(state);

    app_closes(s);
    s->p->events = 0;
    inject(s, SEG(ACK, .ack = 2));
    inject(s, SEG(FIN | ACK, .ack = 2));
    advance(s, SEC(120));
    expect_gone(s);
    expect_no_event(s, ~(unsigned)(TCP_EV_DRAINED | TCP_EV_GONE));
}

/* RFC 9293 3.10.7.4: both FINs and both ACKs in as few segments as possible. */
static void fin_with_ack_of_fin_closes_in_three_segments(void **state)
{
    struct script *s = established(state);

    app_closes(s);
    expect(s, SEG(FIN | ACK, .seq = 1, .ack = 1));
    inject(s, SEG(FIN | ACK, .seq = 1, .ack = 2));
    expect(s, SEG(ACK, .seq = 2, .ack = 2));
    expect_nothing(s);
    expect_state(s, TCP_TIME_WAIT);
}

/* RFC 9293 3.5.2: a RST in the middle of a transfer is told to the program. */
static void a_reset_leaves_received_bytes_readable(void **state)
{
    struct script *s = established(state);

    peer_sends(s, 400);
    forget_output(s);
    inject(s, SEG(RST));
    expect_event(s, TCP_EV_CLOSED);
    assert_int_equal(s->p->error, ECONNRESET);
}

/* RFC 9293 3.10.5: ABORT throws away what was not sent. */
static void an_abort_sends_no_more_data(void **state)
{
    struct script *s = established(state);
    struct sent p;

    app_writes(s, 20000);
    forget_output(s);
    app_aborts(s);
    p = next_sent(s);
    assert_true(p.seg.flags & TCP_RST);
    expect_nothing(s);
    expect_gone(s);
    advance(s, SEC(100));
    expect_nothing(s);
}

static const struct CMUnitTest tests[] = {
    SCENARIO(the_first_closer_ends_in_time_wait),
    SCENARIO(the_second_closer_is_gone_at_once),
    SCENARIO(a_simultaneous_close_goes_through_closing),
    SCENARIO(a_half_closed_connection_still_receives),
    SCENARIO(a_half_closed_connection_still_sends),
    SCENARIO(unread_bytes_come_before_the_end_of_the_stream),
    SCENARIO(drained_waits_for_the_ack_of_the_fin),
    SCENARIO(lost_data_before_a_fin_are_resent),
    SCENARIO(close_delivers_what_was_written),
    SCENARIO(after_close_only_drained_and_gone_are_announced),
    SCENARIO(fin_with_ack_of_fin_closes_in_three_segments),
    SCENARIO(a_reset_leaves_received_bytes_readable),
    SCENARIO(an_abort_sends_no_more_data),
};

SCRIPT_MAIN("close", tests)
