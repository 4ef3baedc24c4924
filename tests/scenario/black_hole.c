/* SPDX-License-Identifier: BSD-2-Clause */
/* A path that eats full segments and says nothing: RFC 4821 7.7, RFC 8899 4.3 for TCP. */
#include "lib/script.h"

/* Headers without options. */
#define HEADERS(s) ((s)->v6 ? 60 : 40)

/* A peer that takes what the MTU carries. */
static struct script *wide(void **state)
{
    struct script *s = script(state);
    struct offer offer = OFFER_PLAIN;

    script_start(s);
    offer.mss = OUR_MSS(s);
    return opens(s, offer);
}

/* Three timeouts in a row: at 0.4, 1.2 and 2.8 s. */
static void third_timeout(struct script *s)
{
    advance(s, MS(1300));
    forget_output(s);
    advance(s, MS(1600));
}

static void full_segments_that_vanish_are_cut(void **state)
{
    struct script *s = wide(state);
    int64_t mss = 1280 - HEADERS(s);

    app_writes(s, OUR_MSS(s));
    expect(s, SEG(ACK | PSH, .len = OUR_MSS(s)));
    expect_after(s, MS(400), SEG(ACK, .seq = 1, .len = OUR_MSS(s)));
    expect_after(s, MS(800), SEG(ACK, .seq = 1, .len = OUR_MSS(s)));
    expect_after(s, MS(1600), SEG(ACK, .seq = 1, .len = mss));
    expect_nothing(s);
    peer_acks(s, 1 + mss);
    expect(s, SEG(ACK | PSH, .seq = 1 + mss, .len = OUR_MSS(s) - mss));
    assert_int_equal(info(s).mss, mss);
    assert_int_equal(tcp_engine_counters(s->e)->mtu_black_holes, 1);
}

/* RFC 8200 5: less than 1280 is no size for IPv6. */
static void ipv4_has_one_size_more_to_try(void **state)
{
    struct script *s = wide(state);

    app_writes(s, OUR_MSS(s));
    third_timeout(s);
    expect(s, SEG(ACK, .seq = 1, .len = 1280 - HEADERS(s)));
    expect_within(s, MS(3000), MS(3300), SEG(ACK, .seq = 1, .len = s->v6 ? 1220 : 536));
}

/* Nearly every path carries what these are: the size is the last thing to suspect. */
static void full_segments_that_are_small_anyway_stay(void **state)
{
    struct script *s = established(state);

    app_writes(s, 1000);
    third_timeout(s);
    expect(s, SEG(ACK, .seq = 1, .len = 1000));
}

static void segments_that_are_not_full_say_nothing_of_the_path(void **state)
{
    struct script *s = wide(state);

    app_writes(s, OUR_MSS(s) - 1);
    third_timeout(s);
    expect(s, SEG(ACK, .seq = 1, .len = OUR_MSS(s) - 1));
    assert_int_equal(info(s).mss, OUR_MSS(s));
}

/* If the smallest does not get through either, the size was not the reason. */
static void an_outage_does_not_leave_small_segments(void **state)
{
    struct script *s = wide(state);

    app_writes(s, 3 * OUR_MSS(s));
    advance(s, SEC(60));
    forget_output(s);
    assert_int_equal(info(s).mss, OUR_MSS(s));
    expect_within(s, 0, SEC(61), SEG(ACK, .seq = 1));
    peer_acks(s, s->p->rcv_nxt);
    app_writes(s, OUR_MSS(s));
    skip_acks(s);
    forget_output(s);
    assert_int_equal(info(s).mss, OUR_MSS(s));
}

/* RFC 4821 7.3, RFC 8201 5.3: paths change. */
static void the_full_size_is_tried_again_after_ten_minutes(void **state)
{
    struct script *s = wide(state);

    app_writes(s, OUR_MSS(s));
    third_timeout(s);
    peer_acks(s, s->p->rcv_nxt);
    assert_int_equal(info(s).mss, 1280 - HEADERS(s));
    advance(s, SEC(590));
    app_writes(s, 10);
    peer_acks(s, s->p->rcv_nxt);
    assert_int_equal(info(s).mss, 1280 - HEADERS(s));
    advance(s, SEC(20));
    app_writes(s, 10);
    peer_acks(s, s->p->rcv_nxt);
    assert_int_equal(info(s).mss, OUR_MSS(s));
}

/* _ignore_path_mtu: no discovery of any kind. */
static void without_path_mtu_discovery_sizes_stay(void **state)
{
    struct script *s = script(state);

    s->tun.ignore_path_mtu = 1;
    wide(state);
    app_writes(s, OUR_MSS(s));
    third_timeout(s);
    expect(s, SEG(ACK, .seq = 1, .len = OUR_MSS(s)));
}

static const struct CMUnitTest tests[] = {
    SCENARIO(full_segments_that_vanish_are_cut),
    SCENARIO(ipv4_has_one_size_more_to_try),
    SCENARIO(full_segments_that_are_small_anyway_stay),
    SCENARIO(segments_that_are_not_full_say_nothing_of_the_path),
    SCENARIO(an_outage_does_not_leave_small_segments),
    SCENARIO(the_full_size_is_tried_again_after_ten_minutes),
    SCENARIO(without_path_mtu_discovery_sizes_stay),
};

SCRIPT_MAIN("black_hole", tests)
