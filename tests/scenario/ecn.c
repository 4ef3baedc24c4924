/* SPDX-License-Identifier: BSD-2-Clause */
/* Explicit congestion notification: RFC 3168, and the tunable `ecn`. */
#include "lib/script.h"

#define SETUP (ECE | CWR)

/* An active open with ECN agreed on. */
static struct script *capable(void **state)
{
    struct script *s = script(state);

    s->tun.ecn = TUN_ACTIVE;
    script_start(s);
    s->p->offer = OFFER_PLAIN;
    assert_int_equal(connects(s), 0);
    expect(s, SEG(SYN | SETUP, .tos = ECN_NOT_ECT));
    inject(s, SEG(SYN | ACK | ECE));
    expect(s, SEG(ACK, .seq = 1, .tos = ECN_NOT_ECT));
    expect_nothing(s);
    assert_true(info(s).ecn);
    return s;
}

/* An ACK with these flags, now or by the timer of delayed ACKs. */
static void expect_ack(struct script *s, unsigned flags, int64_t ack)
{
    if (!packets_waiting(s))
        advance(s, MS(110));
    expect(s, SEG(ACK | flags, .ack = ack, .len = 0, .tos = ECN_NOT_ECT));
}

/* ---- 6.1.1: the SYNs ---- */

static void only_an_active_opener_offers_it(void **state)
{
    struct script *s = script(state);

    s->tun.ecn = TUN_PASSIVE;
    assert_int_equal(connects(s), 0);
    expect(s, SEG(SYN));
    inject(s, SEG(SYN | ACK | ECE)); /* it was not asked */
    expect(s, SEG(ACK));
    assert_false(info(s).ecn);
    app_writes(s, 1000);
    expect(s, SEG(ACK | PSH, .len = 1000, .tos = ECN_NOT_ECT));
}

static void a_passive_opener_answers_by_ece_alone(void **state)
{
    struct script *s = script(state);

    s->tun.ecn = TUN_PASSIVE;
    listens(s, 5);
    inject(s, SEG(SYN | SETUP));
    expect(s, SEG(SYN | ACK | ECE, .tos = ECN_NOT_ECT));
    inject(s, SEG(ACK, .seq = 1));
    assert_true(info(s).ecn);
    app_writes(s, 1000);
    expect(s, SEG(ACK | PSH, .len = 1000, .tos = ECN_ECT0));
}

static void a_peer_that_does_not_ask_gets_no_ece(void **state)
{
    struct script *s = script(state);

    s->tun.ecn = TUN_ACTIVE;
    listens(s, 5);
    inject(s, SEG(SYN | CWR));
    expect(s, SEG(SYN | ACK));
    peer_add(s);
    inject(s, SEG(SYN | ECE));
    expect(s, SEG(SYN | ACK));
    peer_add(s);
    inject(s, SEG(SYN));
    expect(s, SEG(SYN | ACK));
}

static void never_neither_offers_nor_answers(void **state)
{
    struct script *s = script(state);

    s->tun.ecn = TUN_NEVER;
    listens(s, 5);
    inject(s, SEG(SYN | SETUP));
    expect(s, SEG(SYN | ACK));
    peer_add(s);
    assert_int_equal(connects(s), 0);
    expect(s, SEG(SYN));
}

/* 6.1.1.2: a peer that reflects the reserved bits has not understood them. */
static void reflected_flags_are_no_agreement(void **state)
{
    struct script *s = script(state);

    s->tun.ecn = TUN_ACTIVE;
    assert_int_equal(connects(s), 0);
    expect(s, SEG(SYN | SETUP));
    inject(s, SEG(SYN | ACK | SETUP));
    expect(s, SEG(ACK));
    assert_false(info(s).ecn);
    app_writes(s, 1000);
    expect(s, SEG(ACK | PSH, .len = 1000, .tos = ECN_NOT_ECT));
}

/* 6.1.1.1, a middlebox that eats such SYNs; and: whoever has sent one without sends no ECT. */
static void a_syn_that_gets_lost_is_repeated_without_flags(void **state)
{
    struct script *s = script(state);

    s->tun.ecn = TUN_ACTIVE;
    assert_int_equal(connects(s), 0);
    expect(s, SEG(SYN | SETUP));
    expect_after(s, SEC(1), SEG(SYN, .seq = 0));
    inject(s, SEG(SYN | ACK | ECE)); /* to the first one, late */
    expect(s, SEG(ACK, .ack = 1));
    app_writes(s, 1000);
    expect(s, SEG(ACK | PSH, .len = 1000, .tos = ECN_NOT_ECT));
    /* But what it promised by the first holds: CE is answered. */
    inject(s, SEG(ACK, .len = 1000, .tos = ECN_CE));
    expect(s, SEG(ACK | ECE, .ack = 1001));
}

