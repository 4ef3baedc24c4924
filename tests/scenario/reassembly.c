/* SPDX-License-Identifier: BSD-2-Clause */
/* Putting the stream together: RFC 9293 3.10.7.4 seventh and eighth. */
#include "lib/script.h"

static void text(struct script *s, int64_t from, int64_t to)
{
    inject(s, SEG(ACK, .seq = from, .len = to - from));
}

static void expect_stream(struct script *s, int64_t bytes)
{
    app_reads(s, bytes);
    app_reads(s, 0);
    assert_int_equal(info(s).rcv_nxt - s->p->iss, 1 + bytes);
}

static void two_segments_in_the_wrong_order(void **state)
{
    struct script *s = established(state);

    text(s, 1001, 2001);
    expect_no_event(s, TCP_EV_READABLE);
    text(s, 1, 1001);
    expect_event(s, TCP_EV_READABLE);
    expect_stream(s, 2000);
}

static void many_segments_backwards(void **state)
{
    struct script *s = established(state);

    for (int i = 19; i >= 0; i--)
        text(s, 1 + 1000 * i, 1001 + 1000 * i);
    expect_stream(s, 20000);
}

static void a_segment_that_overlaps_the_left(void **state)
{
    struct script *s = established(state);

    text(s, 1, 1001);
    text(s, 501, 1501);
    expect_stream(s, 1500);
}

static void a_segment_that_overlaps_a_waiting_one(void **state)
{
    struct script *s = established(state);

    text(s, 1001, 2001);
    text(s, 501, 1501);
    text(s, 1, 601);
    expect_stream(s, 2000);
}

static void a_segment_inside_a_waiting_one(void **state)
{
    struct script *s = established(state);

    text(s, 1001, 3001);
    text(s, 1501, 2001);
    text(s, 1, 1001);
    expect_stream(s, 3000);
}

static void a_segment_that_covers_several_waiting_ones(void **state)
{
    struct script *s = established(state);

    text(s, 1001, 1101);
    text(s, 1301, 1401);
    text(s, 1601, 1701);
    text(s, 1, 2001);
    expect_stream(s, 2000);
}

static void a_segment_that_fills_two_holes(void **state)
{
    struct script *s = established(state);

    text(s, 501, 601);
    text(s, 801, 901);
    text(s, 401, 951);
    text(s, 1, 501);
    expect_stream(s, 950);
}

static void a_duplicate_is_acknowledged_and_not_delivered(void **state)
{
    struct script *s = established(state);

    text(s, 1, 1001);
    app_reads(s, 1000);
    advance(s, MS(200));
    forget_output(s);
    text(s, 1, 1001);
    expect(s, SEG(ACK, .seq = 1, .ack = 1001, .len = 0));
    app_reads(s, 0);
}

static void a_duplicate_of_waiting_data_is_acknowledged(void **state)
{
    struct script *s = established(state);

    text(s, 1001, 2001);
    forget_output(s);
    text(s, 1001, 2001);
    expect(s, SEG(ACK, .ack = 1, SACKED(1001, 2001, 1001, 2001))); /* RFC 2883 4.2 */
}

/* RFC 5681 4.2: a segment that fills a hole is acknowledged at once. */
static void filling_a_hole_is_acknowledged_at_once(void **state)
{
    struct script *s = established(state);

    text(s, 1001, 2001);
    text(s, 3001, 4001);
    forget_output(s);
    text(s, 1, 1001);
    expect(s, SEG(ACK, .ack = 2001));
    text(s, 2001, 3001);
    expect(s, SEG(ACK, .ack = 4001));
}

/* The FIN counts only when all before it is here. */
static void a_fin_beyond_a_hole_waits(void **state)
{
    struct script *s = established(state);

    inject(s, SEG(FIN | ACK, .seq = 1001, .len = 500));
    expect(s, SEG(ACK, .ack = 1));
    expect_no_event(s, TCP_EV_FIN);
    expect_state(s, TCP_ESTABLISHED);
    text(s, 1, 1001);
    expect(s, SEG(ACK, .ack = 1502));
    expect_event(s, TCP_EV_FIN | TCP_EV_READABLE);
    expect_state(s, TCP_CLOSE_WAIT);
    app_reads(s, 1500);
}

