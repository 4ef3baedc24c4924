/* SPDX-License-Identifier: BSD-2-Clause */
/* Resets for what belongs to no connection: RFC 9293 3.5.2 group 1, and their limit. */
#include "lib/script.h"

static struct script *nobody(void **state)
{
    struct script *s = script(state);

    script_start(s);
    return s;
}

/* No ACK: <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>. */
static void a_syn_to_a_closed_port_is_reset(void **state)
{
    struct script *s = nobody(state);

    inject(s, SEG(SYN, .seq = 0));
    expect(s, SEG(RST | ACK, .seq = 0, .ack = 1, .len = 0));
    expect_drop(s, DROP_NO_CONN);
}

static void the_reset_counts_data_syn_and_fin(void **state)
{
    struct script *s = nobody(state);

    inject(s, SEG(SYN | FIN, .seq = 0, .len = 20));
    expect(s, SEG(RST | ACK, .seq = 0, .ack = 22));
    inject(s, SEG(0, .seq = 100, .len = 20));
    expect(s, SEG(RST | ACK, .seq = 0, .ack = 120));
    inject(s, SEG(FIN, .seq = 100));
    expect(s, SEG(RST | ACK, .seq = 0, .ack = 101));
}

/* With ACK: <SEQ=SEG.ACK><CTL=RST>. */
static void an_ack_to_a_closed_port_is_reset_at_its_ack(void **state)
{
    struct script *s = nobody(state);

    inject(s, SEG(ACK, .seq = 9, .ack = 4711));
    expect(s, SEG(RST, .seq = 4711, .len = 0));
    inject(s, SEG(SYN | ACK, .seq = 9, .ack = 4712));
    expect(s, SEG(RST, .seq = 4712, .len = 0));
    inject(s, SEG(FIN | ACK, .seq = 9, .ack = 4713, .len = 7));
    expect(s, SEG(RST, .seq = 4713, .len = 0));
}

/* A RST is never answered. */
static void a_rst_to_a_closed_port_is_dropped(void **state)
{
    struct script *s = nobody(state);

    inject(s, SEG(RST, .seq = 9));
    inject(s, SEG(RST | ACK, .seq = 9, .ack = 10));
    inject(s, SEG(RST | SYN, .seq = 9));
    expect_nothing(s);
    expect_drop(s, DROP_RST_NO_CONN);
}

/* illumos _rst_sent_rate: 40 a second for the whole stack; the engine draws from the upper half. */
static void resets_are_limited_per_second(void **state)
{
    struct script *s = nobody(state);
    unsigned first, second;

    for (int i = 0; i < 200; i++)
        inject(s, SEG(SYN, .seq = i));
    first = forget_output(s);
    assert_in_range(first, 20, 40);
    advance(s, SEC(1) + MS(1));
    for (int i = 0; i < 200; i++)
        inject(s, SEG(SYN, .seq = i));
    second = forget_output(s);
    assert_in_range(second, 20, 40);
    assert_int_equal(tcp_engine_counters(s->e)->rst_unsent, 400 - first - second);
}

static void the_limit_can_be_switched_off(void **state)
{
    struct script *s = script(state);

    s->tun.rst_sent_rate_enabled = 0;
    script_start(s);
    for (int i = 0; i < 200; i++)
        inject(s, SEG(SYN, .seq = i));
    assert_int_equal(forget_output(s), 200);
}

/* RFC 5961 7: challenge ACKs are limited as well. */
static void challenge_acks_are_limited_per_second(void **state)
{
    struct script *s = established(state);

    for (int i = 0; i < 300; i++)
        inject(s, SEG(RST, .seq = 100));
    assert_in_range(forget_output(s), 50, 100);
    expect_alive(s);
    advance(s, SEC(1) + MS(1));
    inject(s, SEG(RST, .seq = 100));
    expect(s, SEG(ACK, .seq = 1, .ack = 1));
}

/* RFC 9293 3.5.2: what was aborted answers like a closed port. */
static void segments_after_an_abort_are_reset(void **state)
{
    struct script *s = established(state);

    app_aborts(s);
    forget_output(s);
    inject(s, SEG(ACK | PSH, .seq = 1, .ack = 1, .len = 10));
    expect(s, SEG(RST, .seq = 1, .len = 0));
}

/* RFC 9293 3.5.3: and a RST of a live connection is dropped once it is gone. */
static void a_reset_connection_stays_silent_to_resets(void **state)
{
    struct script *s = established(state);

    inject(s, SEG(RST));
    inject(s, SEG(RST));
    expect_nothing(s);
    expect_closed(s, ECONNRESET);
}

/* RFC 9293 3.5.3, SHLD-2. */
static void a_rst_may_carry_data(void **state)
{
    struct script *s = established(state);

    inject(s, SEG(RST | ACK, .seq = 1, .len = 20, .garbage = true));
    expect_closed(s, ECONNRESET);
}

static const struct CMUnitTest tests[] = {
    SCENARIO(a_rst_may_carry_data),
    SCENARIO(a_syn_to_a_closed_port_is_reset),
    SCENARIO(the_reset_counts_data_syn_and_fin),
    SCENARIO(an_ack_to_a_closed_port_is_reset_at_its_ack),
    SCENARIO(a_rst_to_a_closed_port_is_dropped),
    SCENARIO(resets_are_limited_per_second),
    SCENARIO(the_limit_can_be_switched_off),
    SCENARIO(challenge_acks_are_limited_per_second),
    SCENARIO(segments_after_an_abort_are_reset),
    SCENARIO(a_reset_connection_stays_silent_to_resets),
};

SCRIPT_MAIN("reset", tests)
