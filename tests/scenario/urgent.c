/* SPDX-License-Identifier: BSD-2-Clause */
/* Urgent data: RFC 9293 3.8.5 and RFC 6093. The pointer names the byte behind the urgent one. */
#include "lib/script.h"

/* Bytes from the ring's head to the urgent one, -1: none is. */
static int64_t mark_at(struct script *s)
{
    uint32_t offset;

    return tcp_conn_rx_urgent(s->p->conn, &offset) ? (int64_t)offset : -1;
}

/* ---- sending ---- */

/* MUST-62: it points to the byte behind; the urgent byte is the last of its send. */
static void the_pointer_names_the_byte_behind(void **state)
{
    struct script *s = established(state);

    app_writes_urgent(s, 3);
    expect(s, SEG(ACK | PSH | URG, .seq = 1, .len = 3, .up = 3));
    app_writes(s, 2000);
    expect(s, SEG(ACK, .seq = 4, .len = 1000));
    expect(s, SEG(ACK | PSH, .seq = 1004, .len = 1000));
}

static void every_segment_before_the_mark_points_to_it(void **state)
{
    struct script *s = established(state);

    grow_cwnd(s, 4);
    forget_output(s);
    app_writes_urgent(s, 2500);
    expect(s, SEG(ACK | URG, .len = 1000, .up = 2500));
    expect(s, SEG(ACK | URG, .len = 1000, .up = 1500));
    expect(s, SEG(ACK | PSH | URG, .len = 500, .up = 500));
}

static void a_second_urgent_byte_moves_the_mark(void **state)
{
    struct script *s = established(state);

    app_writes_urgent(s, 10);
    expect(s, SEG(ACK | PSH | URG, .seq = 1, .len = 10, .up = 10));
    app_writes_urgent(s, 5); /* not held back by the small one in flight */
    expect(s, SEG(ACK | PSH | URG, .seq = 11, .len = 5, .up = 5));
    expect_after(s, MS(400), SEG(ACK | URG, .seq = 1, .up = 15)); /* the one mark there is */
}

static void acknowledged_urgent_data_are_urgent_no_more(void **state)
{
    struct script *s = established(state);

    app_writes_urgent(s, 10);
    forget_output(s);
    peer_acks(s, 11);
    peer_sends(s, 1000);
    advance(s, MS(110));
    expect(s, SEG(ACK, .seq = 11, .ack = 1001, .len = 0));
}

static void nagle_and_the_cork_let_it_pass(void **state)
{
    struct script *s = established(state);
    struct tcp_config config = app_config(s);

    app_writes(s, 10);
    expect(s, SEG(ACK | PSH, .len = 10));
    app_writes(s, 10);
    expect_nothing(s);
    app_writes_urgent(s, 1);
    expect(s, SEG(ACK | PSH | URG, .seq = 11, .len = 11, .up = 11));
    config.cork = 1;
    app_configures(s, &config);
    app_writes_urgent(s, 1);
    expect(s, SEG(ACK | PSH | URG, .len = 1, .up = 1));
}

/* The peer is told although it takes no data; and told again by the probes. */
static void it_is_told_into_a_closed_window(void **state)
{
    struct script *s = established(state);

    inject(s, SEG(ACK, .wnd = 0));
    app_writes_urgent(s, 100);
    expect(s, SEG(ACK | URG, .seq = 1, .len = 0, .up = 100));
    expect_nothing(s);
    expect_after(s, MS(400), SEG(ACK | URG, .seq = 1, .len = 1, .up = 100));
    inject(s, SEG(ACK, .ack = 1, .wnd = 60000));
    expect(s, SEG(ACK | PSH | URG, .seq = 1, .len = 100, .up = 100));
}

/* So do bare ACKs while the mark waits for the congestion window. */
static void an_ack_points_to_what_waits(void **state)
{
    struct script *s = established(state);
    int64_t nxt;

    app_writes(s, 20000);
    forget_output(s);
    app_writes_urgent(s, 1);
    nxt = s->p->rcv_nxt;
    expect(s, SEG(ACK | URG, .seq = nxt, .len = 0, .up = 20002 - nxt));
    inject(s, SEG(ACK, .ack = 1, .len = 1000));
    expect(s, SEG(ACK | URG, .seq = nxt, .ack = 1001, .len = 0, .up = 20002 - nxt));
}

