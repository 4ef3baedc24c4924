/* SPDX-License-Identifier: BSD-2-Clause */
/* Was the timeout spurious? RFC 5682 3. */
#include "lib/script.h"

/* Four segments in flight, two more waiting; the timer has fired. */
static struct script *timed_out(void **state, struct offer offer, int64_t waiting)
{
    struct script *s = opens_far(script(state), offer, MS(50));

    app_writes(s, 4000 + waiting);
    assert_int_equal(forget_output(s), 4);
    expect_after(s, MS(400), SEG(ACK, .seq = 1, .len = 1000));
    assert_int_equal(info(s).cwnd, 1000);
    assert_int_equal(info(s).ssthresh, 2000);
    return s;
}

/* Step 2 b, then 3 b: ACKs of what was sent once, before the timeout. */
static void late_acks_undo_the_timeout(void **state)
{
    struct script *s = timed_out(state, OFFER_PLAIN, 4000);

    peer_acks(s, 1001);
    expect(s, SEG(ACK, .seq = 4001, .len = 1000));
    expect(s, SEG(ACK, .seq = 5001, .len = 1000));
    expect_nothing(s);
    peer_acks(s, 2001);
    assert_int_equal(tcp_engine_counters(s->e)->spurious_rtos, 1);
    assert_false(info(s).in_recovery);
    assert_true(info(s).cwnd >= 4000);
    assert_true(info(s).ssthresh > 1000000);
    while (packets_waiting(s))
        assert_true(next_sent(s).seq >= 6001);
}

/* Step 3: what was SACKed counts as well as what was acknowledged. */
static void a_sack_of_old_data_undoes_it_too(void **state)
{
    struct script *s = timed_out(state, OFFER_PLAIN, 4000);

    peer_acks(s, 1001);
    assert_int_equal(forget_output(s), 2);
    inject(s, SEG(ACK, .ack = 1001, SACKED(2001, 3001)));
    assert_int_equal(tcp_engine_counters(s->e)->spurious_rtos, 1);
}

/* Step 3 a: only the new segments arrived: the old ones are lost indeed. */
static void sacks_of_new_data_only_prove_the_loss(void **state)
{
    struct script *s = timed_out(state, OFFER_PLAIN, 4000);

    peer_acks(s, 1001);
    assert_int_equal(forget_output(s), 2);
    advance(s, MS(50));
    inject(s, SEG(ACK, .ack = 1001, SACKED(4001, 5001)));
    assert_int_equal(info(s).ssthresh, 2000);
    assert_int_equal(tcp_engine_counters(s->e)->spurious_rtos, 0);
    expect(s, SEG(ACK, .seq = 1001, .len = 1000));
}

/* Step 2 a: with nothing new to send it is a timeout like any other. */
static void without_new_data_it_goes_on_as_usual(void **state)
{
    struct script *s = timed_out(state, OFFER_PLAIN, 0);

    peer_acks(s, 1001);
    expect(s, SEG(ACK, .seq = 1001, .len = 1000));
}

static void without_sack_it_goes_on_as_usual(void **state)
{
    struct script *s = timed_out(state, OFFER_MSS, 4000);

    peer_acks(s, 1001);
    expect(s, SEG(ACK, .seq = 1001, .len = 1000));
    peer_acks(s, 2001);
    assert_int_equal(tcp_engine_counters(s->e)->spurious_rtos, 0);
}

/* Step 1: a timer that fires again was right. */
static void the_second_timeout_is_believed(void **state)
{
    struct script *s = timed_out(state, OFFER_PLAIN, 4000);

    expect_after(s, MS(800), SEG(ACK, .seq = 1, .len = 1000));
    peer_acks(s, 1001);
    expect(s, SEG(ACK, .seq = 1001, .len = 1000));
}

static const struct CMUnitTest tests[] = {
    SCENARIO(late_acks_undo_the_timeout),
    SCENARIO(a_sack_of_old_data_undoes_it_too),
    SCENARIO(sacks_of_new_data_only_prove_the_loss),
    SCENARIO(without_new_data_it_goes_on_as_usual),
    SCENARIO(without_sack_it_goes_on_as_usual),
    SCENARIO(the_second_timeout_is_believed),
};

SCRIPT_MAIN("frto", tests)
