/* SPDX-License-Identifier: BSD-2-Clause */
/* Passive OPEN: LISTEN of RFC 9293 3.10.7.2, and the half-open connections of it. */
#include "lib/script.h"

static void expect_queues(struct script *s, uint32_t q, uint32_t q0)
{
    uint32_t is_q = 0, is_q0 = 0;

    tcp_listener_queued(s->listener, &is_q, &is_q0);
    assert_int_equal(is_q, q);
    assert_int_equal(is_q0, q0);
}

/* RFC 9293 3.10.7.2 third: a SYN is answered by a SYN-ACK. */
static void a_syn_is_answered_and_waits_half_open(void **state)
{
    struct script *s = listening(state);

    inject(s, SEG(SYN));
    expect(s, SEG(SYN | ACK, .seq = 0, .ack = 1, .len = 0, .mss = OUR_MSS(s)));
    expect_nothing(s);
    expect_queues(s, 0, 1);
    expect_no_event(s, TCP_EV_ACCEPT);
}

/* RFC 9293 3.10.7.4 fifth: the ACK of our SYN completes it. */
static void the_third_segment_announces_the_connection(void **state)
{
    struct script *s = listening(state);

    s->leave_backlog = true;
    peer_opens(s, OFFER_PLAIN);
    expect_queues(s, 1, 0);
    tcp_listener_taken(s->listener, s->p->conn, 7);
    expect_queues(s, 0, 0);
}

/* RFC 7323 2.2 and 3.2, RFC 2018 2: a SYN-ACK answers only what was offered. */
static void a_bare_syn_gets_a_syn_ack_without_extensions(void **state)
{
    struct script *s = listening(state);

    s->p->offer = OFFER_BARE;
    inject(s, SEG(SYN));
    expect(s, SEG(SYN | ACK, .mss = OUR_MSS(s), .wscale = NONE, .sack_ok = NONE, .tsval = NONE));
}

static void offered_extensions_are_answered(void **state)
{
    struct script *s = listening(state);

    s->p->offer = (struct offer){ .mss = 1460, .wscale = 3, .sack = true, .ts = true };
    inject(s, SEG(SYN, .tsval = 1234));
    expect(s, SEG(SYN | ACK, .sack_ok = 1, .tsecr = 1234));
    assert_true(s->p->our_wscale != NONE);
}

/* RFC 9293 3.10.7.2 first: RST to a listener is ignored. */
static void a_rst_to_a_listener_is_ignored(void **state)
{
    struct script *s = listening(state);

    inject(s, SEG(RST));
    inject(s, SEG(RST | ACK, .ack = 5));
    expect_nothing(s);
    expect_drop(s, DROP_LISTEN_RST);
}

/* RFC 9293 3.10.7.2 second: an ACK is reset with its own number. */
static void an_ack_to_a_listener_is_reset(void **state)
{
    struct script *s = listening(state);

    inject(s, SEG(ACK, .seq = 10, .ack = 5000));
    expect(s, SEG(RST, .seq = 5000, .len = 0));
    inject(s, SEG(SYN | ACK, .seq = 10, .ack = 6000));
    expect(s, SEG(RST, .seq = 6000, .len = 0));
    expect_nothing(s);
    expect_queues(s, 0, 0);
}

/* RFC 9293 3.10.7.2 fourth: anything else is dropped. */
static void data_without_control_bits_to_a_listener_is_dropped(void **state)
{
    struct script *s = listening(state);

    inject(s, SEG(0, .seq = 10, .len = 5));
    inject(s, SEG(FIN, .seq = 10));
    expect_nothing(s);
    expect_drop(s, DROP_LISTEN_NO_SYN);
}

/* tcpd: SYN with FIN means nothing good. */
static void a_syn_with_fin_is_dropped(void **state)
{
    struct script *s = listening(state);

    inject(s, SEG(SYN | FIN, .seq = 0));
    expect_nothing(s);
    expect_drop(s, DROP_LISTEN_SYN_FIN);
    expect_queues(s, 0, 0);
}

/* RFC 6298 2.1, 5.5: the SYN-ACK is resent as a SYN is. */
static void a_syn_ack_without_answer_is_resent_with_backoff(void **state)
{
    struct script *s = syn_rcvd(state);

    expect_after(s, SEC(1), SEG(SYN | ACK, .seq = 0, .ack = 1));
    expect_after(s, SEC(2), SEG(SYN | ACK, .seq = 0, .ack = 1));
    expect_after(s, SEC(4), SEG(SYN | ACK, .seq = 0, .ack = 1));
}

