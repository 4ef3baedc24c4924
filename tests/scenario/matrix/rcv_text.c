/* SPDX-License-Identifier: BSD-2-Clause */
/* Segment text in every state: RFC 9293 3.10.7.4 first and seventh. */
#include "matrix.h"

/* The peer's ACK field: our FIN is acknowledged only where the state says so. */
static int64_t acked_in(const struct script *s, enum tcp_state st)
{
    bool open_fin = st == TCP_FIN_WAIT_1 || st == TCP_CLOSING || st == TCP_LAST_ACK;

    return s->p->rcv_nxt - open_fin;
}

static void text_is_delivered(struct script *s, enum tcp_state st)
{
    int64_t rcv_nxt = s->p->snd_nxt;

    inject(s, SEG(ACK | PSH, .len = 100, .ack = acked_in(s, st)));
    expect_event(s, TCP_EV_READABLE);
    app_reads(s, 100);
    advance(s, MS(200));
    expect(s, SEG(ACK, .ack = rcv_nxt + 100));
    expect_state(s, st);
}

/* "This should not occur since a FIN has been received": ignored. */
static void text_beyond_the_fin_is_ignored(struct script *s, enum tcp_state st)
{
    inject(s, SEG(ACK | PSH, .len = 100, .ack = acked_in(s, st)));
    expect_no_event(s, TCP_EV_READABLE);
    forget_output(s);
    expect_state(s, st);
}

static void text_beyond_the_window_is_acknowledged_and_dropped(struct script *s, enum tcp_state st)
{
    int64_t snd_nxt = s->p->rcv_nxt, rcv_nxt = s->p->snd_nxt;

    inject(s, SEG(ACK, .seq = rcv_nxt + 10000000, .len = 10, .ack = acked_in(s, st)));
    expect_plain_ack(s, snd_nxt, rcv_nxt);
    expect_drop(s, DROP_WINDOW);
    expect_no_event(s, TCP_EV_READABLE);
    expect_state(s, st);
}

/* The keep-alive shape of a peer: an old byte, or none, just below RCV.NXT. */
static void probe_below_the_window_is_acknowledged(struct script *s, enum tcp_state st)
{
    int64_t snd_nxt = s->p->rcv_nxt, rcv_nxt = s->p->snd_nxt;

    inject(s, SEG(ACK, .seq = rcv_nxt - 1, .len = 0, .ack = acked_in(s, st)));
    expect_plain_ack(s, snd_nxt, rcv_nxt);
    inject(s, SEG(ACK, .seq = rcv_nxt - 1, .len = 1, .garbage = true,
                  .ack = acked_in(s, st)));
    expect_plain_ack(s, snd_nxt, rcv_nxt);
    expect_state(s, st);
}

static void bad_checksum_is_dropped(struct script *s, enum tcp_state st)
{
    inject(s, SEG(ACK | PSH, .len = 10, .bad_csum = true, .garbage = true));
    inject(s, SEG(RST, .bad_csum = true));
    expect_nothing(s);
    expect_drop(s, DROP_CHECKSUM);
    expect_state(s, st);
}

MATRIX_TEST(text_is_delivered, ESTABLISHED)
MATRIX_TEST(text_is_delivered, FIN_WAIT_1)
MATRIX_TEST(text_is_delivered, FIN_WAIT_2)
MATRIX_TEST(text_beyond_the_fin_is_ignored, CLOSE_WAIT)
MATRIX_TEST(text_beyond_the_fin_is_ignored, CLOSING)
MATRIX_TEST(text_beyond_the_fin_is_ignored, LAST_ACK)
MATRIX_TEST(text_beyond_the_fin_is_ignored, TIME_WAIT)
#define X(st)                                                                                      \
    MATRIX_TEST(text_beyond_the_window_is_acknowledged_and_dropped, st)                            \
    MATRIX_TEST(probe_below_the_window_is_acknowledged, st)
EACH_OPEN_STATE(X)
#undef X
#define X(st) MATRIX_TEST(bad_checksum_is_dropped, st)
X(SYN_SENT)
EACH_STATE_WITH_PEER(X)
#undef X

static const struct CMUnitTest tests[] = {
    SCENARIO(text_is_delivered_ESTABLISHED),
    SCENARIO(text_is_delivered_FIN_WAIT_1),
    SCENARIO(text_is_delivered_FIN_WAIT_2),
    SCENARIO(text_beyond_the_fin_is_ignored_CLOSE_WAIT),
    SCENARIO(text_beyond_the_fin_is_ignored_CLOSING),
    SCENARIO(text_beyond_the_fin_is_ignored_LAST_ACK),
    SCENARIO(text_beyond_the_fin_is_ignored_TIME_WAIT),
#define X(st)                                                                                      \
    SCENARIO(text_beyond_the_window_is_acknowledged_and_dropped_##st),                             \
        SCENARIO(probe_below_the_window_is_acknowledged_##st),
    EACH_OPEN_STATE(X)
#undef X
#define X(st) SCENARIO(bad_checksum_is_dropped_##st),
    X(SYN_SENT)
    EACH_STATE_WITH_PEER(X)
#undef X
};

SCRIPT_MAIN("matrix/rcv_text", tests)
