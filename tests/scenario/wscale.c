/* SPDX-License-Identifier: BSD-2-Clause */
/* Window scale: RFC 7323 2. */
#include "lib/script.h"

/* design.md 6: the scale fits the largest buffer that auto-tuning may reach. */
static void the_offered_scale_fits_the_largest_buffer(void **state)
{
    struct script *s = syn_sent(state);

    assert_true(s->p->our_wscale != NONE);
    assert_true((65535ull << s->p->our_wscale) >= s->tun.max_buf);
    assert_true(s->p->our_wscale == 0 ||
                (65535ull << (s->p->our_wscale - 1)) < s->tun.max_buf);
}

/* 2.2: the window of a SYN is never scaled. */
static void the_window_of_our_syn_is_not_scaled(void **state)
{
    struct script *s = script(state);

    script_start(s);
    s->config.rcv_buf_bytes = 20000;
    s->config.rcv_buf_fixed = 1;
    assert_int_equal(connects(s), 0);
    assert_in_range(next_sent(s).seg.wnd, 16000, 20000 + 1460);
}

static void the_window_of_the_peers_syn_ack_is_not_scaled(void **state)
{
    struct script *s = syn_sent(state);

    s->p->offer = OFFER_SCALED;
    inject(s, SEG(SYN | ACK, .seq = 0, .ack = 1, .wnd = 5000));
    assert_int_equal(info(s).snd_wnd, 5000);
}

static void later_windows_of_the_peer_are_scaled(void **state)
{
    struct script *s = established_with(state, OFFER_SCALED);

    inject(s, SEG(ACK, .wnd = 1280000));
    assert_int_equal(info(s).snd_wnd, 1280000);
    assert_int_equal(info(s).snd_wscale, 7);
}

/* 2.2: only if both SYNs carry it. */
static void without_the_peers_option_nothing_is_scaled(void **state)
{
    struct script *s = established(state);

    inject(s, SEG(ACK, .wnd = 50000));
    assert_int_equal(info(s).snd_wnd, 50000);
    assert_int_equal(info(s).snd_wscale, 0);
    assert_int_equal(info(s).rcv_wscale, 0);
    peer_sends(s, 1000);
    peer_sends(s, 1000);
    assert_true(info(s).rcv_wnd <= 65535);
}

/* 2.3: a shift above 14 is used as 14. */
static void a_shift_above_14_counts_as_14(void **state)
{
    struct script *s = established_with(state, (struct offer){ .mss = 1000, .wscale = 200 });

    assert_int_equal(info(s).snd_wscale, 14);
}

static void our_windows_are_scaled(void **state)
{
    struct script *s = script(state);

    s->tun.recv_buf = 1000000;
    opens(s, OFFER_SCALED);
    peer_sends(s, 1000);
    peer_sends(s, 1000);
    advance(s, MS(200));
    assert_true(info(s).rcv_wscale > 0);
    assert_true(s->p->right_edge > 65535 + 2001);
}

/* _wscale_always=0: only for a buffer over 65,535 that was asked for. */
static void it_can_be_left_out_for_small_buffers(void **state)
{
    struct script *s = script(state);

    s->tun.wscale_always = 0;
    s->tun.recv_buf = 60000;
    script_start(s);
    assert_int_equal(connects(s), 0);
    expect(s, SEG(SYN, .wscale = NONE));
}

static void a_syn_ack_scales_only_in_answer(void **state)
{
    struct script *s = listening(state);

    peer_opens(s, OFFER_SCALED);
    assert_true(s->p->our_wscale != NONE);
    peer_add(s);
    s->p->offer = OFFER_PLAIN;
    inject(s, SEG(SYN));
    expect(s, SEG(SYN | ACK, .wscale = NONE));
}

/* 2.3: and the final ACK of the handshake is scaled already. */
static void the_handshakes_ack_is_scaled(void **state)
{
    struct script *s = listening(state);

    s->p->wnd_bytes = 256000;
    peer_opens(s, OFFER_SCALED);
    assert_int_equal(info(s).snd_wnd, 256000);
}

static const struct CMUnitTest tests[] = {
    SCENARIO(the_offered_scale_fits_the_largest_buffer),
    SCENARIO(the_window_of_our_syn_is_not_scaled),
    SCENARIO(the_window_of_the_peers_syn_ack_is_not_scaled),
    SCENARIO(later_windows_of_the_peer_are_scaled),
    SCENARIO(without_the_peers_option_nothing_is_scaled),
    SCENARIO(a_shift_above_14_counts_as_14),
    SCENARIO(our_windows_are_scaled),
    SCENARIO(it_can_be_left_out_for_small_buffers),
    SCENARIO(a_syn_ack_scales_only_in_answer),
    SCENARIO(the_handshakes_ack_is_scaled),
};

SCRIPT_MAIN("wscale", tests)