static void a_bare_fin_beyond_a_hole_waits(void **state)
{
    struct script *s = established(state);

    inject(s, SEG(FIN | ACK, .seq = 1001));
    expect_state(s, TCP_ESTABLISHED);
    text(s, 1, 1001);
    expect_state(s, TCP_CLOSE_WAIT);
    app_reads(s, 1000);
    assert_true(tcp_conn_rx_fin(s->p->conn));
}

/* A peer that sends beyond its FIN cannot extend the stream. */
static void bytes_beyond_a_waiting_fin_are_ignored(void **state)
{
    struct script *s = established(state);

    inject(s, SEG(FIN | ACK, .seq = 1001));
    text(s, 1001, 1201);
    text(s, 1, 1001);
    app_reads(s, 1000);
    app_reads(s, 0);
    expect_state(s, TCP_CLOSE_WAIT);
}

/* A peer that makes as many holes as it can costs bounded memory, and loses nothing. */
static void endless_holes_are_bounded(void **state)
{
    struct script *s = established(state);

    for (int i = 1; i < 20000; i += 2) {
        text(s, 1 + i, 2 + i);
        forget_output(s);
    }
    expect_drop(s, DROP_REASM_FULL);
    for (int i = 0; i < 20; i++)
        text(s, 1 + 1000 * i, 1001 + 1000 * i);
    expect_stream(s, 20000);
}

static void a_large_gap_is_filled_across_a_growing_ring(void **state)
{
    struct script *s = established(state);

    text(s, 60001, 60501);
    for (int i = 0; i < 60; i++)
        text(s, 1 + 1000 * i, 1001 + 1000 * i);
    expect_stream(s, 60500);
}

/* The stream goes on through a ring that is read as it fills. */
static void a_long_stream_wraps_the_ring(void **state)
{
    struct script *s = established(state);

    for (int i = 0; i < 400; i++) {
        text(s, 1001 + 1777 * i, 1778 + 1777 * i);
        text(s, 1 + 1777 * i, 1101 + 1777 * i);
        app_reads(s, 1777);
        forget_output(s);
    }
}

/* Without memory a segment is as if lost: neither kept nor acknowledged. */
static void without_memory_data_are_dropped_and_resent(void **state)
{
    struct script *s = established(state);

    s->out_of_memory = true;
    text(s, 1, 1001);
    expect_drop(s, DROP_NO_MEMORY);
    expect_no_event(s, TCP_EV_READABLE);
    assert_int_equal(info(s).rcv_nxt - s->p->iss, 1);
    s->out_of_memory = false;
    text(s, 1, 1001);
    expect_stream(s, 1000);
}

static const struct CMUnitTest tests[] = {
    SCENARIO(two_segments_in_the_wrong_order),
    SCENARIO(many_segments_backwards),
    SCENARIO(a_segment_that_overlaps_the_left),
    SCENARIO(a_segment_that_overlaps_a_waiting_one),
    SCENARIO(a_segment_inside_a_waiting_one),
    SCENARIO(a_segment_that_covers_several_waiting_ones),
    SCENARIO(a_segment_that_fills_two_holes),
    SCENARIO(a_duplicate_is_acknowledged_and_not_delivered),
    SCENARIO(a_duplicate_of_waiting_data_is_acknowledged),
    SCENARIO(filling_a_hole_is_acknowledged_at_once),
    SCENARIO(a_fin_beyond_a_hole_waits),
    SCENARIO(a_bare_fin_beyond_a_hole_waits),
    SCENARIO(bytes_beyond_a_waiting_fin_are_ignored),
    SCENARIO(endless_holes_are_bounded),
    SCENARIO(a_large_gap_is_filled_across_a_growing_ring),
    SCENARIO(a_long_stream_wraps_the_ring),
    SCENARIO(without_memory_data_are_dropped_and_resent),
};

SCRIPT_MAIN("reassembly", tests)