static void a_syn_that_is_refused_is_repeated_without_flags(void **state)
{
    struct script *s = script(state);

    s->tun.ecn = TUN_ACTIVE;
    assert_int_equal(connects(s), 0);
    expect(s, SEG(SYN | SETUP));
    inject(s, SEG(RST | ACK, .ack = 1));
    expect(s, SEG(SYN, .seq = 0));
    expect_state(s, TCP_SYN_SENT);
    inject(s, SEG(RST | ACK, .ack = 1));
    expect_closed(s, ECONNREFUSED);
}

/* 6.1.1.1, the example: the peer has given it up meanwhile. */
static void a_syn_repeated_without_flags_is_answered_without(void **state)
{
    struct script *s = script(state);

    listens(s, 5);
    inject(s, SEG(SYN | SETUP));
    expect(s, SEG(SYN | ACK | ECE));
    inject(s, SEG(SYN));
    expect(s, SEG(SYN | ACK));
    inject(s, SEG(ACK, .seq = 1));
    app_writes(s, 1000);
    expect(s, SEG(ACK | PSH, .len = 1000, .tos = ECN_NOT_ECT));
}

static void both_opening_at_once_agree(void **state)
{
    struct script *s = script(state);

    s->tun.ecn = TUN_ACTIVE;
    assert_int_equal(connects(s), 0);
    expect(s, SEG(SYN | SETUP));
    inject(s, SEG(SYN | SETUP));
    expect(s, SEG(SYN | ACK | ECE, .seq = 0, .ack = 1));
    inject(s, SEG(SYN | ACK | ECE, .seq = 0, .ack = 1));
    app_writes(s, 1000);
    skip_acks(s);
    expect(s, SEG(ACK | PSH, .len = 1000, .tos = ECN_ECT0));
}

/* ---- 6.1.4, 6.1.5, 6.1.6: which packets may be marked ---- */

static void new_data_are_ect_and_a_bare_ack_is_not(void **state)
{
    struct script *s = capable(state);

    app_writes(s, 1000);
    expect(s, SEG(ACK | PSH, .len = 1000, .tos = ECN_ECT0));
    peer_acks(s, 1001);
    peer_sends(s, 1000);
    expect_ack(s, 0, 1001);
}

static void dscp_is_kept_beside_it(void **state)
{
    struct script *s = capable(state);
    struct tcp_config config = app_config(s);

    config.tos = 0xb8 | ECN_CE; /* the program's own two bits are not TCP's */
    app_configures(s, &config);
    app_writes(s, 1000);
    expect(s, SEG(ACK | PSH, .len = 1000, .tos = 0xb8 | ECN_ECT0));
}

static void a_retransmission_is_not_ect(void **state)
{
    struct script *s = capable(state);

    app_writes(s, 1000);
    expect(s, SEG(ACK | PSH, .seq = 1, .tos = ECN_ECT0));
    expect_after(s, MS(400), SEG(ACK | PSH, .seq = 1, .len = 1000, .tos = ECN_NOT_ECT));
}

static void a_window_probe_is_not_ect(void **state)
{
    struct script *s = capable(state);

    inject(s, SEG(ACK, .wnd = 0));
    app_writes(s, 1000);
    expect_nothing(s);
    expect_after(s, MS(400), SEG(ACK, .len = 1, .tos = ECN_NOT_ECT));
}

static void a_fin_alone_is_not_ect(void **state)
{
    struct script *s = capable(state);

    app_shuts(s);
    expect(s, SEG(FIN | ACK, .len = 0, .tos = ECN_NOT_ECT));
}

static void a_reset_is_not_ect(void **state)
{
    struct script *s = capable(state);

    app_aborts(s);
    expect(s, SEG(RST | ACK, .tos = ECN_NOT_ECT));
}

/* ---- 6.1.3: the receiver ---- */

static void ce_is_echoed_until_cwr(void **state)
{
    struct script *s = capable(state);

    inject(s, SEG(ACK, .len = 1000, .tos = ECN_CE));
    expect(s, SEG(ACK | ECE, .ack = 1001));
    inject(s, SEG(ACK | PSH, .len = 1000, .tos = ECN_ECT0));
    expect_ack(s, ECE, 2001);
    app_writes(s, 1000);
    expect(s, SEG(ACK | PSH | ECE, .len = 1000));
    inject(s, SEG(ACK | CWR, .len = 1000, .tos = ECN_ECT0));
    expect_ack(s, 0, 3001);
    assert_int_equal(tcp_engine_counters(s->e)->in_ecn_ce, 1);
}