/* 16 bits reach no farther: it is told from where it can be. */
static void a_mark_beyond_64_kb_is_told_when_it_is_near(void **state)
{
    struct script *s = script(state);
    struct sent p;

    script_start(s);
    s->config.snd_buf_bytes = 200000;
    opens(s, OFFER_PLAIN);
    inject(s, SEG(ACK, .wnd = 0));
    forget_output(s);
    app_writes_urgent(s, 70000);
    expect_nothing(s);
    inject(s, SEG(ACK, .wnd = 65000));
    for (int64_t seq = 1; seq < 70001;) {
        p = next_sent(s);
        seq = p.seq + p.seg.len;
        assert_int_equal(!!(p.seg.flags & URG), p.seq + 65535 >= 70001);
        if (p.seg.flags & URG)
            assert_int_equal(p.seq + p.seg.up, 70001);
        if (!packets_waiting(s))
            peer_acks(s, seq);
    }
}

/* A pointer is of one segment: the kernel cuts super-frames without moving it. */
static void no_super_frame_is_urgent(void **state)
{
    struct script *s = script(state);
    struct sent p;

    script_start(s);
    offers_gso(s, 16000);
    opens(s, OFFER_PLAIN);
    grow_cwnd(s, 8);
    forget_output(s);
    app_writes_urgent(s, 4000);
    for (int i = 0; i < 4; i++) {
        p = next_sent(s);
        assert_false(p.super);
        assert_int_equal(p.seg.up, 4000 - 1000 * i);
    }
    peer_acks(s, s->p->rcv_nxt);
    app_writes(s, 4000);
    assert_true(next_sent(s).super);
}

static void a_keepalive_behind_urgent_data_is_not_urgent(void **state)
{
    struct script *s = established(state);
    struct tcp_config config = app_config(s);

    app_writes_urgent(s, 1);
    forget_output(s);
    peer_acks(s, 2);
    config.keepalive = 1;
    config.keepalive_ms = 10000;
    app_configures(s, &config);
    expect_after(s, SEC(10), SEG(ACK, .seq = 1, .len = 0));
}

/* ---- receiving ---- */

static void the_mark_is_where_the_peer_put_it(void **state)
{
    struct script *s = established(state);

    inject(s, SEG(ACK | URG, .len = 10, .up = 4));
    expect_event(s, TCP_EV_URGENT | TCP_EV_READABLE);
    assert_int_equal(mark_at(s), 3);
    app_reads(s, 3);
    assert_int_equal(mark_at(s), 0);
    app_reads(s, 1);
    assert_int_equal(mark_at(s), -1);
    app_reads(s, 6);
}

/* MUST-32: whenever it is heard of; the byte may come later. */
static void a_mark_is_announced_before_its_byte(void **state)
{
    struct script *s = established(state);

    inject(s, SEG(ACK | URG, .len = 10, .up = 1010));
    expect_event(s, TCP_EV_URGENT);
    assert_int_equal(mark_at(s), 1009);
    app_reads(s, 10);
    assert_int_equal(mark_at(s), 999);
    inject(s, SEG(ACK | URG, .len = 1000, .up = 1000));
    expect_no_event(s, TCP_EV_URGENT); /* nothing new in it */
    app_reads(s, 999);
    assert_int_equal(mark_at(s), 0);
}

static void a_bare_ack_announces_a_mark(void **state)
{
    struct script *s = established(state);

    inject(s, SEG(ACK | URG, .up = 500));
    expect_event(s, TCP_EV_URGENT);
    assert_int_equal(mark_at(s), 499);
}

static void a_probe_into_our_closed_window_announces_a_mark(void **state)
{
    struct script *s = established(state);
    int64_t nxt;

    peer_fills_window(s);
    forget_output(s);
    nxt = s->p->snd_nxt;
    inject(s, SEG(ACK | URG, .seq = nxt, .len = 1, .up = 30));
    expect_event(s, TCP_EV_URGENT);
    assert_int_equal(mark_at(s), nxt - 1 + 29);
}

