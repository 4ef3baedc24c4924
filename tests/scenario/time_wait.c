/* SPDX-License-Identifier: BSD-2-Clause */
/* TIME-WAIT and FIN-WAIT-2: RFC 9293 3.6.1, 3.10.7.4, RFC 1337, RFC 6191; illumos' times. */
#include "lib/script.h"

/* A passive open that we closed first: its tuple waits while the listener is there. */
static struct script *server_waits(void **state, struct offer offer)
{
    struct script *s = listening(state);

    peer_opens(s, offer);
    app_closes(s);
    expect(s, SEG(FIN | ACK, .seq = 1, .ack = 1));
    inject(s, SEG(FIN | ACK, .seq = 1, .ack = 2));
    expect(s, SEG(ACK, .seq = 2, .ack = 2));
    expect_state(s, TCP_TIME_WAIT);
    advance(s, SEC(2));
    return s;
}

static struct script *client_waits(void **state, struct offer offer)
{
    struct script *s = established_with(state, offer);

    app_closes(s);
    forget_output(s);
    inject(s, SEG(FIN | ACK, .seq = 1, .ack = 2));
    forget_output(s);
    expect_state(s, TCP_TIME_WAIT);
    return s;
}

static void it_lasts_60_seconds(void **state)
{
    struct script *s = client_waits(state, OFFER_PLAIN);

    advance(s, SEC(59));
    expect_state(s, TCP_TIME_WAIT);
    advance(s, SEC(7));
    expect_gone(s);
    expect_nothing(s);
}

static void its_length_is_a_tunable(void **state)
{
    struct script *s = script(state);

    s->tun.time_wait_interval = 2000;
    s = client_waits(state, OFFER_PLAIN);
    advance(s, MS(1900));
    expect_state(s, TCP_TIME_WAIT);
    advance(s, SEC(6));
    expect_gone(s);
}

/* 3.10.7.4 eighth: "restart the 2 MSL time-wait timeout". */
static void a_repeated_fin_is_acknowledged_and_restarts_it(void **state)
{
    struct script *s = client_waits(state, OFFER_PLAIN);

    advance(s, SEC(50));
    inject(s, SEG(FIN | ACK, .seq = 1, .ack = 2));
    expect(s, SEG(ACK, .seq = 2, .ack = 2, .len = 0));
    advance(s, SEC(50));
    expect_state(s, TCP_TIME_WAIT);
    advance(s, SEC(20));
    expect_gone(s);
}

/* RFC 1337: neither a RST nor old data end it. */
static void it_is_not_assassinated(void **state)
{
    struct script *s = client_waits(state, OFFER_PLAIN);

    inject(s, SEG(RST, .seq = 2));
    expect_state(s, TCP_TIME_WAIT);
    inject(s, SEG(ACK, .seq = 1, .ack = 1, .len = 1, .garbage = true));
    expect(s, SEG(ACK, .seq = 2, .ack = 2, .len = 0));
    inject(s, SEG(RST, .seq = 2));
    expect_state(s, TCP_TIME_WAIT);
}

/* 3.6.1: a new SYN beyond the old sequence space may take the tuple over. */
static void a_syn_above_the_old_numbers_starts_over(void **state)
{
    struct script *s = server_waits(state, OFFER_PLAIN);
    uint32_t old = s->p->iss_ours;

    s->p->iss += 10000000;
    s->p->snd_nxt = 0;
    inject(s, SEG(SYN, .seq = 0));
    expect(s, SEG(SYN | ACK, .seq = 0, .ack = 1));
    assert_true((int32_t)(s->p->iss_ours - (old + 2)) > 0);
    inject(s, SEG(ACK, .seq = 1, .ack = 1));
    expect_event(s, TCP_EV_ACCEPT);
    expect_state(s, TCP_ESTABLISHED);
}

static void a_syn_below_the_old_numbers_is_only_acknowledged(void **state)
{
    struct script *s = server_waits(state, OFFER_PLAIN);

    inject(s, SEG(SYN, .seq = -1000));
    expect(s, SEG(ACK, .seq = 2, .ack = 2, .len = 0));
    expect_state(s, TCP_TIME_WAIT);
}

/* RFC 6191 2: a newer timestamp is enough, whatever the sequence number. */
static void a_syn_with_a_newer_timestamp_starts_over(void **state)
{
    struct script *s = server_waits(state, OFFER_TS);

    s->p->iss -= 10000000;
    s->p->snd_nxt = 0;
    inject(s, SEG(SYN, .seq = 0));
    expect(s, SEG(SYN | ACK, .seq = 0, .ack = 1));
}

