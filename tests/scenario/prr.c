/* SPDX-License-Identifier: BSD-2-Clause */
/* Proportional Rate Reduction: RFC 6937. 16 segments in flight, ssthresh is 8. */
#include "lib/script.h"

#define RTT MS(100)

static struct script *flight(void **state, struct offer offer, int64_t waiting)
{
    struct script *s = script(state);

    s->tun.slow_start_initial = 16;
    s->tun.pacing = 0;
    opens_far(s, offer, RTT);
    app_writes(s, 16000 + waiting);
    assert_int_equal(forget_output(s), 16);
    advance(s, RTT);
    return s;
}

/* 3: ssthresh / RecoverFS of what is delivered goes out: 8 for 18, the two of limited
 * transmit included. The first retransmission goes at once. */
static void what_is_sent_is_in_proportion_to_what_arrived(void **state)
{
    static const unsigned sent_by[] = { 1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 4 };
    struct script *s = flight(state, OFFER_PLAIN, 30000);
    unsigned sent = 0;

    inject(s, SEG(ACK, .ack = 1, SACKED(1001, 2001)));
    advance(s, MS(1));
    inject(s, SEG(ACK, .ack = 1, SACKED(1001, 3001)));
    assert_int_equal(forget_output(s), 2);
    for (unsigned n = 0; n < ARRAY_LEN(sent_by); n++) {
        advance(s, MS(1));
        inject(s, SEG(ACK, .ack = 1, SACKED(1001, 4001 + 1000 * (int64_t)n)));
        sent += forget_output(s);
        assert_int_equal(sent, sent_by[n]);
    }
    assert_int_equal(info(s).ssthresh, 8000);
}

/* 3, the second part: below ssthresh no more than was delivered while nothing moves ... */
static void a_heavy_loss_makes_no_burst(void **state)
{
    struct script *s = flight(state, OFFER_PLAIN, 30000);

    inject(s, SEG(ACK, .ack = 1, SACKED(10001, 15001)));
    assert_int_equal(forget_output(s), 5); /* pipe is 1, ssthresh 8, five were delivered */
    advance(s, MS(1));
    inject(s, SEG(ACK, .ack = 1, SACKED(10001, 16001)));
    assert_int_equal(forget_output(s), 1);
    /* ... and one segment more when the recovery makes progress. */
    advance(s, RTT);
    inject(s, SEG(ACK, .ack = 1001, SACKED(10001, 16001)));
    assert_int_equal(forget_output(s), 2);
}

/* 3: at the end cwnd is ssthresh. */
static void it_ends_at_ssthresh(void **state)
{
    struct script *s = flight(state, OFFER_PLAIN, 0);

    inject(s, SEG(ACK, .ack = 1, SACKED(1001, 16001)));
    forget_output(s);
    assert_true(info(s).in_recovery);
    advance(s, RTT);
    peer_acks(s, 16001);
    assert_false(info(s).in_recovery);
    assert_int_equal(info(s).cwnd, 8000);
}

/* Without SACK each duplicate ACK says that one segment was delivered. */
static void duplicates_count_one_segment_each(void **state)
{
    struct script *s = flight(state, OFFER_MSS, 30000);
    unsigned sent = 0;

    for (int i = 0; i < 2; i++)
        inject(s, SEG(ACK, .ack = 1));
    assert_int_equal(forget_output(s), 2);
    inject(s, SEG(ACK, .ack = 1));
    expect(s, SEG(ACK, .seq = 1, .len = 1000));
    expect_nothing(s);
    for (int i = 0; i < 10; i++) {
        inject(s, SEG(ACK, .ack = 1));
        sent += forget_output(s);
    }
    assert_int_equal(sent, 3); /* 11 x 8 / 18 = 4.9, less the one above */
}

static const struct CMUnitTest tests[] = {
    SCENARIO(what_is_sent_is_in_proportion_to_what_arrived),
    SCENARIO(a_heavy_loss_makes_no_burst),
    SCENARIO(it_ends_at_ssthresh),
    SCENARIO(duplicates_count_one_segment_each),
};

SCRIPT_MAIN("prr", tests)
