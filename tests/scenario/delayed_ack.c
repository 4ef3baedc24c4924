/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Delayed ACKs: RFC 9293 3.8.6.3, RFC 5681 4.2. How many of the first segments are
 * acknowledged at once is illumos' business; what is asserted is the limit.
 */
#include "lib/script.h"

/* Past the first segments, which are acknowledged at once. */
static void warm_up(struct script *s)
{
    for (int i = 0; i < 12; i++)
        peer_sends(s, 1000);
    advance(s, MS(600));
    app_reads_all(s);
    advance(s, MS(600));
    forget_output(s);
}

static void one_segment_is_acknowledged_within_100_ms(void **state)
{
    struct script *s = established(state);

    peer_sends(s, 1000);
    expect_ack_by(s, MS(101), 1001);
    warm_up(s);
    peer_sends(s, 300);
    expect_ack_by(s, MS(101), s->p->snd_nxt);
    expect_nothing(s);
}

static void on_the_link_it_is_50_ms(void **state)
{
    struct script *s = script(state);

    script_start(s);
    s->path.on_link = true;
    opens(s, OFFER_PLAIN);
    warm_up(s);
    peer_sends(s, 300);
    expect_ack_by(s, MS(51), s->p->snd_nxt);
}

static void the_interval_is_a_tunable(void **state)
{
    struct script *s = established(state);

    warm_up(s);
    s->tun.deferred_ack_interval = 20;
    peer_sends(s, 300);
    expect_ack_by(s, MS(21), s->p->snd_nxt);
}

/* RFC 5681 4.2: an ACK for at least every second full-sized segment. */
static void every_second_full_segment_is_acknowledged_at_once(void **state)
{
    struct script *s = established(state);

    warm_up(s);
    for (int i = 0; i < 10; i++) {
        peer_sends(s, 1000);
        forget_output(s);
        peer_sends(s, 1000);
        if (packets_waiting(s))
            expect(s, SEG(ACK, .ack = s->p->snd_nxt, .len = 0));
        else
            assert_true(info(s).rcv_nxt - s->p->iss == s->p->snd_nxt);
        assert_true(s->p->snd_nxt <= 13001 + 2000 * (i + 1));
    }
    peer_sends(s, 1000);
    peer_sends(s, 1000);
    peer_sends(s, 1000);
    assert_true(forget_output(s) >= 1);
}

/* illumos _local_dacks_max: at most eight on the link. */
static void on_the_link_at_most_eight_wait(void **state)
{
    struct script *s = script(state);

    script_start(s);
    s->path.on_link = true;
    opens(s, OFFER_PLAIN);
    warm_up(s);
    for (int i = 0; i < 9; i++)
        peer_sends(s, 1000);
    assert_true(forget_output(s) >= 1);
}

static void a_limit_of_1_acknowledges_each(void **state)
{
    struct script *s = script(state);

    s->tun.deferred_acks_max = 1;
    opens(s, OFFER_PLAIN);
    warm_up(s);
    peer_sends(s, 1000);
    expect(s, SEG(ACK, .ack = s->p->snd_nxt));
    peer_sends(s, 1000);
    expect(s, SEG(ACK, .ack = s->p->snd_nxt));
}

/* TCP_QUICKACK */
static void quickack_acknowledges_each(void **state)
{
    struct script *s = established(state);
    struct tcp_config config;

    warm_up(s);
    config = app_config(s);
    config.quickack = 1;
    app_configures(s, &config);
    for (int i = 0; i < 5; i++) {
        peer_sends(s, 10);
        expect(s, SEG(ACK, .ack = s->p->snd_nxt));
    }
}

/* RFC 9293 3.8.6.3: an ACK rides on data. */
static void data_carry_the_ack(void **state)
{
    struct script *s = established(state);

    warm_up(s);
    peer_sends(s, 300);
    skip_acks(s);
    app_writes(s, 50);
    expect(s, SEG(ACK | PSH, .seq = 1, .ack = s->p->snd_nxt, .len = 50));
    peer_acks(s, 51);
    advance(s, SEC(1));
    expect_nothing(s);
}

static void a_fin_is_acknowledged_at_once(void **state)
{
    struct script *s = established(state);

    warm_up(s);
    inject(s, SEG(FIN | ACK));
    expect(s, SEG(ACK, .ack = s->p->snd_nxt));
}

static void data_out_of_order_are_acknowledged_at_once(void **state)
{
    struct script *s = established(state);
    int64_t next;

    warm_up(s);
    next = s->p->snd_nxt;
    inject(s, SEG(ACK, .seq = next + 1000, .len = 1000));
    expect(s, SEG(ACK, .ack = next));
    inject(s, SEG(ACK, .seq = next + 2000, .len = 1000));
    expect(s, SEG(ACK, .ack = next));
}

/* An ACK is never acknowledged. */
static void bare_acks_are_not_answered(void **state)
{
    struct script *s = established(state);

    for (int i = 0; i < 10; i++)
        inject(s, SEG(ACK));
    advance(s, SEC(10));
    expect_nothing(s);
}

static const struct CMUnitTest tests[] = {
    SCENARIO(one_segment_is_acknowledged_within_100_ms),
    SCENARIO(on_the_link_it_is_50_ms),
    SCENARIO(the_interval_is_a_tunable),
    SCENARIO(every_second_full_segment_is_acknowledged_at_once),
    SCENARIO(on_the_link_at_most_eight_wait),
    SCENARIO(a_limit_of_1_acknowledges_each),
    SCENARIO(quickack_acknowledges_each),
    SCENARIO(data_carry_the_ack),
    SCENARIO(a_fin_is_acknowledged_at_once),
    SCENARIO(data_out_of_order_are_acknowledged_at_once),
    SCENARIO(bare_acks_are_not_answered),
};

SCRIPT_MAIN("delayed_ack", tests)
