/* SPDX-License-Identifier: BSD-2-Clause */
/* What is counted, and how often: RFC 4022, and what illumos adds. */
#include "lib/script.h"

static struct tcp_counters before;

static void from_here(struct script *s)
{
    before = *tcp_engine_counters(s->e);
}

#define ROSE(s, field, n)                                                                          \
    assert_int_equal(tcp_engine_counters((s)->e)->field - before.field, n)

static struct script *counted(void **state)
{
    struct script *s = established(state);

    from_here(s);
    return s;
}

/* ---- opens and ends ---- */

static void an_active_open(void **state)
{
    struct script *s = script(state);

    script_start(s);
    from_here(s);
    opens(s, OFFER_PLAIN);
    ROSE(s, active_opens, 1);
    ROSE(s, passive_opens, 0);
    ROSE(s, curr_estab, 1);
    ROSE(s, in_segs, 1);
    ROSE(s, out_segs, 2);
    ROSE(s, out_control, 1);
    ROSE(s, out_ack, 1);
    ROSE(s, rtt_update, 1);
}

static void a_passive_open(void **state)
{
    struct script *s = script(state);

    listens(s, 5);
    from_here(s);
    peer_opens(s, OFFER_PLAIN);
    ROSE(s, passive_opens, 1);
    ROSE(s, active_opens, 0);
    ROSE(s, curr_estab, 1);
    ROSE(s, in_segs, 2);
    ROSE(s, out_segs, 1);
}

static void opens_that_fail(void **state)
{
    struct script *s = syn_sent(state);

    from_here(s);
    inject(s, SEG(RST | ACK, .ack = 1));
    ROSE(s, attempt_fails, 1);
    ROSE(s, estab_resets, 0);
    peer_add(s);
    listens(s, 5);
    inject(s, SEG(SYN));
    advance(s, SEC(400));
    ROSE(s, attempt_fails, 2);
    ROSE(s, half_open_drop, 1);
    ROSE(s, tim_retrans_drop, 1);
}

static void a_connection_that_is_reset(void **state)
{
    struct script *s = counted(state);

    inject(s, SEG(RST | ACK, .seq = 1));
    ROSE(s, estab_resets, 1);
    ROSE(s, curr_estab, (uint64_t)-1);
    ROSE(s, attempt_fails, 0);
}

static void a_connection_that_ends_in_order(void **state)
{
    struct script *s = counted(state);

    inject(s, SEG(FIN | ACK));
    app_closes(s);
    inject(s, SEG(ACK));
    ROSE(s, estab_resets, 0);
    ROSE(s, curr_estab, (uint64_t)-1);
    ROSE(s, out_control, 1); /* our FIN */
}

static void a_reset_that_is_sent(void **state)
{
    struct script *s = counted(state);

    app_aborts(s);
    ROSE(s, out_rsts, 1);
    ROSE(s, out_control, 1);
    ROSE(s, out_segs, 1);
}

/* ---- the sender ---- */

static void data_that_are_sent(void **state)
{
    struct script *s = counted(state);

    app_writes(s, 2500);
    ROSE(s, out_data_segs, 3);
    ROSE(s, out_data_bytes, 2500);
    ROSE(s, out_segs, 3);
    ROSE(s, out_ack, 0);
    peer_acks(s, 2501);
    ROSE(s, in_ack_segs, 1);
    ROSE(s, in_ack_bytes, 2500);
    ROSE(s, rtt_update, 1);
    ROSE(s, in_win_update, 0);
}

static void a_super_frame_is_as_many_segments_as_it_holds(void **state)
{
    struct script *s = script(state);

    script_start(s);
    offers_gso(s, 16000);
    opens(s, OFFER_PLAIN);
    grow_cwnd(s, 10);
    from_here(s);
    app_writes(s, 4500);
    ROSE(s, out_data_segs, 5);
    ROSE(s, out_segs, 5);
    assert_true(packets_waiting(s) < 5);
}

/* RFC 4022: tcpOutSegs leaves out what is only retransmitted. */
static void a_retransmission(void **state)
{
    struct script *s = counted(state);

    app_writes(s, 1000);
    advance(s, MS(500));
    ROSE(s, retrans_segs, 1);
    ROSE(s, retrans_bytes, 1000);
    ROSE(s, out_segs, 1);
    ROSE(s, out_data_segs, 1);
    ROSE(s, tim_retrans, 1);
    peer_acks(s, 1001);
    ROSE(s, rtt_update, 0);
    ROSE(s, rtt_no_update, 1);
}

static void a_syn_that_is_sent_again(void **state)
{
    struct script *s = syn_sent(state);

    from_here(s);
    advance(s, MS(1100));
    ROSE(s, retrans_segs, 1);
    ROSE(s, out_segs, 0);
}

static void a_fast_retransmit(void **state)
{
    struct script *s = established(state);

    grow_cwnd(s, 8);
    app_writes(s, 8000);
    from_here(s);
    for (int i = 2; i <= 4; i++)
        inject(s, SEG(ACK, .ack = s->p->rcv_nxt - 8000,
                      SACKED(s->p->rcv_nxt - 7000, s->p->rcv_nxt - 8000 + 1000 * i)));
    ROSE(s, in_dup_ack, 3);
    ROSE(s, out_fast_retrans, 1);
    ROSE(s, out_sack_retrans, 1);
    ROSE(s, sack_recoveries, 1);
}

