/* SPDX-License-Identifier: BSD-2-Clause */
/* The four cases of the acceptability test: RFC 9293 3.4 and 3.10.7.4 first. */
#include "lib/script.h"

static struct script *full(void **state)
{
    struct script *s = script(state);

    script_start(s);
    s->config.rcv_buf_bytes = 8000;
    s->config.rcv_buf_fixed = 1;
    opens(s, OFFER_PLAIN);
    peer_fills_window(s);
    return s;
}

/* Length 0, window 0: only SEG.SEQ = RCV.NXT. */
static void an_empty_segment_at_a_closed_window_is_accepted(void **state)
{
    struct script *s = full(state);

    app_writes(s, 1000);
    expect(s, SEG(ACK, .seq = 1, .len = 1000, .wnd = 0));
    inject(s, SEG(ACK, .ack = 1001));
    expect_nothing(s);
    assert_int_equal(tcp_conn_tx_unacked(s->p->conn), 0);
}

static void an_empty_segment_beyond_a_closed_window_is_not(void **state)
{
    struct script *s = full(state);

    inject(s, SEG(ACK, .seq = s->p->snd_nxt + 1));
    expect(s, SEG(ACK, .ack = s->p->snd_nxt, .len = 0, .wnd = 0));
    expect_drop(s, DROP_WINDOW);
}

/* Length 0, window > 0: RCV.NXT =< SEG.SEQ < RCV.NXT+RCV.WND. */
static void an_empty_segment_in_the_window_is_accepted(void **state)
{
    struct script *s = established(state);

    app_writes(s, 2000);
    forget_output(s);
    inject(s, SEG(ACK, .seq = s->p->right_edge - 1, .ack = 1001));
    expect_nothing(s);
    assert_int_equal(tcp_conn_tx_unacked(s->p->conn), 1000);
}

/* Not in the table: a peer that has filled the window sends its bare ACKs from the edge. */
static void an_empty_segment_at_the_right_edge_is_accepted(void **state)
{
    struct script *s = established(state);

    app_writes(s, 1000);
    forget_output(s);
    inject(s, SEG(ACK, .seq = s->p->right_edge, .ack = 1001));
    expect_nothing(s);
    assert_int_equal(tcp_conn_tx_unacked(s->p->conn), 0);
}

static void an_empty_segment_beyond_the_right_edge_is_not(void **state)
{
    struct script *s = established(state);

    inject(s, SEG(ACK, .seq = s->p->right_edge + 1, .ack = 1));
    expect(s, SEG(ACK, .seq = 1, .ack = 1, .len = 0));
    expect_drop(s, DROP_WINDOW);
}

static void data_at_the_right_edge_are_refused(void **state)
{
    struct script *s = established(state);

    inject(s, SEG(ACK, .seq = s->p->right_edge, .ack = 1, .len = 1));
    expect(s, SEG(ACK, .seq = 1, .ack = 1, .len = 0, NOT_SACKED));
    expect_drop(s, DROP_WINDOW);
}

/* Length > 0, window 0: never; but it is answered. */
static void data_into_a_closed_window_are_refused_with_an_ack(void **state)
{
    struct script *s = full(state);
    int64_t rcv_nxt = s->p->snd_nxt;

    inject(s, SEG(ACK, .seq = rcv_nxt, .len = 1));
    expect(s, SEG(ACK, .ack = rcv_nxt, .len = 0, .wnd = 0));
    expect_nothing(s);
}

/* "Special allowance": a RST at RCV.NXT counts whatever the window. */
static void a_rst_into_a_closed_window_ends_the_connection(void **state)
{
    struct script *s = full(state);

    inject(s, SEG(RST));
    expect_event(s, TCP_EV_CLOSED);
    assert_int_equal(s->p->error, ECONNRESET);
}

/* "Special allowance": the ACK of a refused probe counts too. */
static void the_ack_of_refused_data_counts(void **state)
{
    struct script *s = full(state);

    app_writes(s, 1000);
    forget_output(s);
    inject(s, SEG(ACK, .seq = s->p->snd_nxt, .len = 1, .ack = 1001));
    assert_int_equal(tcp_conn_tx_unacked(s->p->conn), 0);
}

/* Length > 0, window > 0: the first byte in the window, or the last. */
static void data_that_begin_before_the_window_are_trimmed(void **state)
{
    struct script *s = established(state);

    peer_sends(s, 500);
    inject(s, SEG(ACK, .seq = 1, .len = 800));
    app_reads(s, 800);
    advance(s, MS(200));
    assert_int_equal(info(s).rcv_nxt - s->p->iss, 801);
}

static void data_that_end_beyond_the_window_are_trimmed(void **state)
{
    struct script *s = script(state);
    int64_t edge;

    script_start(s);
    s->config.rcv_buf_bytes = 8000;
    s->config.rcv_buf_fixed = 1;
    opens(s, OFFER_PLAIN);
    edge = s->p->right_edge;
    inject(s, SEG(ACK, .seq = 1, .len = edge + 500));
    forget_output(s);
    assert_int_equal(info(s).rcv_nxt - s->p->iss, edge);
    app_reads(s, edge - 1);
    app_reads(s, 0);
}

/* 3.10.7.4: a segment wholly before the window is answered by an ACK. */
static void old_data_are_acknowledged_again(void **state)
{
    struct script *s = established(state);

    peer_sends(s, 1000);
    app_reads(s, 1000);
    advance(s, MS(200));
    forget_output(s);
    inject(s, SEG(ACK, .seq = 1, .len = 1000));
    expect(s, SEG(ACK, .seq = 1, .ack = 1001, .len = 0));
    app_reads(s, 0);
}

/* RFC 9293 3.1, MUST-1. */
static void a_window_above_32767_is_no_negative_number(void **state)
{
    struct script *s = established(state);

    grow_cwnd(s, 50);
    forget_output(s);
    inject(s, SEG(ACK, .wnd = 40000));
    app_writes(s, 45000);
    assert_int_equal(info(s).flight, 40000);
    assert_int_equal(info(s).snd_wnd, 40000);
}

static const struct CMUnitTest tests[] = {
    SCENARIO(a_window_above_32767_is_no_negative_number),
    SCENARIO(an_empty_segment_at_a_closed_window_is_accepted),
    SCENARIO(an_empty_segment_beyond_a_closed_window_is_not),
    SCENARIO(an_empty_segment_in_the_window_is_accepted),
    SCENARIO(an_empty_segment_at_the_right_edge_is_accepted),
    SCENARIO(an_empty_segment_beyond_the_right_edge_is_not),
    SCENARIO(data_at_the_right_edge_are_refused),
    SCENARIO(data_into_a_closed_window_are_refused_with_an_ack),
    SCENARIO(a_rst_into_a_closed_window_ends_the_connection),
    SCENARIO(the_ack_of_refused_data_counts),
    SCENARIO(data_that_begin_before_the_window_are_trimmed),
    SCENARIO(data_that_end_beyond_the_window_are_trimmed),
    SCENARIO(old_data_are_acknowledged_again),
};

SCRIPT_MAIN("acceptance", tests)
