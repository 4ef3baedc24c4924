/* SPDX-License-Identifier: BSD-2-Clause */
/* Tunables whose effect is no other file's subject. */
#include "lib/script.h"

/* ---- _reass_timeout ---- */

static void data_behind_a_hole_are_dropped_after_a_while(void **state)
{
    struct script *s = script(state);

    s->tun.reass_timeout = 5000;
    script_start(s);
    opens(s, OFFER_PLAIN);
    inject(s, SEG(ACK, .seq = 1001, .len = 1000));
    expect(s, SEG(ACK, .ack = 1, SACKED(1001, 2001)));
    advance(s, MS(4900));
    inject(s, SEG(ACK, .seq = 3001, .len = 1000));
    expect(s, SEG(ACK, .ack = 1, SACKED(3001, 4001, 1001, 2001)));
    advance(s, MS(200));
    assert_int_equal(tcp_engine_counters(s->e)->reass_timeouts, 1);
    inject(s, SEG(ACK, .seq = 1, .len = 1000));
    expect(s, SEG(ACK, .ack = 1001, NOT_SACKED)); /* it has to send them again */
    inject(s, SEG(ACK, .seq = 1001, .len = 3000));
    app_reads(s, 4000);
}

/* The peer is at work: each hole filled begins the time anew. */
static void progress_gives_what_is_left_more_time(void **state)
{
    struct script *s = script(state);

    s->tun.reass_timeout = 5000;
    script_start(s);
    opens(s, OFFER_PLAIN);
    inject(s, SEG(ACK, .seq = 1001, .len = 1000));
    inject(s, SEG(ACK, .seq = 3001, .len = 1000));
    advance(s, SEC(4));
    inject(s, SEG(ACK, .seq = 1, .len = 1000));
    advance(s, SEC(4));
    forget_output(s);
    inject(s, SEG(ACK, .seq = 2001, .len = 1000));
    expect(s, SEG(ACK, .ack = 4001, NOT_SACKED));
    advance(s, SEC(20));
    assert_int_equal(tcp_engine_counters(s->e)->reass_timeouts, 0);
}

static void with_reass_timeout_0_they_wait_for_ever(void **state)
{
    struct script *s = script(state);

    s->tun.reass_timeout = 0;
    script_start(s);
    opens(s, OFFER_PLAIN);
    inject(s, SEG(ACK, .seq = 1001, .len = 1000));
    forget_output(s);
    advance(s, SEC(10000));
    inject(s, SEG(ACK, .seq = 1, .len = 1000));
    expect(s, SEG(ACK, .ack = 2001));
}

/* ---- _use_smss_as_mss_opt ---- */

static void a_syn_ack_can_advertise_the_send_mss(void **state)
{
    struct script *s = script(state);

    listens(s, 5);
    inject(s, SEG(SYN, .mss = 700));
    expect(s, SEG(SYN | ACK, .mss = OUR_MSS(s)));
    s->tun.use_smss_as_mss_opt = 1;
    peer_add(s);
    inject(s, SEG(SYN, .mss = 700));
    expect(s, SEG(SYN | ACK, .mss = 700));
    peer_add(s);
    inject(s, SEG(SYN, .mss = 9000));
    expect(s, SEG(SYN | ACK, .mss = OUR_MSS(s)));
    peer_add(s);
    assert_int_equal(connects(s), 0);
    expect(s, SEG(SYN, .mss = OUR_MSS(s))); /* of a SYN it says nothing */
}

/* ---- _keepalive_interval, _keepalive_abort_interval ---- */

static void the_keepalive_tunables_are_the_defaults_of_the_options(void **state)
{
    struct script *s = script(state);
    struct tcp_config config;

    s->tun.keepalive_interval = 30000;
    s->tun.keepalive_abort_interval = 5000;
    script_start(s);
    opens(s, OFFER_PLAIN);
    config = app_config(s);
    config.keepalive = 1;
    app_configures(s, &config);
    expect_after(s, SEC(30), SEG(ACK, .seq = 0, .len = 0));
    advance(s, SEC(10));
    expect_closed(s, ETIMEDOUT);
}

static void with_keepalive_abort_interval_0_it_asks_for_ever(void **state)
{
    struct script *s = script(state);
    struct tcp_config config;

    s->tun.keepalive_interval = 10000;
    s->tun.keepalive_abort_interval = 0;
    script_start(s);
    opens(s, OFFER_PLAIN);
    config = app_config(s);
    config.keepalive = 1;
    app_configures(s, &config);
    advance(s, SEC(3600));
    expect_alive(s);
    assert_true(forget_output(s) > 100);
}

/* ---- _ip_notify_interval, _ip_notify_cinterval: RFC 9293 3.8.3 R1 ---- */

static void a_connection_asks_for_its_route_when_it_is_suspect(void **state)
{
    struct script *s = script(state);

    s->tun.ip_notify_interval = 3000;
    script_start(s);
    opens(s, OFFER_PLAIN);
    app_writes(s, 100);
    advance(s, MS(2900));
    expect_no_event(s, TCP_EV_PATH);
    advance(s, MS(4000)); /* noticed by the timeout that follows */
    expect_event(s, TCP_EV_PATH);
}

static void an_open_asks_for_its_route_when_it_is_suspect(void **state)
{
    struct script *s = script(state);

    s->tun.ip_notify_cinterval = 6000;
    script_start(s);
    assert_int_equal(connects(s), 0);
    advance(s, MS(5900));
    expect_no_event(s, TCP_EV_PATH);
    advance(s, MS(2000));
    expect_event(s, TCP_EV_PATH);
}

static const struct CMUnitTest tests[] = {
    SCENARIO(data_behind_a_hole_are_dropped_after_a_while),
    SCENARIO(progress_gives_what_is_left_more_time),
    SCENARIO(with_reass_timeout_0_they_wait_for_ever),
    SCENARIO(a_syn_ack_can_advertise_the_send_mss),
    SCENARIO(the_keepalive_tunables_are_the_defaults_of_the_options),
    SCENARIO(with_keepalive_abort_interval_0_it_asks_for_ever),
    SCENARIO(a_connection_asks_for_its_route_when_it_is_suspect),
    SCENARIO(an_open_asks_for_its_route_when_it_is_suspect),
};

SCRIPT_MAIN("tunables", tests)
