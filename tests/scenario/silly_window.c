/* SPDX-License-Identifier: BSD-2-Clause */
/* Silly window avoidance of both sides, and honest windows: RFC 9293 3.8.6.2, design.md 4. */
#include "lib/script.h"

static struct script *small_buffer(void **state)
{
    struct script *s = script(state);

    script_start(s);
    s->config.rcv_buf_bytes = 16000;
    s->config.rcv_buf_fixed = 1;
    return opens(s, OFFER_PLAIN);
}

/* 3.8.6.2.1: less than a segment, while more waits, is not sent at once ... */
static void a_small_window_is_not_filled_at_once(void **state)
{
    struct script *s = established(state);

    inject(s, SEG(ACK, .wnd = 100));
    app_writes(s, 1000);
    expect_nothing(s);
    /* ... but the override timeout (0.1 to 1 s) sends it. */
    expect_within(s, MS(90), MS(1100), SEG(ACK, .seq = 1));
}

/* Condition (1): a full segment fits. */
static void a_window_of_one_segment_is_used(void **state)
{
    struct script *s = established(state);

    inject(s, SEG(ACK, .wnd = 1000));
    app_writes(s, 1500);
    expect(s, SEG(ACK, .seq = 1, .len = 1000));
    expect_nothing(s);
}

/* Condition (2): all that is queued fits. */
static void a_small_window_that_takes_all_is_used(void **state)
{
    struct script *s = established(state);

    inject(s, SEG(ACK, .wnd = 100));
    app_writes(s, 100);
    expect(s, SEG(ACK | PSH, .seq = 1, .len = 100));
}

/* Condition (3): half of the largest window ever offered. */
static void half_the_largest_window_is_used(void **state)
{
    struct script *s = script(state);

    script_start(s);
    s->p->wnd_bytes = 1600;
    opens(s, OFFER_PLAIN);
    inject(s, SEG(ACK, .wnd = 800));
    app_writes(s, 3000);
    expect(s, SEG(ACK, .seq = 1, .len = 800));
}

/* 3.8.6.2.2: the receiver does not open the window by crumbs. */
static void a_small_read_opens_no_window(void **state)
{
    struct script *s = small_buffer(state);

    peer_fills_window(s);
    app_reads(s, 100);
    expect_nothing(s);
    inject(s, SEG(ACK, .seq = s->p->snd_nxt - 1, .len = 0)); /* a probe */
    expect(s, SEG(ACK, .wnd = 0));
}

static void a_large_read_announces_the_window(void **state)
{
    struct script *s = small_buffer(state);

    peer_fills_window(s);
    app_reads(s, 9000);
    expect(s, SEG(ACK, .ack = s->p->snd_nxt, .len = 0));
    assert_true(s->p->right_edge >= s->p->snd_nxt + 1000);
}

/* Two segments opened at least: no update for each read while the window is wide. */
static void a_wide_window_is_not_announced_again_and_again(void **state)
{
    struct script *s = established(state);
    unsigned updates;

    for (int i = 0; i < 20; i++)
        peer_sends(s, 500);
    advance(s, MS(200));
    forget_output(s);
    for (int i = 0; i < 100; i++)
        app_reads(s, 100);
    updates = forget_output(s);
    assert_true(updates <= 10);
}

/* RFC 9293 3.8.6: the offered right edge never moves back. */
static void a_smaller_buffer_takes_no_offer_back(void **state)
{
    struct script *s = established(state);
    struct tcp_config config = app_config(s);
    int64_t edge = s->p->right_edge;
    struct sent p;

    config.rcv_buf_bytes = 4000;
    config.rcv_buf_fixed = 1;
    app_configures(s, &config);
    peer_sends(s, 1000);
    peer_sends(s, 1000);
    advance(s, MS(200));
    while (packets_waiting(s)) {
        p = next_sent(s);
        assert_true(p.ack + p.wnd_bytes >= edge);
    }
}

static void what_was_offered_is_taken_after_a_shrink(void **state)
{
    struct script *s = established(state);
    struct tcp_config config = app_config(s);
    int64_t edge = s->p->right_edge, at;

    config.rcv_buf_bytes = 4000;
    config.rcv_buf_fixed = 1;
    app_configures(s, &config);
    for (at = 1; at + 1000 <= edge; at += 1000)
        inject(s, SEG(ACK, .seq = at, .len = 1000));
    assert_int_equal(info(s).rcv_nxt - s->p->iss, at);
}

/* design.md 4: bytes moved to the program but not read by it still count. */
static void hidden_bytes_keep_the_window_closed(void **state)
{
    struct script *s = small_buffer(state);
    int64_t edge;

    peer_fills_window(s);
    edge = s->p->right_edge;
    app_takes(s, edge - 1);
    expect_nothing(s);
    inject(s, SEG(ACK, .seq = s->p->snd_nxt - 1));
    expect(s, SEG(ACK, .wnd = 0));
    assert_int_equal(tcp_conn_rx_hidden(s->p->conn), edge - 1);
    app_releases(s, edge - 1);
    expect(s, SEG(ACK, .ack = edge, .len = 0));
    assert_true(s->p->right_edge > edge);
}

/* A reader that has stopped bounds what is buffered. */
static void a_reader_that_stops_bounds_the_buffer(void **state)
{
    struct script *s = established(state);
    int64_t total = 0;

    for (int i = 0; i < 3000 && s->p->snd_nxt < s->p->right_edge; i++) {
        int64_t n = MIN((int64_t)1000, s->p->right_edge - s->p->snd_nxt);

        peer_sends(s, n);
        total += n;
    }
    assert_true(total <= s->tun.max_buf);
    advance(s, MS(200));
    forget_output(s);
    app_reads(s, total);
    assert_true(forget_output(s) >= 1);
}

static const struct CMUnitTest tests[] = {
    SCENARIO(a_small_window_is_not_filled_at_once),
    SCENARIO(a_window_of_one_segment_is_used),
    SCENARIO(a_small_window_that_takes_all_is_used),
    SCENARIO(half_the_largest_window_is_used),
    SCENARIO(a_small_read_opens_no_window),
    SCENARIO(a_large_read_announces_the_window),
    SCENARIO(a_wide_window_is_not_announced_again_and_again),
    SCENARIO(a_smaller_buffer_takes_no_offer_back),
    SCENARIO(what_was_offered_is_taken_after_a_shrink),
    SCENARIO(hidden_bytes_keep_the_window_closed),
    SCENARIO(a_reader_that_stops_bounds_the_buffer),
};

SCRIPT_MAIN("silly_window", tests)
