/* SPDX-License-Identifier: BSD-2-Clause */
/* Active OPEN: RFC 9293 3.10.1 and SYN-SENT of 3.10.7.3. */
#include "lib/script.h"

/* RFC 9293 3.7.1, RFC 7323 2.2 and 3.2, RFC 2018 2: what a SYN offers. */
static void a_syn_offers_mss_scale_sack_and_timestamps(void **state)
{
    struct script *s = script(state);

    script_start(s);
    assert_int_equal(connects(s), 0);
    expect(s, SEG(SYN, .seq = 0, .len = 0, .mss = OUR_MSS(s), .sack_ok = 1, .tsecr = 0, NOT_SACKED));
    assert_true(s->p->our_wscale != NONE);
    expect_state(s, TCP_SYN_SENT);
    expect_nothing(s);
}

/* RFC 9293 3.10.7.3: the SYN-ACK of our SYN completes the open, with an ACK at once. */
static void a_syn_ack_establishes(void **state)
{
    struct script *s = syn_sent(state);

    inject(s, SEG(SYN | ACK, .seq = 0, .ack = 1));
    expect(s, SEG(ACK, .seq = 1, .ack = 1, .len = 0));
    expect_event(s, TCP_EV_ESTABLISHED);
    expect_state(s, TCP_ESTABLISHED);
}

/* RFC 9293 3.5: the flow is known to the engine under its id. */
static void a_connection_is_found_by_its_id(void **state)
{
    struct script *s = established(state);
    struct flow f = script_flow(s, s->p);

    assert_ptr_equal(tcp_engine_find(s->e, s->p->conn_id), s->p->conn);
    assert_ptr_equal(tcp_engine_first(s->e), s->p->conn);
    assert_null(tcp_engine_next(s->e, s->p->conn));
    assert_int_equal(tcp_conn_flow(s->p->conn)->rport, f.rport);
}

/* RFC 6298 2.1 and 5.5: 1 s, then doubled each time. */
static void a_syn_without_answer_is_resent_with_backoff(void **state)
{
    struct script *s = syn_sent(state);

    expect_after(s, SEC(1), SEG(SYN, .seq = 0));
    expect_after(s, SEC(2), SEG(SYN, .seq = 0));
    expect_after(s, SEC(4), SEG(SYN, .seq = 0));
    expect_after(s, SEC(8), SEG(SYN, .seq = 0));
}

/* RFC 9293 3.8.3: R2 of a SYN is at least 3 minutes. */
static void a_connect_gives_up_after_three_minutes(void **state)
{
    struct script *s = syn_sent(state);

    advance(s, SEC(170));
    expect_alive(s);
    advance(s, SEC(80));
    expect_closed(s, ETIMEDOUT);
    expect_gone(s);
}

/* illumos conn_abort 0: the SYN is repeated for ever. */
static void a_connect_abort_threshold_of_0_never_gives_up(void **state)
{
    struct script *s = script(state);

    script_start(s);
    s->config.conn_abort_ms = 0;
    assert_int_equal(connects(s), 0);
    advance(s, SEC(3600));
    expect_alive(s);
    forget_output(s);
    expect_within(s, 0, SEC(61), SEG(SYN, .seq = 0));
}

/* RFC 9293 3.10.7.3 first check: an ACK of what we never sent is answered by a RST. */
static void an_unacceptable_ack_in_syn_sent_is_reset(void **state)
{
    struct script *s = syn_sent(state);

    inject(s, SEG(ACK, .seq = 500, .ack = 2));
    expect(s, SEG(RST, .seq = 2, .len = 0));
    inject(s, SEG(ACK, .seq = 500, .ack = 0));
    expect(s, SEG(RST, .seq = 0, .len = 0));
    inject(s, SEG(SYN | ACK, .seq = 0, .ack = 77));
    expect(s, SEG(RST, .seq = 77, .len = 0));
    expect_drop(s, DROP_SYN_SENT_ACK);
    expect_state(s, TCP_SYN_SENT);
}

