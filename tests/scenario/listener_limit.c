/* SPDX-License-Identifier: BSD-2-Clause */
/* Connections of one listener, held to a part of the memory: illumos' _listener_limit_conf. */
#include "lib/script.h"

/* A half of 1 MB, by buffers of 128 KB each way: two connections. */
static struct script *limited(void **state)
{
    struct script *s = script(state);

    s->memory_mb = 8;
    s->tun.listener_limit_conf.count = 1;
    s->tun.listener_limit_conf.item[0].port = SCRIPT_LPORT;
    s->tun.listener_limit_conf.item[0].ratio = 16;
    script_start(s);
    s->config.snd_buf_bytes = s->config.rcv_buf_bytes = 131072;
    listens(s, 5);
    return s;
}

static void one_more_than_the_limit_is_dropped(void **state)
{
    struct script *s = limited(state);

    peer_opens(s, OFFER_PLAIN);
    peer_add(s);
    peer_opens(s, OFFER_PLAIN); /* both taken by the program: they count all the same */
    peer_add(s);
    inject(s, SEG(SYN));
    expect_nothing(s);
    expect_drop(s, DROP_LISTENER_LIMIT);
    assert_int_equal(tcp_engine_counters(s->e)->listen_limit_drop, 1);
}

static void half_open_ones_count(void **state)
{
    struct script *s = limited(state);

    for (int i = 0; i < 2; i++) {
        inject(s, SEG(SYN));
        expect(s, SEG(SYN | ACK));
        peer_add(s);
    }
    inject(s, SEG(SYN));
    expect_nothing(s);
    expect_drop(s, DROP_LISTENER_LIMIT);
}

static void one_that_ends_makes_room(void **state)
{
    struct script *s = limited(state);
    struct peer *first = s->p;

    peer_opens(s, OFFER_PLAIN);
    peer_add(s);
    peer_opens(s, OFFER_PLAIN);
    peer_use(s, first);
    app_closes(s);
    inject(s, SEG(FIN | ACK)); /* in TIME-WAIT it does not count */
    forget_output(s);
    peer_add(s);
    inject(s, SEG(SYN));
    expect(s, SEG(SYN | ACK));
}

/* Those that seem to be dead are given up after 30 s instead of 3 minutes or 5. */
static void at_the_limit_the_dead_are_given_up_early(void **state)
{
    struct script *s = limited(state);
    struct peer *first = s->p;

    peer_opens(s, OFFER_PLAIN);
    peer_add(s);
    peer_opens(s, OFFER_PLAIN);
    peer_use(s, first);
    app_writes(s, 100);
    advance(s, SEC(60));
    expect_closed(s, ETIMEDOUT);
}

static void other_ports_have_no_limit(void **state)
{
    struct script *s = script(state);

    s->memory_mb = 8;
    s->tun.listener_limit_conf.count = 1;
    s->tun.listener_limit_conf.item[0].port = SCRIPT_LPORT + 1;
    s->tun.listener_limit_conf.item[0].ratio = 4294967295u;
    listens(s, 20);
    for (int i = 0; i < 10; i++) {
        inject(s, SEG(SYN));
        expect(s, SEG(SYN | ACK));
        peer_add(s);
    }
}

/* illumos: never less than two. A limit that is set later is for listeners to come. */
static void two_are_always_allowed(void **state)
{
    struct script *s = script(state);

    s->memory_mb = 8;
    s->tun.listener_limit_conf.count = 1;
    s->tun.listener_limit_conf.item[0].port = SCRIPT_LPORT;
    s->tun.listener_limit_conf.item[0].ratio = 4294967295u;
    listens(s, 5);
    s->tun.listener_limit_conf.count = 0;
    for (int i = 0; i < 2; i++) {
        inject(s, SEG(SYN));
        expect(s, SEG(SYN | ACK));
        peer_add(s);
    }
    inject(s, SEG(SYN));
    expect_nothing(s);
    expect_drop(s, DROP_LISTENER_LIMIT);
}

static void a_closed_listener_leaves_its_connections_in_peace(void **state)
{
    struct script *s = limited(state);

    peer_opens(s, OFFER_PLAIN);
    tcp_listener_close(s->e, s->listener, s->now);
    settle(s);
    app_writes(s, 100);
    expect(s, SEG(ACK | PSH, .len = 100));
    app_aborts(s);
}

static const struct CMUnitTest tests[] = {
    SCENARIO(one_more_than_the_limit_is_dropped),
    SCENARIO(half_open_ones_count),
    SCENARIO(one_that_ends_makes_room),
    SCENARIO(at_the_limit_the_dead_are_given_up_early),
    SCENARIO(other_ports_have_no_limit),
    SCENARIO(two_are_always_allowed),
    SCENARIO(a_closed_listener_leaves_its_connections_in_peace),
};

SCRIPT_MAIN("listener_limit", tests)
