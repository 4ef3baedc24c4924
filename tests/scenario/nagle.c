/* SPDX-License-Identifier: BSD-2-Clause */
/* When a short segment waits: RFC 9293 3.7.4 with Minshall's variant, NODELAY, CORK, PSH. */
#include "lib/script.h"

static struct script *configured(void **state, void (*change)(struct tcp_config *))
{
    struct script *s = script(state);

    script_start(s);
    change(&s->config);
    return opens(s, OFFER_PLAIN);
}

static void set_nodelay(struct tcp_config *c)
{
    c->nodelay = 1;
}

static void set_cork(struct tcp_config *c)
{
    c->cork = 1;
}

static void set_naglim(struct tcp_config *c)
{
    c->naglim_bytes = 1;
}

static void the_first_small_segment_goes_at_once(void **state)
{
    struct script *s = established(state);

    app_writes(s, 100);
    expect(s, SEG(ACK | PSH, .seq = 1, .len = 100));
}

static void a_second_small_one_waits_for_the_ack(void **state)
{
    struct script *s = established(state);

    app_writes(s, 100);
    expect(s, SEG(ACK | PSH, .seq = 1, .len = 100));
    app_writes(s, 100);
    app_writes(s, 100);
    app_writes(s, 100);
    expect_nothing(s);
    peer_acks(s, 101);
    expect(s, SEG(ACK | PSH, .seq = 101, .len = 300));
}

/* Minshall: full segments in flight do not hold back the tail. */
static void a_tail_behind_full_segments_goes_at_once(void **state)
{
    struct script *s = established(state);

    app_writes(s, 2100);
    expect(s, SEG(ACK, .seq = 1, .len = 1000));
    expect(s, SEG(ACK, .seq = 1001, .len = 1000));
    expect(s, SEG(ACK | PSH, .seq = 2001, .len = 100));
    app_writes(s, 100);
    expect_nothing(s);
}

static void a_full_segment_never_waits(void **state)
{
    struct script *s = established(state);

    app_writes(s, 100);
    expect(s, SEG(ACK | PSH, .seq = 1, .len = 100));
    app_writes(s, 400);
    app_writes(s, 600);
    expect(s, SEG(ACK | PSH, .seq = 101, .len = 1000));
}

static void nodelay_sends_each_write(void **state)
{
    struct script *s = configured(state, set_nodelay);

    app_writes(s, 100);
    app_writes(s, 100);
    expect(s, SEG(ACK | PSH, .seq = 1, .len = 100));
    expect(s, SEG(ACK | PSH, .seq = 101, .len = 100));
}

static void setting_nodelay_sends_what_waits(void **state)
{
    struct script *s = established(state);
    struct tcp_config config = app_config(s);

    app_writes(s, 100);
    app_writes(s, 100);
    forget_output(s);
    config.nodelay = 1;
    app_configures(s, &config);
    expect(s, SEG(ACK | PSH, .seq = 101, .len = 100));
}

/* illumos _naglim_def 1: off. */
static void a_nagle_limit_of_1_sends_each_write(void **state)
{
    struct script *s = configured(state, set_naglim);

    app_writes(s, 100);
    app_writes(s, 100);
    expect(s, SEG(ACK | PSH, .seq = 1, .len = 100));
    expect(s, SEG(ACK | PSH, .seq = 101, .len = 100));
}

static void cork_sends_full_segments_only(void **state)
{
    struct script *s = configured(state, set_cork);

    app_writes(s, 500);
    expect_nothing(s);
    app_writes(s, 1700);
    expect(s, SEG(ACK, .seq = 1, .len = 1000));
    expect(s, SEG(ACK, .seq = 1001, .len = 1000));
    expect_nothing(s);
    peer_acks(s, 2001);
    advance(s, SEC(60));
    expect_nothing(s);
}

static void uncorking_sends_the_rest(void **state)
{
    struct script *s = configured(state, set_cork);
    struct tcp_config config = app_config(s);

    app_writes(s, 500);
    config.cork = 0;
    app_configures(s, &config);
    expect(s, SEG(ACK | PSH, .seq = 1, .len = 500));
}

static void closing_ends_the_cork(void **state)
{
    struct script *s = configured(state, set_cork);

    app_writes(s, 500);
    app_shuts(s);
    advance(s, MS(10));
    assert_int_equal(s->p->rcv_nxt, 502);
}

/* illumos: NODELAY does not defeat CORK. */
static void nodelay_does_not_pull_the_cork(void **state)
{
    struct script *s = configured(state, set_cork);
    struct tcp_config config = app_config(s);

    config.nodelay = 1;
    app_configures(s, &config);
    app_writes(s, 500);
    expect_nothing(s);
}

/* illumos: what a listener is corked with, it keeps. */
static void cork_is_not_inherited(void **state)
{
    struct script *s = script(state);

    script_start(s);
    s->config.cork = 1;
    listens(s, 5);
    peer_opens(s, OFFER_PLAIN);
    app_writes(s, 500);
    expect(s, SEG(ACK | PSH, .seq = 1, .len = 500));
}

/* RFC 9293 3.9.1.2: PSH on the last segment of what was written, and on no other. */
static void psh_marks_the_end_of_the_queue(void **state)
{
    struct script *s = established(state);

    app_writes(s, 2500);
    expect(s, SEG(ACK | NO_PSH, .seq = 1, .len = 1000));
    expect(s, SEG(ACK | NO_PSH, .seq = 1001, .len = 1000));
    expect(s, SEG(ACK | PSH, .seq = 2001, .len = 500));
}

/* A FIN is no reason to wait. */
static void a_held_tail_leaves_with_the_fin(void **state)
{
    struct script *s = established(state);

    app_writes(s, 100);
    app_writes(s, 100);
    forget_output(s);
    app_shuts(s);
    expect(s, SEG(FIN | ACK | PSH, .seq = 101, .len = 100));
}

static const struct CMUnitTest tests[] = {
    SCENARIO(the_first_small_segment_goes_at_once),
    SCENARIO(a_second_small_one_waits_for_the_ack),
    SCENARIO(a_tail_behind_full_segments_goes_at_once),
    SCENARIO(a_full_segment_never_waits),
    SCENARIO(nodelay_sends_each_write),
    SCENARIO(setting_nodelay_sends_what_waits),
    SCENARIO(a_nagle_limit_of_1_sends_each_write),
    SCENARIO(cork_sends_full_segments_only),
    SCENARIO(uncorking_sends_the_rest),
    SCENARIO(closing_ends_the_cork),
    SCENARIO(nodelay_does_not_pull_the_cork),
    SCENARIO(cork_is_not_inherited),
    SCENARIO(psh_marks_the_end_of_the_queue),
    SCENARIO(a_held_tail_leaves_with_the_fin),
};

SCRIPT_MAIN("nagle", tests)
