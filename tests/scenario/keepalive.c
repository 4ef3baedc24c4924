/* SPDX-License-Identifier: BSD-2-Clause */
/* Keep-alive: RFC 9293 3.8.4, tcp.4p, illumos. */
#include "lib/script.h"

/* 10 s idle, given up 60 s after the first probe. */
static struct script *kept(void **state)
{
    struct script *s = script(state);

    script_start(s);
    s->config.keepalive = 1;
    s->config.keepalive_ms = 10000;
    s->config.keepalive_abort_ms = 60000;
    return opens(s, OFFER_PLAIN);
}

/* SEG.SEQ = SND.NXT-1, with one garbage byte or none. */
static void expect_probe_after(struct script *s, usec_t delay)
{
    struct sent p;

    expect_nothing(s);
    advance(s, delay - MS(1));
    expect_nothing(s);
    advance(s, delay / 50 + MS(60));
    p = next_sent(s);
    assert_int_equal(p.seq, s->p->rcv_nxt - 1);
    assert_true(p.seg.len <= 1);
    assert_int_equal(p.seg.flags & ~PSH, ACK);
    expect_nothing(s);
}

static void an_idle_connection_is_probed(void **state)
{
    expect_probe_after(kept(state), SEC(10));
}

static void an_answer_starts_the_idle_time_again(void **state)
{
    struct script *s = kept(state);

    expect_probe_after(s, SEC(10));
    inject(s, SEG(ACK));
    expect_probe_after(s, SEC(10));
    inject(s, SEG(ACK));
    advance(s, SEC(9));
    expect_nothing(s);
    expect_alive(s);
}

static void any_segment_puts_the_probe_off(void **state)
{
    struct script *s = kept(state);

    advance(s, SEC(8));
    peer_sends(s, 10);
    advance(s, MS(200));
    forget_output(s);
    advance(s, SEC(9));
    expect_nothing(s);
    advance(s, SEC(2));
    assert_true(forget_output(s) >= 1);
}

/* tcp.4p TCP_KEEPALIVE_ABORT_THRESHOLD */
static void a_silent_peer_is_given_up(void **state)
{
    struct script *s = kept(state);

    advance(s, SEC(60));
    expect_alive(s);
    assert_true(forget_output(s) >= 2);
    advance(s, SEC(80));
    expect_closed(s, ETIMEDOUT);
    expect_gone(s);
}

static void an_abort_threshold_of_0_probes_for_ever(void **state)
{
    struct script *s = script(state);

    script_start(s);
    s->config.keepalive = 1;
    s->config.keepalive_ms = 10000;
    s->config.keepalive_abort_ms = 0;
    opens(s, OFFER_PLAIN);
    advance(s, SEC(4000));
    assert_true(forget_output(s) > 10);
    expect_alive(s);
}

static void without_the_option_nothing_is_probed(void **state)
{
    struct script *s = established(state);

    advance(s, SEC(86400));
    expect_nothing(s);
    expect_alive(s);
}

static void switched_on_later_it_counts_from_the_last_segment(void **state)
{
    struct script *s = established(state);
    struct tcp_config config = app_config(s);

    config.keepalive = 1;
    config.keepalive_ms = 10000;
    app_configures(s, &config);
    expect_probe_after(s, SEC(10));
}

static void switched_off_it_stops(void **state)
{
    struct script *s = kept(state);
    struct tcp_config config = app_config(s);

    config.keepalive = 0;
    app_configures(s, &config);
    advance(s, SEC(86400));
    expect_nothing(s);
    expect_alive(s);
}

/* TCP_KEEPCNT and TCP_KEEPINTVL: their product is the abort time. */
static void count_and_interval_rule_the_probes(void **state)
{
    struct script *s = script(state);

    script_start(s);
    s->config.keepalive = 1;
    s->config.keepalive_ms = 10000;
    s->config.keepalive_count = 3;
    s->config.keepalive_intvl_ms = 2000;
    s->config.keepalive_abort_ms = 6000;
    opens(s, OFFER_PLAIN);
    expect_probe_after(s, SEC(10));
    advance(s, MS(1650)); /* 1.9 s after the first probe */
    expect_nothing(s);
    advance(s, MS(200));
    assert_int_equal(next_sent(s).seq, 0);
    advance(s, SEC(20));
    expect_closed(s, ETIMEDOUT);
}

/* illumos: while data are outstanding the retransmission timer rules. */
static void outstanding_data_are_not_probed(void **state)
{
    struct script *s = kept(state);

    app_writes(s, 100);
    advance(s, SEC(30));
    while (packets_waiting(s))
        expect(s, SEG(ACK | PSH, .seq = 1, .len = 100));
}

static void a_reset_in_answer_to_a_probe_ends_the_connection(void **state)
{
    struct script *s = kept(state);

    expect_probe_after(s, SEC(10));
    inject(s, SEG(RST));
    expect_closed(s, ECONNRESET);
}

static const struct CMUnitTest tests[] = {
    SCENARIO(an_idle_connection_is_probed),
    SCENARIO(an_answer_starts_the_idle_time_again),
    SCENARIO(any_segment_puts_the_probe_off),
    SCENARIO(a_silent_peer_is_given_up),
    SCENARIO(an_abort_threshold_of_0_probes_for_ever),
    SCENARIO(without_the_option_nothing_is_probed),
    SCENARIO(switched_on_later_it_counts_from_the_last_segment),
    SCENARIO(switched_off_it_stops),
    SCENARIO(count_and_interval_rule_the_probes),
    SCENARIO(outstanding_data_are_not_probed),
    SCENARIO(a_reset_in_answer_to_a_probe_ends_the_connection),
};

SCRIPT_MAIN("keepalive", tests)