/* RFC 9293 3.10.7.3 first check: but never a RST by a RST. */
static void an_unacceptable_ack_with_rst_in_syn_sent_is_dropped(void **state)
{
    struct script *s = syn_sent(state);

    inject(s, SEG(RST | ACK, .seq = 0, .ack = 2));
    inject(s, SEG(RST | ACK, .seq = 0, .ack = 0));
    expect_nothing(s);
    expect_alive(s);
    expect_drop(s, DROP_RST_ACK);
}

/* RFC 9293 3.10.7.3 second check: RST with the ACK of our SYN refuses the connection. */
static void a_rst_that_acknowledges_the_syn_refuses(void **state)
{
    struct script *s = syn_sent(state);

    inject(s, SEG(RST | ACK, .seq = 0, .ack = 1));
    expect_nothing(s);
    expect_closed(s, ECONNREFUSED);
    expect_gone(s);
}

/* RFC 9293 3.10.7.3 second check: a RST without an ACK proves nothing. */
static void a_rst_without_ack_in_syn_sent_is_dropped(void **state)
{
    struct script *s = syn_sent(state);

    inject(s, SEG(RST, .seq = 0));
    expect_nothing(s);
    expect_drop(s, DROP_RST_ACK);
    expect_state(s, TCP_SYN_SENT);
}

/* RFC 9293 3.10.7.3 fifth: neither SYN nor RST: drop. */
static void an_ack_or_fin_without_syn_in_syn_sent_is_dropped(void **state)
{
    struct script *s = syn_sent(state);

    inject(s, SEG(ACK, .seq = 0, .ack = 1));
    inject(s, SEG(FIN | ACK, .seq = 0, .ack = 1));
    inject(s, SEG(ACK, .seq = 0, .ack = 1, .len = 20, .garbage = true));
    expect_nothing(s);
    expect_drop(s, DROP_SYN_SENT_OTHER);
    expect_state(s, TCP_SYN_SENT);
}

/* RFC 9293 3.10.2: SEND in SYN-SENT queues the data. */
static void bytes_written_in_syn_sent_follow_the_handshake(void **state)
{
    struct script *s = syn_sent(state);

    app_writes(s, 500);
    expect_nothing(s);
    inject(s, SEG(SYN | ACK, .seq = 0, .ack = 1));
    skip_acks(s);
    expect(s, SEG(ACK | PSH, .seq = 1, .ack = 1, .len = 500));
    expect_nothing(s);
}

/* RFC 9293 3.10.4 CLOSE in SYN-SENT: delete the TCB; nothing is said. */
static void close_in_syn_sent_is_silent(void **state)
{
    struct script *s = syn_sent(state);

    app_closes(s);
    expect_nothing(s);
    expect_gone(s);
    advance(s, SEC(300));
    expect_nothing(s);
}

/* RFC 9293 3.10.5 ABORT in SYN-SENT: the same. */
static void abort_in_syn_sent_is_silent(void **state)
{
    struct script *s = syn_sent(state);

    app_aborts(s);
    expect_nothing(s);
    expect_gone(s);
}

/* RFC 9293 3.10.7.1: after that, the late SYN-ACK meets no connection. */
static void a_syn_ack_after_an_abort_is_reset(void **state)
{
    struct script *s = syn_sent(state);

    app_aborts(s);
    inject(s, SEG(SYN | ACK, .seq = 0, .ack = 1));
    expect(s, SEG(RST, .seq = 1, .len = 0));
}

/* RFC 9293 3.10.1: "connection already exists". */
static void a_taken_tuple_cannot_be_connected_again(void **state)
{
    struct script *s = established(state);
    struct flow f = script_flow(s, s->p);
    struct tcp_conn *first = s->p->conn;

    assert_false(tcp_flow_free(s->e, &f, s->now));
    assert_int_equal(connects(s), -EADDRINUSE);
    assert_ptr_equal(s->p->conn, first);
    app_aborts(s);
    assert_true(tcp_flow_free(s->e, &f, s->now));
}

