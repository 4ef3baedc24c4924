/* SPDX-License-Identifier: BSD-2-Clause */
/* The SACK blocks that a receiver sends: RFC 2018 3 and 4. */
#include "lib/script.h"

#define OUT_OF_ORDER(s, n) inject(s, SEG(ACK, .seq = 1 + 1000 * (n), .len = 1000))

static void data_beyond_a_hole_are_reported_at_once(void **state)
{
    struct script *s = established(state);

    OUT_OF_ORDER(s, 1);
    expect(s, SEG(ACK, .seq = 1, .ack = 1, .len = 0, SACKED(1001, 2001)));
    expect_nothing(s);
}

/* 4: the first block is the one that the last segment belongs to. */
static void the_most_recent_block_comes_first(void **state)
{
    struct script *s = established(state);

    OUT_OF_ORDER(s, 1);
    expect(s, SEG(ACK, .ack = 1, SACKED(1001, 2001)));
    OUT_OF_ORDER(s, 3);
    expect(s, SEG(ACK, .ack = 1, SACKED(3001, 4001, 1001, 2001)));
    OUT_OF_ORDER(s, 5);
    expect(s, SEG(ACK, .ack = 1, SACKED(5001, 6001, 3001, 4001, 1001, 2001)));
}

static void a_block_that_grows_moves_to_the_front(void **state)
{
    struct script *s = established(state);

    OUT_OF_ORDER(s, 1);
    OUT_OF_ORDER(s, 4);
    forget_output(s);
    OUT_OF_ORDER(s, 2);
    expect(s, SEG(ACK, .ack = 1, SACKED(1001, 3001, 4001, 5001)));
}

static void blocks_that_touch_are_merged(void **state)
{
    struct script *s = established(state);

    OUT_OF_ORDER(s, 1);
    OUT_OF_ORDER(s, 3);
    forget_output(s);
    OUT_OF_ORDER(s, 2);
    expect(s, SEG(ACK, .ack = 1, SACKED(1001, 4001)));
}

static void segments_that_overlap_make_one_block(void **state)
{
    struct script *s = established(state);

    inject(s, SEG(ACK, .seq = 1001, .len = 1000));
    forget_output(s);
    inject(s, SEG(ACK, .seq = 1501, .len = 1000));
    expect(s, SEG(ACK, .ack = 1, SACKED(1501, 2001, 1001, 2501))); /* what came twice is first */
}

/* 3: four fit in the options. */
static void at_most_four_blocks_are_sent(void **state)
{
    struct script *s = established(state);

    for (int i = 1; i <= 9; i += 2)
        OUT_OF_ORDER(s, i);
    (void)next_sent(s), (void)next_sent(s), (void)next_sent(s), (void)next_sent(s);
    expect(s, SEG(ACK, .ack = 1,
                  SACKED(9001, 10001, 7001, 8001, 5001, 6001, 3001, 4001)));
}

/* 3: three beside timestamps. */
static void at_most_three_blocks_are_sent_with_timestamps(void **state)
{
    struct script *s = established_with(state, OFFER_TS);

    for (int i = 1; i <= 7; i += 2)
        OUT_OF_ORDER(s, i);
    (void)next_sent(s), (void)next_sent(s), (void)next_sent(s);
    expect(s, SEG(ACK, .ack = 1, SACKED(7001, 8001, 5001, 6001, 3001, 4001)));
}

static void a_hole_that_is_filled_is_reported_no_more(void **state)
{
    struct script *s = established(state);

    OUT_OF_ORDER(s, 1);
    forget_output(s);
    OUT_OF_ORDER(s, 0);
    expect(s, SEG(ACK, .ack = 2001, .len = 0, NOT_SACKED));
}

static void the_lower_hole_filled_leaves_the_upper_block(void **state)
{
    struct script *s = established(state);

    OUT_OF_ORDER(s, 1);
    OUT_OF_ORDER(s, 3);
    forget_output(s);
    OUT_OF_ORDER(s, 0);
    expect(s, SEG(ACK, .ack = 2001, SACKED(3001, 4001)));
}

/* 2 and 3: only if the peer permitted it. */
static void without_permission_no_block_is_sent(void **state)
{
    struct script *s = established_with(state, OFFER_MSS);

    OUT_OF_ORDER(s, 1);
    expect(s, SEG(ACK, .seq = 1, .ack = 1, .len = 0, NOT_SACKED));
}

/* 4: every ACK that does not acknowledge the highest byte carries them. */
static void data_segments_carry_blocks_too(void **state)
{
    struct script *s = established(state);

    OUT_OF_ORDER(s, 1);
    forget_output(s);
    app_writes(s, 500);
    expect(s, SEG(ACK | PSH, .seq = 1, .ack = 1, .len = 500, SACKED(1001, 2001)));
}

/* illumos sack: never, passive, active. */
static void sack_never_neither_offers_nor_answers(void **state)
{
    struct script *s = script(state);

    s->tun.sack = TUN_NEVER;
    listens(s, 5);
    inject(s, SEG(SYN));
    expect(s, SEG(SYN | ACK, .sack_ok = NONE));
    peer_add(s);
    assert_int_equal(connects(s), 0);
    expect(s, SEG(SYN, .sack_ok = NONE));
}

static void sack_passive_answers_only(void **state)
{
    struct script *s = script(state);

    s->tun.sack = TUN_PASSIVE;
    listens(s, 5);
    inject(s, SEG(SYN));
    expect(s, SEG(SYN | ACK, .sack_ok = 1));
    peer_add(s);
    assert_int_equal(connects(s), 0);
    expect(s, SEG(SYN, .sack_ok = NONE));
}

static const struct CMUnitTest tests[] = {
    SCENARIO(data_beyond_a_hole_are_reported_at_once),
    SCENARIO(the_most_recent_block_comes_first),
    SCENARIO(a_block_that_grows_moves_to_the_front),
    SCENARIO(blocks_that_touch_are_merged),
    SCENARIO(segments_that_overlap_make_one_block),
    SCENARIO(at_most_four_blocks_are_sent),
    SCENARIO(at_most_three_blocks_are_sent_with_timestamps),
    SCENARIO(a_hole_that_is_filled_is_reported_no_more),
    SCENARIO(the_lower_hole_filled_leaves_the_upper_block),
    SCENARIO(without_permission_no_block_is_sent),
    SCENARIO(data_segments_carry_blocks_too),
    SCENARIO(sack_never_neither_offers_nor_answers),
    SCENARIO(sack_passive_answers_only),
};

SCRIPT_MAIN("sack_sent", tests)