static void ce_beside_cwr_starts_anew(void **state)
{
    struct script *s = capable(state);

    inject(s, SEG(ACK, .len = 1000, .tos = ECN_CE));
    expect(s, SEG(ACK | ECE));
    inject(s, SEG(ACK | CWR, .len = 1000, .tos = ECN_CE));
    expect_ack(s, ECE, 2001);
}

/* 6.1.5: an old segment may be anybody's. */
static void ce_outside_the_window_is_ignored(void **state)
{
    struct script *s = capable(state);

    peer_sends(s, 1000);
    expect_ack(s, 0, 1001);
    inject(s, SEG(ACK, .seq = 1, .len = 1000, .tos = ECN_CE));
    expect(s, SEG(ACK, .ack = 1001));
}

static void ce_on_a_bare_ack_is_ignored(void **state)
{
    struct script *s = capable(state);

    inject(s, SEG(ACK, .tos = ECN_CE));
    app_writes(s, 10);
    expect(s, SEG(ACK | PSH, .len = 10));
}

static void without_agreement_ce_is_ignored(void **state)
{
    struct script *s = established(state);

    inject(s, SEG(ACK | PSH, .len = 1000, .tos = ECN_CE));
    expect_ack(s, 0, 1001);
}

/* ---- 6.1.2: the sender ---- */

static void eight_in_flight(struct script *s)
{
    grow_cwnd(s, 8);
    forget_output(s);
    app_writes(s, 8000);
    assert_int_equal(packets_waiting(s), 8);
    forget_output(s);
}

static void ece_halves_the_window_and_is_answered_by_cwr(void **state)
{
    struct script *s = capable(state);
    int64_t una;

    eight_in_flight(s);
    una = s->p->rcv_nxt - 8000;
    inject(s, SEG(ACK | ECE, .ack = una + 1000));
    assert_int_equal(info(s).cwnd, 4000);
    assert_int_equal(info(s).ssthresh, 4000);
    app_writes(s, 4000);
    expect_nothing(s); /* seven are in flight */
    peer_acks(s, una + 8000);
    expect(s, SEG(ACK | CWR, .seq = una + 8000, .len = 1000, .tos = ECN_ECT0));
    expect(s, SEG(ACK, .seq = una + 9000, .len = 1000, .tos = ECN_ECT0)); /* said once */
}

static void a_window_of_data_is_punished_once(void **state)
{
    struct script *s = capable(state);
    int64_t una;

    eight_in_flight(s);
    una = s->p->rcv_nxt - 8000;
    for (int i = 1; i <= 7; i++)
        inject(s, SEG(ACK | ECE, .ack = una + 1000 * i));
    assert_int_equal(info(s).cwnd, 4000);
    assert_int_equal(tcp_engine_counters(s->e)->ecn_reductions, 1);
    /* The next window is another one. */
    app_writes(s, 4000);
    forget_output(s);
    inject(s, SEG(ACK | ECE, .ack = una + 9000));
    assert_int_equal(tcp_engine_counters(s->e)->ecn_reductions, 2);
    assert_true(info(s).cwnd < 4000);
}

static void an_echo_does_not_open_the_window(void **state)
{
    struct script *s = capable(state);
    uint32_t before;

    eight_in_flight(s);
    inject(s, SEG(ACK | ECE, .ack = s->p->rcv_nxt - 7000));
    before = info(s).cwnd;
    for (int i = 6; i >= 1; i--)
        inject(s, SEG(ACK | ECE, .ack = s->p->rcv_nxt - 1000 * i));
    assert_int_equal(info(s).cwnd, before);
}

/* At most once in a window of data, for marks and losses together. */
static void a_loss_in_the_same_window_costs_nothing_more(void **state)
{
    struct script *s = capable(state);
    int64_t una;

    eight_in_flight(s);
    una = s->p->rcv_nxt - 8000;
    inject(s, SEG(ACK | ECE, .ack = una + 1000));
    assert_int_equal(info(s).ssthresh, 4000);
    for (int i = 3; i <= 5; i++)
        inject(s, SEG(ACK | ECE, .ack = una + 1000, SACKED(una + 2000, una + 1000 * i)));
    assert_true(info(s).in_recovery);
    assert_int_equal(info(s).ssthresh, 4000);
}

