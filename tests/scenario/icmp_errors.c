/* SPDX-License-Identifier: BSD-2-Clause */
/* ICMP errors: RFC 9293 3.9.2.2, RFC 5927, RFC 1191, RFC 8201. */
#include "lib/script.h"

static void port_unreachable(struct script *s, int64_t seq)
{
    icmp_says(s, seq, s->v6 ? 1 : 3, s->v6 ? 4 : 3, 0, ECONNREFUSED, true);
}

static void host_unreachable(struct script *s, int64_t seq)
{
    icmp_says(s, seq, s->v6 ? 1 : 3, s->v6 ? 3 : 1, 0, EHOSTUNREACH, false);
}

static void too_big(struct script *s, int64_t seq, uint32_t mtu)
{
    icmp_says(s, seq, s->v6 ? 2 : 3, s->v6 ? 0 : 4, mtu, EMSGSIZE, false);
}

static int64_t mss_of(const struct script *s, uint32_t mtu)
{
    return (int64_t)mtu - (s->v6 ? 60 : 40);
}

/* A connection whose segments fill the MTU. */
static struct script *wide(void **state)
{
    return established_with(state, (struct offer){ .mss = 9000, .wscale = NONE, .sack = true });
}

static void a_hard_error_refuses_a_connect(void **state)
{
    struct script *s = syn_sent(state);

    port_unreachable(s, 0);
    expect_closed(s, ECONNREFUSED);
    expect_gone(s);
}

/* RFC 5927 4.1 */
static void an_error_about_another_segment_is_ignored(void **state)
{
    struct script *s = syn_sent(state);

    port_unreachable(s, 1);
    port_unreachable(s, -1);
    port_unreachable(s, 123456789);
    expect_drop(s, DROP_ICMP_SEQ);
    expect_alive(s);
}

/* RFC 5927 5.2: a hard error is a soft one to a synchronized connection. */
static void a_hard_error_does_not_end_a_connection(void **state)
{
    struct script *s = established(state);

    app_writes(s, 1000);
    forget_output(s);
    port_unreachable(s, 1);
    expect_alive(s);
    peer_acks(s, 1001);
    expect_state(s, TCP_ESTABLISHED);
}

/* RFC 9293 3.9.2.2: SHOULD NOT abort. */
static void a_soft_error_does_not_end_a_connect(void **state)
{
    struct script *s = syn_sent(state);

    host_unreachable(s, 0);
    expect_alive(s);
    inject(s, SEG(SYN | ACK, .seq = 0, .ack = 1));
    expect_event(s, TCP_EV_ESTABLISHED);
}

/* ... but explains the timeout. */
static void a_soft_error_is_the_reason_of_the_timeout(void **state)
{
    struct script *s = syn_sent(state);

    host_unreachable(s, 0);
    advance(s, SEC(300));
    expect_closed(s, EHOSTUNREACH);
}

static void a_soft_error_is_remembered_by_a_connection(void **state)
{
    struct script *s = established(state);

    app_writes(s, 1000);
    forget_output(s);
    host_unreachable(s, 1);
    assert_int_equal(info(s).soft_error, EHOSTUNREACH);
    advance(s, SEC(500));
    expect_closed(s, EHOSTUNREACH);
}

static void an_error_about_nothing_in_flight_is_ignored(void **state)
{
    struct script *s = established(state);

    host_unreachable(s, 1);
    host_unreachable(s, 500);
    expect_drop(s, DROP_ICMP_SEQ);
    assert_int_equal(info(s).soft_error, 0);
}

static void an_error_about_no_connection_is_ignored(void **state)
{
    struct script *s = script(state);

    script_start(s);
    port_unreachable(s, 0);
    too_big(s, 0, 1300);
    expect_nothing(s);
}

/* RFC 1191 6.3, RFC 8201 5.4: shorter segments, and the lost one again at once. */
static void too_big_shortens_and_resends(void **state)
{
    struct script *s = wide(state);
    int64_t mss = mss_of(s, 1300);

    app_writes(s, OUR_MSS(s));
    expect(s, SEG(ACK | PSH, .seq = 1, .len = OUR_MSS(s)));
    too_big(s, 1, 1300);
    expect(s, SEG(ACK, .seq = 1, .len = mss));
    assert_int_equal(info(s).mss, mss);
}