/* RFC 6528 3: two connections do not share an ISN, nor do two incarnations of one. */
static void initial_sequence_numbers_differ(void **state)
{
    struct script *s = syn_sent(state);
    uint32_t first = s->p->iss_ours, second;

    peer_add(s);
    assert_int_equal(connects(s), 0);
    expect(s, SEG(SYN));
    second = s->p->iss_ours;
    assert_true(first != second);
    app_aborts(s);
    advance(s, SEC(1));
    forget_output(s);
    assert_int_equal(connects(s), 0);
    expect(s, SEG(SYN));
    assert_true(s->p->iss_ours != second);
    assert_true((int32_t)(s->p->iss_ours - second) > 0);
}

/* RFC 9293 3.10.7.3: data that comes with the SYN-ACK may be kept or left to be resent. */
static void data_on_a_syn_ack_is_delivered_once(void **state)
{
    struct script *s = syn_sent(state);

    inject(s, SEG(SYN | ACK, .seq = 0, .ack = 1, .len = 100));
    forget_output(s);
    expect_state(s, TCP_ESTABLISHED);
    inject(s, SEG(ACK, .seq = 1, .ack = 1, .len = 100));
    app_reads(s, 100);
    app_reads(s, 0);
}

/* tcpd grace period: added once to the first SYN's timeout. */
static void the_grace_period_delays_the_second_syn(void **state)
{
    struct script *s = script(state);

    script_start(s);
    s->config.grace_ms = 3000;
    assert_int_equal(connects(s), 0);
    expect(s, SEG(SYN));
    expect_after(s, SEC(4), SEG(SYN, .seq = 0));
}

/* design.md 5: a connection leaves by the path that was given to it. */
static void the_ttl_and_tos_of_the_configuration_are_sent(void **state)
{
    struct script *s = script(state);

    script_start(s);
    s->config.ttl = 17;
    s->config.hop_limit = 17;
    s->config.tos = 0x10;
    assert_int_equal(connects(s), 0);
    expect(s, SEG(SYN, .ttl = 17, .tos = 0x10));
}

static const struct CMUnitTest tests[] = {
    SCENARIO(a_syn_offers_mss_scale_sack_and_timestamps),
    SCENARIO(a_syn_ack_establishes),
    SCENARIO(a_connection_is_found_by_its_id),
    SCENARIO(a_syn_without_answer_is_resent_with_backoff),
    SCENARIO(a_connect_gives_up_after_three_minutes),
    SCENARIO(a_connect_abort_threshold_of_0_never_gives_up),
    SCENARIO(an_unacceptable_ack_in_syn_sent_is_reset),
    SCENARIO(an_unacceptable_ack_with_rst_in_syn_sent_is_dropped),
    SCENARIO(a_rst_that_acknowledges_the_syn_refuses),
    SCENARIO(a_rst_without_ack_in_syn_sent_is_dropped),
    SCENARIO(an_ack_or_fin_without_syn_in_syn_sent_is_dropped),
    SCENARIO(bytes_written_in_syn_sent_follow_the_handshake),
    SCENARIO(close_in_syn_sent_is_silent),
    SCENARIO(abort_in_syn_sent_is_silent),
    SCENARIO(a_syn_ack_after_an_abort_is_reset),
    SCENARIO(a_taken_tuple_cannot_be_connected_again),
    SCENARIO(initial_sequence_numbers_differ),
    SCENARIO(data_on_a_syn_ack_is_delivered_once),
    SCENARIO(the_grace_period_delays_the_second_syn),
    SCENARIO(the_ttl_and_tos_of_the_configuration_are_sent),
};

SCRIPT_MAIN("open_active", tests)