static void windows_and_probes(void **state)
{
    struct script *s = counted(state);

    inject(s, SEG(ACK, .wnd = 0));
    ROSE(s, in_win_update, 1);
    app_writes(s, 1000);
    advance(s, MS(500));
    ROSE(s, out_win_probe, 1);
    inject(s, SEG(ACK, .ack = 1, .wnd = 60000));
    ROSE(s, in_win_update, 2);
}

static void our_window(void **state)
{
    struct script *s = established(state);

    peer_fills_window(s);
    from_here(s);
    inject(s, SEG(ACK, .seq = s->p->snd_nxt, .len = 1, .garbage = true));
    ROSE(s, in_win_probe, 1);
    app_reads_all(s);
    ROSE(s, out_win_update, 1);
    ROSE(s, out_ack, 2);
}

static void keepalives(void **state)
{
    struct script *s = counted(state);
    struct tcp_config config = app_config(s);

    config.keepalive = 1;
    config.keepalive_ms = 10000;
    config.keepalive_abort_ms = 5000;
    app_configures(s, &config);
    advance(s, MS(10100));
    ROSE(s, tim_keepalive, 1);
    ROSE(s, tim_keepalive_probe, 1);
    advance(s, SEC(20));
    ROSE(s, tim_keepalive_drop, 1);
}

static void urgent_segments(void **state)
{
    struct script *s = counted(state);

    app_writes_urgent(s, 1500);
    ROSE(s, out_urg, 2);
}

/* ---- the receiver ---- */

static void data_in_order_and_out_of_it(void **state)
{
    struct script *s = counted(state);

    inject(s, SEG(ACK, .seq = 1, .len = 1000));
    ROSE(s, in_data_inorder_segs, 1);
    ROSE(s, in_data_inorder_bytes, 1000);
    inject(s, SEG(ACK, .seq = 2001, .len = 500));
    ROSE(s, in_data_unorder_segs, 1);
    ROSE(s, in_data_unorder_bytes, 500);
    inject(s, SEG(ACK, .seq = 1, .len = 1000));
    ROSE(s, in_data_dup_segs, 1);
    ROSE(s, in_data_dup_bytes, 1000);
    inject(s, SEG(ACK, .seq = 501, .len = 1000));
    ROSE(s, in_data_part_dup_segs, 1);
    ROSE(s, in_data_part_dup_bytes, 500);
    ROSE(s, in_data_inorder_segs, 2);
    ROSE(s, in_data_inorder_bytes, 1500);
}

static void data_beyond_the_window(void **state)
{
    struct script *s = counted(state);

    inject(s, SEG(ACK, .seq = s->p->right_edge + 100, .len = 700, .garbage = true));
    ROSE(s, in_data_past_win_segs, 1);
    ROSE(s, in_data_past_win_bytes, 700);
}

static void delayed_acks(void **state)
{
    struct script *s = established(state);

    peer_sends(s, 1000); /* the first is acknowledged at once */
    peer_sends(s, 1000);
    peer_sends(s, 1000);
    advance(s, MS(200));
    from_here(s);
    peer_sends(s, 1000);
    advance(s, MS(200));
    ROSE(s, out_ack, 1);
    ROSE(s, out_ack_delayed, 1);
}

static void acks_of_what_was_never_sent(void **state)
{
    struct script *s = counted(state);

    inject(s, SEG(ACK, .ack = 5000));
    ROSE(s, in_ack_unsent, 1);
    ROSE(s, challenge_acks, 1);
}

static void data_for_a_closed_program(void **state)
{
    struct script *s = counted(state);

    app_closes(s);
    inject(s, SEG(ACK, .len = 100, .garbage = true));
    ROSE(s, in_closed, 1);
}

static void segments_in_error(void **state)
{
    struct script *s = counted(state);

    inject(s, SEG(ACK, .bad_csum = true));
    ROSE(s, in_errs, 1);
    ROSE(s, in_segs, 1);
}

static void listeners_that_are_full(void **state)
{
    struct script *s = script(state);

    s->tun.syn_cookies = 0;
    s->tun.conn_req_max_q0 = 0;
    script_start(s);
    s->leave_backlog = true;
    listens(s, 1);
    from_here(s);
    inject(s, SEG(SYN));
    peer_add(s);
    inject(s, SEG(SYN));
    ROSE(s, listen_drop_q0, 1);
    peer_use(s, &s->peers[0]);
    inject(s, SEG(ACK, .seq = 1));
    peer_add(s);
    inject(s, SEG(SYN));
    ROSE(s, listen_drop, 1);
}

static const struct CMUnitTest tests[] = {
    SCENARIO(an_active_open),
    SCENARIO(a_passive_open),
    SCENARIO(opens_that_fail),
    SCENARIO(a_connection_that_is_reset),
    SCENARIO(a_connection_that_ends_in_order),
    SCENARIO(a_reset_that_is_sent),
    SCENARIO(data_that_are_sent),
    SCENARIO(a_super_frame_is_as_many_segments_as_it_holds),
    SCENARIO(a_retransmission),
    SCENARIO(a_syn_that_is_sent_again),
    SCENARIO(a_fast_retransmit),
    SCENARIO(windows_and_probes),
    SCENARIO(our_window),
    SCENARIO(keepalives),
    SCENARIO(urgent_segments),
    SCENARIO(data_in_order_and_out_of_it),
    SCENARIO(data_beyond_the_window),
    SCENARIO(delayed_acks),
    SCENARIO(acks_of_what_was_never_sent),
    SCENARIO(data_for_a_closed_program),
    SCENARIO(segments_in_error),
    SCENARIO(listeners_that_are_full),
};

SCRIPT_MAIN("counters", tests)
