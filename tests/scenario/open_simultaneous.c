/* SPDX-License-Identifier: BSD-2-Clause */
/* Both sides open at once: RFC 9293 3.5 figure 7 and 3.10.7.3 fourth. */
#include "lib/script.h"

static void a_syn_in_syn_sent_makes_a_simultaneous_open(void **state)
{
    struct script *s = syn_sent(state);

    inject(s, SEG(SYN, .seq = 0));
    expect(s, SEG(SYN | ACK, .seq = 0, .ack = 1, .len = 0));
    expect_state(s, TCP_SYN_RCVD);
    expect_no_event(s, TCP_EV_ESTABLISHED);
}

/* Figure 7: the peer's own SYN-ACK, with its SYN again, acknowledges ours. */
static void crossing_syn_acks_establish(void **state)
{
    struct script *s = in_state(state, TCP_SYN_RCVD);

    inject(s, SEG(SYN | ACK, .seq = 0, .ack = 1));
    expect_event(s, TCP_EV_ESTABLISHED);
    expect_state(s, TCP_ESTABLISHED);
    skip_acks(s);
    expect_nothing(s);
}

static void a_plain_ack_establishes_as_well(void **state)
{
    struct script *s = in_state(state, TCP_SYN_RCVD);

    inject(s, SEG(ACK, .seq = 1, .ack = 1));
    expect_event(s, TCP_EV_ESTABLISHED);
    expect_state(s, TCP_ESTABLISHED);
}

static void the_options_of_the_crossing_syn_count(void **state)
{
    struct script *s = syn_sent(state);

    s->p->offer = (struct offer){ .mss = 700, .wscale = NONE };
    inject(s, SEG(SYN, .seq = 0));
    expect(s, SEG(SYN | ACK, .wscale = NONE, .sack_ok = NONE, .tsval = NONE));
    inject(s, SEG(ACK, .seq = 1, .ack = 1));
    app_writes(s, 701);
    expect(s, SEG(ACK, .seq = 1, .len = 700));
}

/* RFC 6298 5.5: the SYN-ACK of a simultaneous open is resent. */
static void its_syn_ack_is_resent(void **state)
{
    struct script *s = in_state(state, TCP_SYN_RCVD);

    expect_within(s, MS(400), MS(2100), SEG(SYN | ACK, .seq = 0, .ack = 1));
}

static void data_written_before_flows_after_it(void **state)
{
    struct script *s = in_state(state, TCP_SYN_RCVD);

    app_writes(s, 600);
    expect_nothing(s);
    inject(s, SEG(ACK, .seq = 1, .ack = 1));
    expect(s, SEG(ACK | PSH, .seq = 1, .ack = 1, .len = 600));
}

/* RFC 9293 3.10.7.4 second: RST refuses an active open in SYN-RECEIVED. */
static void a_rst_refuses_it(void **state)
{
    struct script *s = in_state(state, TCP_SYN_RCVD);

    inject(s, SEG(RST, .seq = 1));
    expect_nothing(s);
    expect_closed(s, ECONNREFUSED);
    expect_gone(s);
}

/* RFC 9293 3.10.4 CLOSE in SYN-RECEIVED: FIN, and FIN-WAIT-1. */
static void close_in_syn_rcvd_sends_a_fin(void **state)
{
    struct script *s = in_state(state, TCP_SYN_RCVD);
    struct sent p;

    app_closes(s);
    if (!packets_waiting(s)) /* the FIN may also wait for the peer's ACK */
        inject(s, SEG(ACK, .seq = 1, .ack = 1));
    p = next_sent(s);
    assert_true(p.seg.flags & TCP_FIN);
    expect_state(s, TCP_FIN_WAIT_1);
}

/* RFC 9293 3.10.5 ABORT in SYN-RECEIVED: RST. */
static void abort_in_syn_rcvd_resets(void **state)
{
    struct script *s = in_state(state, TCP_SYN_RCVD);
    struct sent p;

    app_aborts(s);
    p = next_sent(s);
    assert_true(p.seg.flags & TCP_RST);
    assert_int_equal(p.seq, 1);
    expect_gone(s);
}

static void it_gives_up_like_any_open(void **state)
{
    struct script *s = in_state(state, TCP_SYN_RCVD);

    advance(s, SEC(400));
    expect_closed(s, ETIMEDOUT);
    expect_gone(s);
}

static const struct CMUnitTest tests[] = {
    SCENARIO(a_syn_in_syn_sent_makes_a_simultaneous_open),
    SCENARIO(crossing_syn_acks_establish),
    SCENARIO(a_plain_ack_establishes_as_well),
    SCENARIO(the_options_of_the_crossing_syn_count),
    SCENARIO(its_syn_ack_is_resent),
    SCENARIO(data_written_before_flows_after_it),
    SCENARIO(a_rst_refuses_it),
    SCENARIO(close_in_syn_rcvd_sends_a_fin),
    SCENARIO(abort_in_syn_rcvd_resets),
    SCENARIO(it_gives_up_like_any_open),
};

SCRIPT_MAIN("open_simultaneous", tests)
