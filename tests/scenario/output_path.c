/* SPDX-License-Identifier: BSD-2-Clause */
/* How packets leave: super-frames, what could not be sent, memory, buffers. design.md 3 and 5. */
#include "lib/script.h"

static struct script *with_gso(void **state)
{
    struct script *s = script(state);

    script_start(s);
    offers_gso(s, 65400);
    s->config.init_cwnd_segs = 16;
    return opens(s, OFFER_PLAIN);
}

static void a_super_frame_carries_many_segments(void **state)
{
    struct script *s = with_gso(state);
    struct sent p;

    app_writes(s, 16000);
    p = next_sent(s);
    assert_true(p.super);
    assert_int_equal(p.gso_size, 1000);
    assert_int_equal(p.seg.len, 16000);
    assert_true(p.good_payload);
    expect_nothing(s);
}

static void one_segment_is_no_super_frame(void **state)
{
    struct script *s = with_gso(state);
    struct sent p;

    app_writes(s, 1000);
    p = next_sent(s);
    assert_false(p.super);
    assert_int_equal(p.seg.len, 1000);
}

/* lessons.md: below the limit, a multiple of the MSS. */
static void a_super_frame_stays_below_the_limit(void **state)
{
    struct script *s = script(state);
    int64_t total = 0;

    script_start(s);
    offers_gso(s, 10500);
    s->config.init_cwnd_segs = 16;
    opens(s, OFFER_PLAIN);
    app_writes(s, 16000);
    while (packets_waiting(s)) {
        struct sent p = next_sent(s);

        assert_true(p.seg.len + 54 + 20 <= 10500 || p.seg.len <= 1000);
        assert_true(p.seg.len % 1000 == 0);
        total += p.seg.len;
    }
    assert_int_equal(total, 16000);
}

static void a_super_frame_obeys_the_window(void **state)
{
    struct script *s = with_gso(state);

    inject(s, SEG(ACK, .wnd = 5000));
    app_writes(s, 16000);
    assert_int_equal(next_sent(s).seg.len, 5000);
    expect_nothing(s);
}

static void without_gso_every_segment_is_its_own_packet(void **state)
{
    struct script *s = established(state);

    app_writes(s, 4000);
    assert_int_equal(forget_output(s), 4);
}

/* The ring wraps under a long stream; every byte is checked as it leaves. */
static void a_long_stream_wraps_the_send_ring(void **state)
{
    struct script *s = with_gso(state);
    int64_t total = 0;

    while (total < 1000000) {
        int64_t n = app_writes_some(s, 7777);

        total += n;
        while (packets_waiting(s))
            assert_true(next_sent(s).good_payload);
        peer_acks(s, s->p->rcv_nxt);
    }
    assert_true(s->p->rcv_nxt >= 900000);
}

/* engine.h unsent: -EAGAIN: the same packet again, and nothing was learned from it. */
static void what_the_device_refused_is_sent_again(void **state)
{
    struct script *s = established(state);
    struct tcp_conn_info before = info(s);

    app_writes(s, 1000);
    expect(s, SEG(ACK | PSH, .seq = 1, .len = 1000));
    tcp_engine_unsent(s->e, &s->last_packet, -EAGAIN, s->now);
    assert_false(tcp_engine_has_packets(s->e, s->now));
    tcp_engine_resume(s->e);
    assert_true(tcp_engine_has_packets(s->e, s->now));
    settle(s);
    expect(s, SEG(ACK | PSH, .seq = 1, .len = 1000));
    assert_int_equal(info(s).cwnd, before.cwnd);
    assert_int_equal(info(s).retrans_segs, 0);
    peer_acks(s, 1001);
    assert_int_equal(info(s).backoff, 0);
}

/* ... or after 1 ms. */
static void without_a_word_it_is_tried_again_after_a_millisecond(void **state)
{
    struct script *s = established(state);

    app_writes(s, 1000);
    forget_output(s);
    tcp_engine_unsent(s->e, &s->last_packet, -ENOBUFS, s->now);
    settle(s);
    expect_nothing(s);
    expect_within(s, 0, MS(5), SEG(ACK | PSH, .seq = 1, .len = 1000));
}

static void a_refused_fin_and_a_refused_syn_are_sent_again(void **state)
{
    struct script *s = script(state);

    script_start(s);
    assert_int_equal(connects(s), 0);
    expect(s, SEG(SYN, .seq = 0));
    tcp_engine_unsent(s->e, &s->last_packet, -EAGAIN, s->now);
    expect_within(s, 0, MS(5), SEG(SYN, .seq = 0));
    inject(s, SEG(SYN | ACK, .seq = 0, .ack = 1));
    forget_output(s);
    app_shuts(s);
    expect(s, SEG(FIN | ACK, .seq = 1));
    tcp_engine_unsent(s->e, &s->last_packet, -EAGAIN, s->now);
    expect_within(s, 0, MS(5), SEG(FIN | ACK, .seq = 1));
}

static void a_refused_ack_is_sent_again(void **state)
{
    struct script *s = established(state);

    inject(s, SEG(ACK, .seq = 1001, .len = 1000));
    expect(s, SEG(ACK, .ack = 1));
    tcp_engine_unsent(s->e, &s->last_packet, -EAGAIN, s->now);
    expect_within(s, 0, MS(5), SEG(ACK, .ack = 1));
}