/* illumos _ip_abort_linterval: a half-open connection is given up after 3 minutes. */
static void a_half_open_connection_is_given_up(void **state)
{
    struct script *s = syn_rcvd(state);

    advance(s, SEC(170));
    expect_queues(s, 0, 1);
    advance(s, SEC(80));
    expect_queues(s, 0, 0);
    expect_gone(s);
    expect_no_event(s, TCP_EV_ACCEPT);
}

/* RFC 9293 3.8.1: the same SYN again gets the same answer again. */
static void a_duplicate_syn_is_answered_again(void **state)
{
    struct script *s = syn_rcvd(state);
    struct sent p;

    inject(s, SEG(SYN, .seq = 0));
    p = next_sent(s);
    assert_true(p.seg.flags & TCP_ACK);
    assert_int_equal(p.ack, 1);
    expect_nothing(s);
    expect_queues(s, 0, 1);
    inject(s, SEG(ACK, .seq = 1, .ack = 1));
    expect_event(s, TCP_EV_ACCEPT);
}

/* RFC 9293 3.10.7.4 fifth, SYN-RECEIVED: an ACK of what was not sent is reset. */
static void a_wrong_ack_in_syn_rcvd_is_reset(void **state)
{
    struct script *s = syn_rcvd(state);

    inject(s, SEG(ACK, .seq = 1, .ack = 900));
    expect(s, SEG(RST, .seq = 900, .len = 0));
    expect_nothing(s);
    inject(s, SEG(ACK, .seq = 1, .ack = 1));
    expect_event(s, TCP_EV_ACCEPT);
}

/* RFC 9293 3.10.7.4 second, SYN-RECEIVED of a passive open: back to LISTEN. */
static void a_rst_in_syn_rcvd_returns_to_listen(void **state)
{
    struct script *s = syn_rcvd(state);

    inject(s, SEG(RST, .seq = 1));
    expect_nothing(s);
    expect_queues(s, 0, 0);
    expect_no_event(s, TCP_EV_ACCEPT);
    s->p->snd_nxt = 0;
    peer_opens(s, OFFER_PLAIN);
}

/* RFC 5961 3.2: not at RCV.NXT: the RST may be forged. */
static void a_rst_elsewhere_in_the_window_does_not_end_syn_rcvd(void **state)
{
    struct script *s = syn_rcvd(state);

    inject(s, SEG(RST, .seq = 100));
    expect_queues(s, 0, 1);
    expect_drop(s, DROP_RST_SEQ);
}

/* RFC 9293 3.10.7.4: the third segment may carry data and FIN. */
static void data_and_fin_with_the_third_segment_are_taken(void **state)
{
    struct script *s = syn_rcvd(state);

    inject(s, SEG(ACK | FIN | PSH, .seq = 1, .ack = 1, .len = 300));
    expect_event(s, TCP_EV_ACCEPT | TCP_EV_READABLE | TCP_EV_FIN);
    expect_state(s, TCP_CLOSE_WAIT);
    app_reads(s, 300);
    expect(s, SEG(ACK, .seq = 1, .ack = 302));
}

/* RFC 9293 3.10.7.2: a lost third segment is made up for by the first data. */
static void data_completes_a_handshake_whose_ack_was_lost(void **state)
{
    struct script *s = syn_rcvd(state);

    inject(s, SEG(ACK | PSH, .seq = 1, .ack = 1, .len = 10));
    expect_event(s, TCP_EV_ACCEPT);
    app_reads(s, 10);
}

/* RFC 9293 3.10.7.4 fifth: no ACK bit in SYN-RECEIVED: drop. */
static void a_segment_without_ack_in_syn_rcvd_is_dropped(void **state)
{
    struct script *s = syn_rcvd(state);

    inject(s, SEG(0, .seq = 1, .len = 10));
    expect_nothing(s);
    expect_drop(s, DROP_NO_ACK);
    expect_queues(s, 0, 1);
}

/* RFC 9293 3.10.7.4 fourth: a new SYN in the window of a half-open one: the peer starts over. */
static void a_peer_that_starts_over_is_not_locked_out(void **state)
{
    struct script *s = syn_rcvd(state);

    inject(s, SEG(SYN, .seq = 5000));
    forget_output(s);
    s->p->iss += 5000;
    s->p->snd_nxt = 0;
    advance(s, SEC(1));
    forget_output(s);
    inject(s, SEG(RST, .seq = -4999)); /* what the peer answers to a stale SYN-ACK */
    inject(s, SEG(SYN, .seq = 0));
    expect(s, SEG(SYN | ACK, .ack = 1));
}