static void a_syn_with_an_older_timestamp_does_not(void **state)
{
    struct script *s = server_waits(state, OFFER_TS);

    inject(s, SEG(SYN, .seq = 10000000, .tsval = s->p->ts_offset, .tsecr = 0));
    expect(s, SEG(ACK, .seq = 2, .ack = 2, .len = 0));
    expect_state(s, TCP_TIME_WAIT);
}

/* design.md 5: an active open may reuse it after 1 s with timestamps. */
static void connect_reuses_it_after_a_second_with_timestamps(void **state)
{
    struct script *s = client_waits(state, OFFER_TS);
    struct flow f = script_flow(s, s->p);
    uint32_t old = s->p->iss_ours;

    assert_false(tcp_flow_free(s->e, &f, s->now));
    advance(s, MS(1100));
    assert_true(tcp_flow_free(s->e, &f, s->now));
    assert_int_equal(connects(s), 0);
    expect(s, SEG(SYN, .seq = 0));
    assert_true((int32_t)(s->p->iss_ours - (old + 2)) > 0);
    expect_state(s, TCP_SYN_SENT);
}

static void connect_does_not_reuse_it_without_timestamps(void **state)
{
    struct script *s = client_waits(state, OFFER_PLAIN);

    advance(s, SEC(30));
    assert_int_equal(connects(s), -EADDRINUSE);
    advance(s, SEC(40));
    assert_int_equal(connects(s), 0);
}

/* illumos _fin_wait_2_flush_interval: an orphan in FIN-WAIT-2 is given up. */
static void an_orphan_leaves_fin_wait_2(void **state)
{
    struct script *s = established(state);

    app_closes(s);
    forget_output(s);
    peer_acks(s, 2);
    expect_state(s, TCP_FIN_WAIT_2);
    advance(s, SEC(58));
    expect_state(s, TCP_FIN_WAIT_2);
    advance(s, SEC(10));
    expect_gone(s);
}

/* TCP_LINGER2 */
static void fin_wait_2_is_configurable(void **state)
{
    struct script *s = script(state);

    script_start(s);
    s->config.fin_wait_2_ms = 3000;
    opens(s, OFFER_PLAIN);
    app_closes(s);
    forget_output(s);
    peer_acks(s, 2);
    advance(s, SEC(5));
    expect_gone(s);
}

/* Only an orphan: a program that has only shut down its sending may wait for ever. */
static void a_half_closed_program_stays_in_fin_wait_2(void **state)
{
    struct script *s = in_state(state, TCP_FIN_WAIT_2);

    advance(s, SEC(7200));
    expect_state(s, TCP_FIN_WAIT_2);
    peer_sends(s, 100);
    app_reads(s, 100);
}

/* close() after shutdown() makes it an orphan: the clock starts then. */
static void closing_in_fin_wait_2_starts_its_clock(void **state)
{
    struct script *s = in_state(state, TCP_FIN_WAIT_2);

    advance(s, SEC(7200));
    app_closes(s);
    expect_state(s, TCP_FIN_WAIT_2);
    advance(s, SEC(70));
    expect_gone(s);
}

static const struct CMUnitTest tests[] = {
    SCENARIO(it_lasts_60_seconds),
    SCENARIO(its_length_is_a_tunable),
    SCENARIO(a_repeated_fin_is_acknowledged_and_restarts_it),
    SCENARIO(it_is_not_assassinated),
    SCENARIO(a_syn_above_the_old_numbers_starts_over),
    SCENARIO(a_syn_below_the_old_numbers_is_only_acknowledged),
    SCENARIO(a_syn_with_a_newer_timestamp_starts_over),
    SCENARIO(a_syn_with_an_older_timestamp_does_not),
    SCENARIO(connect_reuses_it_after_a_second_with_timestamps),
    SCENARIO(connect_does_not_reuse_it_without_timestamps),
    SCENARIO(an_orphan_leaves_fin_wait_2),
    SCENARIO(fin_wait_2_is_configurable),
    SCENARIO(a_half_closed_program_stays_in_fin_wait_2),
    SCENARIO(closing_in_fin_wait_2_starts_its_clock),
};

SCRIPT_MAIN("time_wait", tests)