/* It is no congestion. */
static void too_big_leaves_the_congestion_window(void **state)
{
    struct script *s = wide(state);
    uint32_t ssthresh = info(s).ssthresh;

    app_writes(s, OUR_MSS(s));
    too_big(s, 1, 1300);
    assert_int_equal(info(s).ssthresh, ssthresh);
}

static void too_big_of_a_larger_mtu_is_ignored(void **state)
{
    struct script *s = wide(state);

    app_writes(s, OUR_MSS(s));
    forget_output(s);
    too_big(s, 1, 1500);
    too_big(s, 1, 9000);
    expect_nothing(s);
    assert_int_equal(info(s).mss, OUR_MSS(s));
}

static void too_big_about_nothing_in_flight_is_ignored(void **state)
{
    struct script *s = wide(state);

    app_writes(s, OUR_MSS(s));
    forget_output(s);
    too_big(s, 100000, 1300);
    too_big(s, -500, 1300);
    expect_drop(s, DROP_ICMP_SEQ);
    assert_int_equal(info(s).mss, OUR_MSS(s));
}

/* RFC 5927 7, RFC 8201 4: an absurd MTU does not make dust of us. */
static void too_big_has_a_floor(void **state)
{
    struct script *s = wide(state);

    app_writes(s, OUR_MSS(s));
    forget_output(s);
    too_big(s, 1, 10);
    assert_true(info(s).mss >= (s->v6 ? 1220 : 108));
    forget_output(s);
    too_big(s, 1, 0);
    assert_true(info(s).mss >= (s->v6 ? 1220 : 108));
}

static void path_mtu_can_be_ignored(void **state)
{
    struct script *s = script(state);

    s->tun.ignore_path_mtu = 1;
    s = wide(state);
    app_writes(s, OUR_MSS(s));
    forget_output(s);
    too_big(s, 1, 1300);
    expect_nothing(s);
    assert_int_equal(info(s).mss, OUR_MSS(s));
}

/* RFC 9293 3.9.2.2 MUST-55: source quench is discarded. */
static void source_quench_is_ignored(void **state)
{
    struct script *s = established(state);
    uint32_t cwnd = info(s).cwnd;

    app_writes(s, 1000);
    forget_output(s);
    icmp_says(s, 1, 4, 0, 0, 0, false);
    assert_int_equal(info(s).cwnd, cwnd);
    expect_alive(s);
}

/* illumos: a half-open connection goes the same way as a connect. */
static void a_hard_error_ends_a_half_open_connection(void **state)
{
    struct script *s = syn_rcvd(state);
    uint32_t q, q0;

    port_unreachable(s, 0);
    tcp_listener_queued(s->listener, &q, &q0);
    assert_int_equal(q0, 0);
    expect_gone(s);
}

static const struct CMUnitTest tests[] = {
    SCENARIO(a_hard_error_refuses_a_connect),
    SCENARIO(an_error_about_another_segment_is_ignored),
    SCENARIO(a_hard_error_does_not_end_a_connection),
    SCENARIO(a_soft_error_does_not_end_a_connect),
    SCENARIO(a_soft_error_is_the_reason_of_the_timeout),
    SCENARIO(a_soft_error_is_remembered_by_a_connection),
    SCENARIO(an_error_about_nothing_in_flight_is_ignored),
    SCENARIO(an_error_about_no_connection_is_ignored),
    SCENARIO(too_big_shortens_and_resends),
    SCENARIO(too_big_leaves_the_congestion_window),
    SCENARIO(too_big_of_a_larger_mtu_is_ignored),
    SCENARIO(too_big_about_nothing_in_flight_is_ignored),
    SCENARIO(too_big_has_a_floor),
    SCENARIO(path_mtu_can_be_ignored),
    SCENARIO(source_quench_is_ignored),
    SCENARIO(a_hard_error_ends_a_half_open_connection),
};

SCRIPT_MAIN("icmp_errors", tests)