static void the_mark_moves_forward_only(void **state)
{
    struct script *s = established(state);

    inject(s, SEG(ACK | URG, .len = 10, .up = 100));
    expect_event(s, TCP_EV_URGENT);
    inject(s, SEG(ACK | URG, .len = 10, .up = 50));
    expect_no_event(s, TCP_EV_URGENT);
    assert_int_equal(mark_at(s), 99);
    inject(s, SEG(ACK | URG, .len = 10, .up = 100));
    expect_event(s, TCP_EV_URGENT);
    assert_int_equal(mark_at(s), 119);
}

static void an_old_pointer_is_ignored(void **state)
{
    struct script *s = established(state);

    peer_sends(s, 1000);
    app_reads(s, 1000);
    inject(s, SEG(ACK | URG, .seq = 1, .len = 1000, .up = 1000));
    inject(s, SEG(ACK | URG, .seq = 1001, .up = 0));
    expect_no_event(s, TCP_EV_URGENT);
    assert_int_equal(mark_at(s), -1);
}

static void without_the_flag_the_field_means_nothing(void **state)
{
    struct script *s = established(state);

    inject(s, SEG(ACK, .len = 10, .up = 5));
    expect_no_event(s, TCP_EV_URGENT);
    assert_int_equal(mark_at(s), -1);
}

static void an_urgent_segment_out_of_order_is_kept_with_its_mark(void **state)
{
    struct script *s = established(state);

    inject(s, SEG(ACK | URG, .seq = 1001, .len = 1000, .up = 1000));
    expect_event(s, TCP_EV_URGENT);
    assert_int_equal(mark_at(s), 1999);
    inject(s, SEG(ACK, .seq = 1, .len = 1000));
    assert_int_equal(mark_at(s), 1999);
    app_reads(s, 1999);
    assert_int_equal(mark_at(s), 0);
    app_reads(s, 1);
}

static void a_fin_behind_the_mark_does_not_move_it(void **state)
{
    struct script *s = established(state);

    inject(s, SEG(FIN | ACK | URG, .len = 10, .up = 10));
    assert_int_equal(mark_at(s), 9);
    app_reads(s, 9);
    assert_int_equal(mark_at(s), 0);
    app_reads(s, 1);
    assert_int_equal(mark_at(s), -1);
}

/* 3.10.7.4, sixth: behind the FIN there can be none. */
static void after_their_fin_it_is_ignored(void **state)
{
    struct script *s = in_state(state, TCP_CLOSE_WAIT);

    inject(s, SEG(ACK | URG, .up = 100));
    expect_no_event(s, TCP_EV_URGENT);
}

static const struct CMUnitTest tests[] = {
    SCENARIO(the_pointer_names_the_byte_behind),
    SCENARIO(every_segment_before_the_mark_points_to_it),
    SCENARIO(a_second_urgent_byte_moves_the_mark),
    SCENARIO(acknowledged_urgent_data_are_urgent_no_more),
    SCENARIO(nagle_and_the_cork_let_it_pass),
    SCENARIO(it_is_told_into_a_closed_window),
    SCENARIO(an_ack_points_to_what_waits),
    SCENARIO(a_mark_beyond_64_kb_is_told_when_it_is_near),
    SCENARIO(no_super_frame_is_urgent),
    SCENARIO(a_keepalive_behind_urgent_data_is_not_urgent),
    SCENARIO(the_mark_is_where_the_peer_put_it),
    SCENARIO(a_mark_is_announced_before_its_byte),
    SCENARIO(a_bare_ack_announces_a_mark),
    SCENARIO(a_probe_into_our_closed_window_announces_a_mark),
    SCENARIO(the_mark_moves_forward_only),
    SCENARIO(an_old_pointer_is_ignored),
    SCENARIO(without_the_flag_the_field_means_nothing),
    SCENARIO(an_urgent_segment_out_of_order_is_kept_with_its_mark),
    SCENARIO(a_fin_behind_the_mark_does_not_move_it),
    SCENARIO(after_their_fin_it_is_ignored),
};

SCRIPT_MAIN("urgent", tests)