/* RFC 9293 3.10.4: CLOSE of a listener resets what nobody has taken. */
static void closing_a_listener_resets_its_queue(void **state)
{
    struct script *s = listening(state);

    s->leave_backlog = true;
    peer_opens(s, OFFER_PLAIN);
    tcp_listener_close(s->e, s->listener, s->now);
    settle(s);
    expect(s, SEG(RST | ACK, .seq = 1, .ack = 1));
    expect_gone(s);
}

static void closing_a_listener_ends_half_open_connections(void **state)
{
    struct script *s = syn_rcvd(state);

    tcp_listener_close(s->e, s->listener, s->now);
    settle(s);
    expect_gone(s);
    forget_output(s);
    inject(s, SEG(ACK, .seq = 1, .ack = 1));
    expect(s, SEG(RST, .seq = 1));
}

static void a_taken_connection_outlives_its_listener(void **state)
{
    struct script *s = accepted(state);

    tcp_listener_close(s->e, s->listener, s->now);
    settle(s);
    expect_nothing(s);
    app_writes(s, 100);
    expect(s, SEG(ACK | PSH, .seq = 1, .len = 100));
}

/* RFC 9293 3.10.7.1: after the close there is no listener. */
static void a_syn_after_the_listener_closed_is_reset(void **state)
{
    struct script *s = listening(state);

    tcp_listener_close(s->e, s->listener, s->now);
    settle(s);
    inject(s, SEG(SYN, .seq = 0));
    expect(s, SEG(RST | ACK, .seq = 0, .ack = 1, .len = 0));
}

/* A listener with V6ONLY and one of the other family take nothing from a stranger. */
static void a_listener_takes_only_its_own_port(void **state)
{
    struct script *s = listening(state);

    inject(s, SEG(SYN, .lport = 81));
    expect(s, SEG(RST | ACK, .ack = 1));
    expect_queues(s, 0, 0);
}

/* RFC 9293 3.8.1: an established passive open can send and receive. */
static void an_accepted_connection_carries_data_both_ways(void **state)
{
    struct script *s = accepted(state);

    peer_sends(s, 100);
    app_reads(s, 100);
    app_writes(s, 200);
    skip_acks(s);
    expect(s, SEG(ACK | PSH, .seq = 1, .ack = 101, .len = 200));
}

static const struct CMUnitTest tests[] = {
    SCENARIO(a_syn_is_answered_and_waits_half_open),
    SCENARIO(the_third_segment_announces_the_connection),
    SCENARIO(a_bare_syn_gets_a_syn_ack_without_extensions),
    SCENARIO(offered_extensions_are_answered),
    SCENARIO(a_rst_to_a_listener_is_ignored),
    SCENARIO(an_ack_to_a_listener_is_reset),
    SCENARIO(data_without_control_bits_to_a_listener_is_dropped),
    SCENARIO(a_syn_with_fin_is_dropped),
    SCENARIO(a_syn_ack_without_answer_is_resent_with_backoff),
    SCENARIO(a_half_open_connection_is_given_up),
    SCENARIO(a_duplicate_syn_is_answered_again),
    SCENARIO(a_wrong_ack_in_syn_rcvd_is_reset),
    SCENARIO(a_rst_in_syn_rcvd_returns_to_listen),
    SCENARIO(a_rst_elsewhere_in_the_window_does_not_end_syn_rcvd),
    SCENARIO(data_and_fin_with_the_third_segment_are_taken),
    SCENARIO(data_completes_a_handshake_whose_ack_was_lost),
    SCENARIO(a_segment_without_ack_in_syn_rcvd_is_dropped),
    SCENARIO(a_peer_that_starts_over_is_not_locked_out),
    SCENARIO(closing_a_listener_resets_its_queue),
    SCENARIO(closing_a_listener_ends_half_open_connections),
    SCENARIO(a_taken_connection_outlives_its_listener),
    SCENARIO(a_syn_after_the_listener_closed_is_reset),
    SCENARIO(a_listener_takes_only_its_own_port),
    SCENARIO(an_accepted_connection_carries_data_both_ways),
};

SCRIPT_MAIN("open_passive", tests)
