/* SPDX-License-Identifier: BSD-2-Clause */
/* Duplicates told in SACK options: RFC 2883 4 and 5. */
#include "lib/script.h"

#define TEXT(s, from, to) inject(s, SEG(ACK, .seq = (from), .len = (to) - (from)))

/* 4.1.1: a segment that was acknowledged before. */
static void an_old_segment_is_reported(void **state)
{
    struct script *s = established(state);

    TEXT(s, 1, 1001);
    forget_output(s);
    TEXT(s, 1, 1001);
    expect(s, SEG(ACK, .ack = 1001, .len = 0, SACKED(1, 1001)));
}

/* 4: each duplicate is reported once. */
static void it_is_reported_once(void **state)
{
    struct script *s = established(state);

    TEXT(s, 1, 1001);
    forget_output(s);
    TEXT(s, 1, 1001);
    forget_output(s);
    TEXT(s, 1001, 2001);
    TEXT(s, 2001, 3001);
    expect(s, SEG(ACK, NOT_SACKED));
}

/* 4.1.2: the D-SACK first, then what waits beyond the hole. */
static void what_waits_is_reported_behind_it(void **state)
{
    struct script *s = established(state);

    TEXT(s, 1, 1001);
    TEXT(s, 2001, 3001);
    forget_output(s);
    TEXT(s, 1, 1001);
    expect(s, SEG(ACK, .ack = 1001, SACKED(1, 1001, 2001, 3001)));
}

/* 4.1.3: a duplicate of what waits: the block that holds it is the second. */
static void a_duplicate_beyond_a_hole_is_followed_by_its_block(void **state)
{
    struct script *s = established(state);

    TEXT(s, 1001, 3001);
    TEXT(s, 5001, 6001);
    forget_output(s);
    TEXT(s, 2001, 3001);
    expect(s, SEG(ACK, .ack = 1, SACKED(2001, 3001, 1001, 3001, 5001, 6001)));
}

/* 4.2: only the part that was there is a duplicate. */
static void a_segment_that_is_new_in_part_is_reported_in_part(void **state)
{
    struct script *s = established(state);

    TEXT(s, 1, 1001);
    forget_output(s);
    TEXT(s, 501, 1501);
    expect_ack_by(s, MS(600), 1501);
    TEXT(s, 2001, 3001);
    forget_output(s);
    TEXT(s, 2501, 3501);
    expect(s, SEG(ACK, .ack = 1501, SACKED(2501, 3001, 2001, 3501)));
}

/* No SACK, no D-SACK. */
static void a_peer_without_sack_is_told_nothing(void **state)
{
    struct script *s = established_with(state, OFFER_MSS);

    TEXT(s, 1, 1001);
    forget_output(s);
    TEXT(s, 1, 1001);
    expect(s, SEG(ACK, .ack = 1001, NOT_SACKED));
}

/* What came twice because its retransmission overtook it is old by its timestamp too. */
static void what_was_overtaken_is_reported(void **state)
{
    struct script *s = established_with(state, OFFER_TS);

    advance(s, MS(50));
    TEXT(s, 1, 1001);
    forget_output(s);
    inject(s, SEG(ACK, .seq = 1, .len = 1000, .tsval = (int64_t)(s->p->ts_offset +
                                                          usec_to_msec(s->now)) - 20));
    expect(s, SEG(ACK, .ack = 1001, SACKED(1, 1001)));
}

/* 5: a D-SACK is no loss, and counts as no duplicate ACK. */
static void a_dsack_received_is_counted_and_no_loss(void **state)
{
    struct script *s = established(state);

    app_writes(s, 4000);
    forget_output(s);
    peer_acks(s, 2001);
    for (int i = 0; i < 5; i++)
        inject(s, SEG(ACK, .ack = 2001, SACKED(1, 1001)));
    assert_int_equal(info(s).dsacks, 5);
    assert_int_equal(info(s).retrans_segs, 0);
    inject(s, SEG(ACK, .ack = 2001, SACKED(1 - 2000000000, 2 - 2000000000)));
    assert_int_equal(info(s).dsacks, 5); /* never sent */
}

static const struct CMUnitTest tests[] = {
    SCENARIO(an_old_segment_is_reported),
    SCENARIO(it_is_reported_once),
    SCENARIO(what_waits_is_reported_behind_it),
    SCENARIO(a_duplicate_beyond_a_hole_is_followed_by_its_block),
    SCENARIO(a_segment_that_is_new_in_part_is_reported_in_part),
    SCENARIO(a_peer_without_sack_is_told_nothing),
    SCENARIO(what_was_overtaken_is_reported),
    SCENARIO(a_dsack_received_is_counted_and_no_loss),
};

SCRIPT_MAIN("dsack", tests)
