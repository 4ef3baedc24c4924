/* SPDX-License-Identifier: BSD-2-Clause */
/* Loss recovery without SACK: RFC 5681 3.2, RFC 6582, RFC 3042. */
#include "lib/script.h"

static struct script *in_flight(void **state, uint32_t n, int64_t *ret_base)
{
    struct script *s = established_with(state, OFFER_MSS);

    grow_cwnd(s, n);
    *ret_base = s->p->rcv_nxt;
    app_writes(s, (int64_t)n * 1000);
    assert_int_equal(forget_output(s), n);
    return s;
}

static void duplicates(struct script *s, int64_t ack, int n)
{
    for (int i = 0; i < n; i++)
        inject(s, SEG(ACK, .ack = ack));
}

/* RFC 5681 3.2 (2) */
static void the_third_duplicate_resends_the_first_segment(void **state)
{
    int64_t b;
    struct script *s = in_flight(state, 8, &b);

    duplicates(s, b, 2);
    expect_nothing(s);
    duplicates(s, b, 1);
    expect(s, SEG(ACK, .seq = b, .len = 1000));
    expect_nothing(s);
    assert_true(info(s).in_recovery);
    assert_int_equal(info(s).ssthresh, 4000);
}

/* RFC 5681 2: what a duplicate ACK is, and is not. */
static void an_ack_with_another_window_is_no_duplicate(void **state)
{
    int64_t b;
    struct script *s = in_flight(state, 8, &b);

    for (int i = 0; i < 6; i++)
        inject(s, SEG(ACK, .ack = b, .wnd = 60000 - 100 * i));
    expect_nothing(s);
}

static void an_ack_with_data_is_no_duplicate(void **state)
{
    int64_t b;
    struct script *s = in_flight(state, 8, &b);

    for (int i = 0; i < 6; i++)
        inject(s, SEG(ACK, .ack = b, .len = 100));
    while (packets_waiting(s))
        assert_true(is_pure_ack(&(struct sent[]){ next_sent(s) }[0]));
}

static void acks_with_nothing_outstanding_are_no_duplicates(void **state)
{
    struct script *s = established_with(state, OFFER_MSS);

    duplicates(s, 1, 5);
    expect_nothing(s);
    app_writes(s, 3000);
    assert_int_equal(forget_output(s), 3);
    duplicates(s, 1, 2);
    expect_nothing(s);
}

/* illumos _dupack_fast_retransmit */
static void the_threshold_is_a_tunable(void **state)
{
    int64_t b;
    struct script *s = in_flight(state, 8, &b);

    s->tun.dupack_fast_retransmit = 5;
    duplicates(s, b, 4);
    while (packets_waiting(s))
        assert_true(next_sent(s).seq != b);
    duplicates(s, b, 1);
    expect(s, SEG(ACK, .seq = b, .len = 1000));
}

/* RFC 3042 2 */
static void limited_transmit_sends_new_data(void **state)
{
    int64_t b;
    struct script *s = in_flight(state, 8, &b);

    while (info(s).flight + 1000 <= info(s).cwnd) {
        app_writes(s, 1000);
        forget_output(s);
    }
    app_writes(s, 5000);
    forget_output(s);
    duplicates(s, b, 1);
    assert_int_equal(forget_output(s), 1);
    duplicates(s, b, 1);
    assert_int_equal(forget_output(s), 1);
    duplicates(s, b, 1);
    expect(s, SEG(ACK, .seq = b, .len = 1000));
}

/* RFC 6582 3.2 (5): a partial ACK resends the next hole at once. */
static void a_partial_ack_resends_the_next_hole(void **state)
{
    int64_t b;
    struct script *s = in_flight(state, 8, &b);

    duplicates(s, b, 3);
    expect(s, SEG(ACK, .seq = b, .len = 1000));
    forget_output(s);
    peer_acks(s, b + 3000);
    expect(s, SEG(ACK, .seq = b + 3000, .len = 1000));
    assert_true(info(s).in_recovery);
    forget_output(s);
    peer_acks(s, b + 5000);
    expect(s, SEG(ACK, .seq = b + 5000, .len = 1000));
}

/* RFC 6582 3.2 (4): a full ACK ends it. */
static void a_full_ack_ends_recovery(void **state)
{
    int64_t b;
    struct script *s = in_flight(state, 8, &b);

    duplicates(s, b, 3);
    forget_output(s);
    peer_acks(s, b + 8000);
    assert_false(info(s).in_recovery);
    assert_true(info(s).cwnd <= 4000 + 1000);
    app_writes(s, 1000);
    expect(s, SEG(ACK | PSH, .seq = s->p->rcv_nxt - 1000, .len = 1000));
}

/* RFC 5681 3.2 (4), (5): further duplicates let new segments out. */
static void further_duplicates_inflate_the_window(void **state)
{
    int64_t b;
    struct script *s = in_flight(state, 8, &b);
    unsigned fresh = 0;

    app_writes(s, 10000);
    forget_output(s);
    duplicates(s, b, 7);
    while (packets_waiting(s))
        fresh += next_sent(s).seq >= b + 8000;
    assert_in_range(fresh, 1, 7);
}

/* RFC 6582 3.2 (1): duplicates caused by our own retransmissions do not halve again. */
static void one_window_is_halved_once(void **state)
{
    int64_t b;
    struct script *s = in_flight(state, 8, &b);
    uint32_t ssthresh;

    duplicates(s, b, 3);
    ssthresh = info(s).ssthresh;
    peer_acks(s, b + 1000);
    duplicates(s, b + 1000, 3);
    assert_int_equal(info(s).ssthresh, ssthresh);
}

/* RFC 5681 3.1: the timer still works when duplicates do not suffice. */
static void with_too_few_duplicates_the_timer_repairs(void **state)
{
    struct script *s = established_with(state, OFFER_MSS);

    app_writes(s, 2000);
    assert_int_equal(forget_output(s), 2);
    duplicates(s, 1, 1);
    expect_nothing(s);
    expect_after(s, MS(400), SEG(ACK, .seq = 1, .len = 1000));
}

static const struct CMUnitTest tests[] = {
    SCENARIO(the_third_duplicate_resends_the_first_segment),
    SCENARIO(an_ack_with_another_window_is_no_duplicate),
    SCENARIO(an_ack_with_data_is_no_duplicate),
    SCENARIO(acks_with_nothing_outstanding_are_no_duplicates),
    SCENARIO(the_threshold_is_a_tunable),
    SCENARIO(limited_transmit_sends_new_data),
    SCENARIO(a_partial_ack_resends_the_next_hole),
    SCENARIO(a_full_ack_ends_recovery),
    SCENARIO(further_duplicates_inflate_the_window),
    SCENARIO(one_window_is_halved_once),
    SCENARIO(with_too_few_duplicates_the_timer_repairs),
};

SCRIPT_MAIN("recovery_newreno", tests)
