/* SPDX-License-Identifier: BSD-2-Clause */
/* What a connection learns of its peer is known to the next one: RFC 9040, _rtt_updates. */
#include "lib/script.h"

/* A connection that takes @samples more round trips of 100 ms beside those of SYN and FIN. */
static void lives_and_ends(struct script *s, int samples)
{
    assert_int_equal(connects(s), 0);
    advance(s, MS(100));
    inject(s, SEG(SYN | ACK));
    for (int i = 0; i < samples; i++) {
        app_writes(s, 1000);
        advance(s, MS(100));
        peer_acks(s, s->p->rcv_nxt);
    }
    inject(s, SEG(FIN | ACK));
    app_closes(s);
    advance(s, MS(100));
    inject(s, SEG(ACK));
    expect_gone(s);
    forget_output(s);
    peer_add(s);
}

static struct script *started(void **state, uint32_t rtt_updates)
{
    struct script *s = script(state);

    s->tun.rtt_updates = rtt_updates;
    script_start(s);
    s->p->offer = OFFER_PLAIN;
    return s;
}

/* SRTT 100 ms, RTTVAR nearly 0: the RTO is the minimum, not the 1 s of no knowledge. */
static void the_next_connection_knows_the_round_trip(void **state)
{
    struct script *s = started(state, 20);

    lives_and_ends(s, 40);
    assert_int_equal(connects(s), 0);
    assert_in_range(info(s).srtt, MS(99), MS(101));
    expect(s, SEG(SYN));
    expect_after(s, MS(400), SEG(SYN));
}

static void too_few_samples_are_not_remembered(void **state)
{
    struct script *s = started(state, 20);

    lives_and_ends(s, 17);
    assert_int_equal(connects(s), 0);
    assert_int_equal(info(s).srtt, 0);
    expect(s, SEG(SYN));
    expect_after(s, SEC(1), SEG(SYN));
}

static void with_rtt_updates_0_nothing_is_remembered(void **state)
{
    struct script *s = started(state, 0);

    lives_and_ends(s, 40);
    assert_int_equal(connects(s), 0);
    assert_int_equal(info(s).srtt, 0);
}

static void after_an_hour_it_is_forgotten(void **state)
{
    struct script *s = started(state, 20);

    lives_and_ends(s, 40);
    advance(s, SEC(3700));
    assert_int_equal(connects(s), 0);
    assert_int_equal(info(s).srtt, 0);
}

static void who_was_slowed_down_tells_the_next(void **state)
{
    struct script *s = started(state, 1);

    assert_int_equal(connects(s), 0);
    inject(s, SEG(SYN | ACK));
    grow_cwnd(s, 20);
    app_writes(s, 20000);
    advance(s, MS(500)); /* a timeout */
    assert_int_equal(info(s).ssthresh, 10000);
    peer_acks(s, s->p->rcv_nxt);
    app_aborts(s);
    forget_output(s);
    peer_add(s);
    assert_int_equal(connects(s), 0);
    inject(s, SEG(SYN | ACK));
    assert_int_equal(info(s).ssthresh, 10000);
}

/* RFC 1191: a packet too big is not asked for twice. */
static void the_path_mtu_is_known_to_the_next(void **state)
{
    struct script *s = started(state, 20);

    s->p->offer.mss = OUR_MSS(s);
    assert_int_equal(connects(s), 0);
    inject(s, SEG(SYN | ACK));
    app_writes(s, OUR_MSS(s));
    icmp_says(s, 1, s->v6 ? 2 : 3, s->v6 ? 0 : 4, 1400, EMSGSIZE, false);
    assert_int_equal(info(s).mss, OUR_MSS(s) - 100);
    forget_output(s);
    peer_add(s);
    s->p->offer.mss = OUR_MSS(s);
    assert_int_equal(connects(s), 0);
    inject(s, SEG(SYN | ACK));
    assert_int_equal(info(s).mss, OUR_MSS(s) - 100);
    advance(s, SEC(601));
    forget_output(s);
    peer_add(s);
    s->p->offer.mss = OUR_MSS(s);
    assert_int_equal(connects(s), 0);
    inject(s, SEG(SYN | ACK));
    assert_int_equal(info(s).mss, OUR_MSS(s));
}

/* Who forges one for a connection of his own harms nobody else with it. */
static void a_tiny_mtu_is_not_shared(void **state)
{
    struct script *s = started(state, 20);

    if (s->v6)
        return; /* there is none: 1280 is the floor */
    assert_int_equal(connects(s), 0);
    inject(s, SEG(SYN | ACK));
    app_writes(s, 1000);
    icmp_says(s, 1, 3, 4, 300, EMSGSIZE, false);
    assert_int_equal(info(s).mss, 260);
    peer_add(s);
    assert_int_equal(connects(s), 0);
    inject(s, SEG(SYN | ACK));
    assert_int_equal(info(s).mss, 1000);
}

static const struct CMUnitTest tests[] = {
    SCENARIO(the_next_connection_knows_the_round_trip),
    SCENARIO(too_few_samples_are_not_remembered),
    SCENARIO(with_rtt_updates_0_nothing_is_remembered),
    SCENARIO(after_an_hour_it_is_forgotten),
    SCENARIO(who_was_slowed_down_tells_the_next),
    SCENARIO(the_path_mtu_is_known_to_the_next),
    SCENARIO(a_tiny_mtu_is_not_shared),
};

SCRIPT_MAIN("dest_cache", tests)
