/* SPDX-License-Identifier: BSD-2-Clause */
/* A FIN in every state, and the ACK of ours: RFC 9293 3.10.7.4 fifth and eighth. */
#include "matrix.h"

static void fin_moves_to(struct script *s, enum tcp_state to)
{
    int64_t snd_nxt = s->p->rcv_nxt, rcv_nxt = s->p->snd_nxt;

    inject(s, SEG(FIN | ACK, .ack = s->p->rcv_nxt - (to == TCP_CLOSING)));
    expect_event(s, TCP_EV_FIN);
    expect_plain_ack(s, snd_nxt, rcv_nxt + 1);
    expect_state(s, to);
}

static void fin_in_ESTABLISHED_moves_to_CLOSE_WAIT(void **state)
{
    fin_moves_to(established(state), TCP_CLOSE_WAIT);
}

static void fin_in_FIN_WAIT_1_moves_to_CLOSING(void **state)
{
    fin_moves_to(in_state(state, TCP_FIN_WAIT_1), TCP_CLOSING);
}

/* The same segment acknowledges our FIN. */
static void fin_with_ack_in_FIN_WAIT_1_moves_to_TIME_WAIT(void **state)
{
    fin_moves_to(in_state(state, TCP_FIN_WAIT_1), TCP_TIME_WAIT);
}

static void fin_in_FIN_WAIT_2_moves_to_TIME_WAIT(void **state)
{
    fin_moves_to(in_state(state, TCP_FIN_WAIT_2), TCP_TIME_WAIT);
}

static void fin_in_SYN_RCVD_moves_to_CLOSE_WAIT(void **state)
{
    struct script *s = in_state(state, TCP_SYN_RCVD);

    inject(s, SEG(FIN | ACK, .seq = 1, .ack = 1));
    expect(s, SEG(ACK, .seq = 1, .ack = 2));
    expect_event(s, TCP_EV_ESTABLISHED | TCP_EV_FIN);
    expect_state(s, TCP_CLOSE_WAIT);
}

/* Our last ACK was lost, the FIN comes again. */
static void fin_again_is_acknowledged_again(struct script *s, enum tcp_state st)
{
    int64_t snd_nxt = s->p->rcv_nxt, rcv_nxt = s->p->snd_nxt;

    inject(s, SEG(FIN | ACK, .seq = rcv_nxt - 1, .ack = 1));
    expect_plain_ack(s, snd_nxt, rcv_nxt);
    expect_state(s, st);
}

static void ack_of_fin_in_FIN_WAIT_1_moves_to_FIN_WAIT_2(void **state)
{
    struct script *s = in_state(state, TCP_FIN_WAIT_1);

    inject(s, SEG(ACK, .ack = 2));
    expect_nothing(s);
    expect_event(s, TCP_EV_DRAINED);
    expect_state(s, TCP_FIN_WAIT_2);
}

static void ack_of_fin_in_CLOSING_moves_to_TIME_WAIT(void **state)
{
    struct script *s = in_state(state, TCP_CLOSING);

    inject(s, SEG(ACK, .ack = 2));
    expect_nothing(s);
    expect_state(s, TCP_TIME_WAIT);
}

static void ack_of_fin_in_LAST_ACK_ends(void **state)
{
    struct script *s = in_state(state, TCP_LAST_ACK);

    inject(s, SEG(ACK, .ack = 2));
    expect_nothing(s);
    expect_gone(s);
}

/* Nothing is acknowledged by an ACK that stops short of the FIN. */
static void ack_below_the_fin_leaves(struct script *s, enum tcp_state st)
{
    inject(s, SEG(ACK, .ack = 1));
    expect_nothing(s);
    expect_state(s, st);
}

#define X(st) MATRIX_TEST(fin_again_is_acknowledged_again, st)
X(CLOSE_WAIT) X(CLOSING) X(LAST_ACK) X(TIME_WAIT)
#undef X
MATRIX_TEST(ack_below_the_fin_leaves, FIN_WAIT_1)
MATRIX_TEST(ack_below_the_fin_leaves, CLOSING)
MATRIX_TEST(ack_below_the_fin_leaves, LAST_ACK)

static const struct CMUnitTest tests[] = {
    SCENARIO(fin_in_ESTABLISHED_moves_to_CLOSE_WAIT),
    SCENARIO(fin_in_FIN_WAIT_1_moves_to_CLOSING),
    SCENARIO(fin_with_ack_in_FIN_WAIT_1_moves_to_TIME_WAIT),
    SCENARIO(fin_in_FIN_WAIT_2_moves_to_TIME_WAIT),
    SCENARIO(fin_in_SYN_RCVD_moves_to_CLOSE_WAIT),
#define X(st) SCENARIO(fin_again_is_acknowledged_again_##st),
    X(CLOSE_WAIT) X(CLOSING) X(LAST_ACK) X(TIME_WAIT)
#undef X
    SCENARIO(ack_of_fin_in_FIN_WAIT_1_moves_to_FIN_WAIT_2),
    SCENARIO(ack_of_fin_in_CLOSING_moves_to_TIME_WAIT),
    SCENARIO(ack_of_fin_in_LAST_ACK_ends),
    SCENARIO(ack_below_the_fin_leaves_FIN_WAIT_1),
    SCENARIO(ack_below_the_fin_leaves_CLOSING),
    SCENARIO(ack_below_the_fin_leaves_LAST_ACK),
};

SCRIPT_MAIN("matrix/rcv_fin", tests)
