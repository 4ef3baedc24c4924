/* SPDX-License-Identifier: BSD-2-Clause */
/* How long a segment may be: RFC 9293 3.7.1, RFC 6691, and the limits of illumos. */
#include "lib/script.h"

static void expect_segments_of(struct script *s, int64_t mss)
{
    app_writes(s, 2 * mss + 1);
    expect(s, SEG(ACK, .seq = 1, .len = mss, .mss = NONE));
    expect(s, SEG(ACK, .seq = 1 + mss, .len = mss));
}

static void without_the_option_the_default_is_assumed(void **state)
{
    struct script *s = established_with(state, OFFER_BARE);

    expect_segments_of(s, s->v6 ? 1220 : 536);
}

static void the_default_is_a_tunable(void **state)
{
    struct script *s = script(state);

    s->tun.mss_def_ipv4 = s->tun.mss_def_ipv6 = 700;
    opens(s, OFFER_BARE);
    expect_segments_of(s, 700);
}

static void the_peers_option_is_obeyed(void **state)
{
    expect_segments_of(established(state), 1000);
}

static void the_path_limits_what_the_peer_allows(void **state)
{
    struct script *s = established_with(state, (struct offer){ .mss = 9000, .wscale = NONE });

    expect_segments_of(s, OUR_MSS(s));
}

static void a_small_mtu_is_offered_and_obeyed(void **state)
{
    struct script *s = script(state);
    int64_t mss;

    script_start(s);
    s->path.mtu = 1300;
    mss = s->v6 ? 1240 : 1260;
    s->p->offer = (struct offer){ .mss = 9000, .wscale = NONE };
    assert_int_equal(connects(s), 0);
    expect(s, SEG(SYN, .mss = mss));
    inject(s, SEG(SYN | ACK, .seq = 0, .ack = 1));
    expect(s, SEG(ACK));
    expect_segments_of(s, mss);
}

static void a_syn_ack_offers_what_its_path_carries(void **state)
{
    struct script *s = listening(state);

    s->path.mtu = 1300;
    inject(s, SEG(SYN));
    expect(s, SEG(SYN | ACK, .mss = s->v6 ? 1240 : 1260));
}

/* illumos _mss_min: a peer cannot make us send dust. */
static void a_tiny_option_is_raised_to_the_minimum(void **state)
{
    struct script *s = established_with(state, (struct offer){ .mss = 20, .wscale = NONE });

    expect_segments_of(s, 108);
}

static void an_option_of_zero_does_no_harm(void **state)
{
    struct script *s = established_with(state, (struct offer){ .mss = 0, .wscale = NONE });

    app_writes(s, 1000);
    assert_true(next_sent(s).seg.len >= 1);
}

static void the_tunable_maximum_caps_it(void **state)
{
    struct script *s = script(state);

    s->tun.mss_max_ipv4 = s->tun.mss_max_ipv6 = 800;
    opens(s, OFFER_PLAIN);
    expect_segments_of(s, 800);
}

/* TCP_MAXSEG before connect. */
static void maxseg_caps_what_is_sent(void **state)
{
    struct script *s = script(state);

    script_start(s);
    s->config.maxseg_bytes = 600;
    opens(s, OFFER_PLAIN);
    expect_segments_of(s, 600);
}

/* RFC 6691 2: the option does not count other options; the sender subtracts them. */
static void timestamps_shorten_the_payload(void **state)
{
    expect_segments_of(established_with(state, OFFER_TS), 1000);
}

/* RFC 9293 3.7.2: SACK blocks take their room from the payload as well. */
static void a_segment_with_sack_blocks_stays_within_the_mss(void **state)
{
    struct script *s = established(state);
    struct sent p;

    inject(s, SEG(ACK, .seq = 1001, .len = 1000));
    forget_output(s);
    app_writes(s, 1000);
    p = next_sent(s);
    assert_true(p.seg.len + (p.seg.opt.sacks ? 12 : 0) <= 1000);
}

/* A path that becomes narrower shortens the segments to come. */
static void a_new_path_changes_the_segment_size(void **state)
{
    struct script *s = established_with(state, (struct offer){ .mss = 1440, .wscale = NONE });
    struct path narrow = s->path;

    narrow.mtu = 1300;
    tcp_conn_set_path(s->p->conn, &narrow, s->now);
    settle(s);
    expect_segments_of(s, s->v6 ? 1240 : 1260);
}

/* ... and one that becomes wider does not leave a window of less than a segment. */
static void a_wider_path_does_not_strand_the_connection(void **state)
{
    struct script *s = established_with(state, (struct offer){ .mss = 9000, .wscale = NONE });
    struct path wide = s->path;

    wide.mtu = 9000;
    tcp_conn_set_path(s->p->conn, &wide, s->now);
    settle(s);
    app_writes(s, 40000);
    advance(s, SEC(2));
    assert_true(forget_output(s) >= 1);
    assert_true(info(s).cwnd >= info(s).mss);
}

static const struct CMUnitTest tests[] = {
    SCENARIO(without_the_option_the_default_is_assumed),
    SCENARIO(the_default_is_a_tunable),
    SCENARIO(the_peers_option_is_obeyed),
    SCENARIO(the_path_limits_what_the_peer_allows),
    SCENARIO(a_small_mtu_is_offered_and_obeyed),
    SCENARIO(a_syn_ack_offers_what_its_path_carries),
    SCENARIO(a_tiny_option_is_raised_to_the_minimum),
    SCENARIO(an_option_of_zero_does_no_harm),
    SCENARIO(the_tunable_maximum_caps_it),
    SCENARIO(maxseg_caps_what_is_sent),
    SCENARIO(timestamps_shorten_the_payload),
    SCENARIO(a_segment_with_sack_blocks_stays_within_the_mss),
    SCENARIO(a_new_path_changes_the_segment_size),
    SCENARIO(a_wider_path_does_not_strand_the_connection),
};

SCRIPT_MAIN("mss", tests)