/* SO_SNDBUF: no more than this is buffered. */
static void the_send_buffer_is_bounded(void **state)
{
    struct script *s = script(state);
    int64_t first;

    script_start(s);
    s->config.snd_buf_bytes = 16384;
    s->config.snd_buf_fixed = 1;
    opens(s, OFFER_PLAIN);
    first = app_writes_some(s, 1000000);
    assert_int_equal(first, 16384);
    s->p->events = 0;
    forget_output(s);
    peer_acks(s, 4001);
    expect_event(s, TCP_EV_WRITABLE);
    assert_int_equal(app_writes_some(s, 1000000), 4000);
}

/* design.md 7: space freed by an ACK is offered only after the commit. */
static void freed_space_waits_for_the_commit(void **state)
{
    struct script *s = script(state);
    struct iovec iov[2];
    struct packet pkt = { 0 };
    uint8_t buf[100];

    script_start(s);
    s->config.snd_buf_bytes = 16384;
    s->config.snd_buf_fixed = 1;
    opens(s, OFFER_PLAIN);
    app_writes_some(s, 1000000);
    forget_output(s);
    pkt = (struct packet){ .src = script_flow(s, s->p).remote, .dst = script_flow(s, s->p).local,
                           .ifindex = 2, .ttl = 64, .seg = buf };
    pkt.seg_len = script_build(s, SEG(ACK, .ack = 4001), buf, sizeof(buf));
    tcp_engine_receive(s->e, &pkt, s->now);
    assert_int_equal(tcp_conn_tx_space(s->p->conn, 1000, iov), 0);
    settle(s);
    assert_int_equal(tcp_conn_tx_space(s->p->conn, 4000, iov), 4000);
}

/* No memory for a send ring: nothing can be written now, and all is well later. */
static void without_memory_nothing_can_be_written(void **state)
{
    struct script *s = established(state);
    struct iovec iov[2];

    s->out_of_memory = true;
    assert_int_equal(tcp_conn_tx_space(s->p->conn, 1000, iov), 0);
    s->out_of_memory = false;
    app_writes(s, 1000);
    expect(s, SEG(ACK | PSH, .seq = 1, .len = 1000));
}

/* design.md 8: an idle connection holds no ring. */
static void idle_rings_are_given_back(void **state)
{
    struct script *s = established(state);

    assert_int_equal(s->mem_balance, 0);
    app_writes(s, 4000);
    peer_acks(s, 4001);
    peer_sends(s, 1000);
    app_reads(s, 1000);
    advance(s, SEC(100));
    assert_int_equal(s->mem_balance, 0);
}

/* style.md 1: an idle engine asks for no wake-up. */
static void an_idle_connection_needs_no_timer(void **state)
{
    struct script *s = established(state);

    app_writes(s, 100);
    peer_acks(s, 101);
    peer_sends(s, 100);
    app_reads(s, 100);
    advance(s, SEC(100));
    assert_true(tcp_engine_deadline(s->e) == USEC_NEVER);
}

/* Round robin: a connection with much to send does not starve the others. */
static void connections_take_turns(void **state)
{
    struct script *s = established(state);
    struct peer *first = s->p, *second;
    struct iovec iov[2];
    unsigned turns = 0;
    struct peer *last = NULL;

    second = peer_add(s);
    opens(s, OFFER_PLAIN);
    for (int i = 0; i < 2; i++) {
        struct peer *p = i ? second : first;
        uint32_t room = tcp_conn_tx_space(p->conn, 4000, iov);

        assert_true(room >= 4000 && iov[0].iov_len >= 4000);
        for (int k = 0; k < 4000; k++)
            ((uint8_t *)iov[0].iov_base)[k] = script_pattern(true, k);
        tcp_conn_tx_commit(p->conn, 4000, false, s->now);
    }
    settle(s);
    while (packets_waiting(s)) {
        struct sent p = next_sent(s);

        turns += p.peer != last;
        last = p.peer;
    }
    assert_true(turns >= 6);
}

static const struct CMUnitTest tests[] = {
    SCENARIO(a_super_frame_carries_many_segments),
    SCENARIO(one_segment_is_no_super_frame),
    SCENARIO(a_super_frame_stays_below_the_limit),
    SCENARIO(a_super_frame_obeys_the_window),
    SCENARIO(without_gso_every_segment_is_its_own_packet),
    SCENARIO(a_long_stream_wraps_the_send_ring),
    SCENARIO(what_the_device_refused_is_sent_again),
    SCENARIO(without_a_word_it_is_tried_again_after_a_millisecond),
    SCENARIO(a_refused_fin_and_a_refused_syn_are_sent_again),
    SCENARIO(a_refused_ack_is_sent_again),
    SCENARIO(the_send_buffer_is_bounded),
    SCENARIO(freed_space_waits_for_the_commit),
    SCENARIO(without_memory_nothing_can_be_written),
    SCENARIO(idle_rings_are_given_back),
    SCENARIO(an_idle_connection_needs_no_timer),
    SCENARIO(connections_take_turns),
};

SCRIPT_MAIN("output_path", tests)