/* 6.1.2: a loss is told by CWR as well, in new data, not in the retransmission. */
static void a_loss_is_told_by_cwr(void **state)
{
    struct script *s = capable(state);
    int64_t una;

    eight_in_flight(s);
    una = s->p->rcv_nxt - 8000;
    for (int i = 2; i <= 4; i++)
        inject(s, SEG(ACK, .ack = una, SACKED(una + 1000, una + 1000 * i)));
    expect(s, SEG(ACK, .seq = una, .len = 1000, .tos = ECN_NOT_ECT));
    forget_output(s);
    app_writes(s, 3000);
    peer_acks(s, una + 8000);
    expect(s, SEG(ACK | CWR, .seq = una + 8000, .len = 1000, .tos = ECN_ECT0));
}

static void a_peer_that_did_not_agree_cannot_slow_us(void **state)
{
    struct script *s = established(state);
    uint32_t before;

    eight_in_flight(s);
    before = info(s).cwnd;
    inject(s, SEG(ACK | ECE, .ack = s->p->rcv_nxt - 7000));
    assert_true(info(s).cwnd >= before);
}

/* netio cuts a super-frame, or has it cut, so that CWR is in the first piece. */
static void a_super_frame_carries_both(void **state)
{
    struct script *s = script(state);
    struct sent p;

    s->tun.ecn = TUN_ACTIVE;
    script_start(s);
    offers_gso(s, 8000);
    s->p->offer = OFFER_PLAIN;
    assert_int_equal(connects(s), 0);
    expect(s, SEG(SYN | SETUP));
    inject(s, SEG(SYN | ACK | ECE));
    forget_output(s);
    grow_cwnd(s, 8);
    forget_output(s);
    app_writes(s, 8000);
    forget_output(s);
    inject(s, SEG(ACK | ECE, .ack = s->p->rcv_nxt - 7000));
    peer_acks(s, s->p->rcv_nxt);
    app_writes(s, 3000);
    p = next_sent(s);
    assert_true(p.super);
    assert_int_equal(p.tos, ECN_ECT0);
    assert_true(p.seg.flags & CWR);
}

/* A packet that the device refused takes its CWR back with it. */
static void cwr_is_not_lost_with_a_packet_that_never_left(void **state)
{
    struct script *s = capable(state);

    eight_in_flight(s);
    inject(s, SEG(ACK | ECE, .ack = s->p->rcv_nxt - 7000));
    peer_acks(s, s->p->rcv_nxt);
    app_writes(s, 1000);
    expect(s, SEG(ACK | PSH | CWR, .len = 1000));
    tcp_engine_unsent(s->e, &s->last_packet, -EAGAIN, s->now);
    tcp_engine_resume(s->e);
    settle(s);
    /* It counts as one that may have left: no ECT, and CWR is for what is new for certain. */
    expect(s, SEG(ACK | PSH, .len = 1000, .tos = ECN_NOT_ECT));
    app_writes(s, 1000);
    expect(s, SEG(ACK | PSH | CWR, .len = 1000, .tos = ECN_ECT0));
}

static const struct CMUnitTest tests[] = {
    SCENARIO(only_an_active_opener_offers_it),
    SCENARIO(a_passive_opener_answers_by_ece_alone),
    SCENARIO(a_peer_that_does_not_ask_gets_no_ece),
    SCENARIO(never_neither_offers_nor_answers),
    SCENARIO(reflected_flags_are_no_agreement),
    SCENARIO(a_syn_that_gets_lost_is_repeated_without_flags),
    SCENARIO(a_syn_that_is_refused_is_repeated_without_flags),
    SCENARIO(a_syn_repeated_without_flags_is_answered_without),
    SCENARIO(both_opening_at_once_agree),
    SCENARIO(new_data_are_ect_and_a_bare_ack_is_not),
    SCENARIO(dscp_is_kept_beside_it),
    SCENARIO(a_retransmission_is_not_ect),
    SCENARIO(a_window_probe_is_not_ect),
    SCENARIO(a_fin_alone_is_not_ect),
    SCENARIO(a_reset_is_not_ect),
    SCENARIO(ce_is_echoed_until_cwr),
    SCENARIO(ce_beside_cwr_starts_anew),
    SCENARIO(ce_outside_the_window_is_ignored),
    SCENARIO(ce_on_a_bare_ack_is_ignored),
    SCENARIO(without_agreement_ce_is_ignored),
    SCENARIO(ece_halves_the_window_and_is_answered_by_cwr),
    SCENARIO(a_window_of_data_is_punished_once),
    SCENARIO(an_echo_does_not_open_the_window),
    SCENARIO(a_loss_in_the_same_window_costs_nothing_more),
    SCENARIO(a_loss_is_told_by_cwr),
    SCENARIO(a_peer_that_did_not_agree_cannot_slow_us),
    SCENARIO(a_super_frame_carries_both),
    SCENARIO(cwr_is_not_lost_with_a_packet_that_never_left),
};

SCRIPT_MAIN("ecn", tests)
