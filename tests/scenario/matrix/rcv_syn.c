/* SPDX-License-Identifier: BSD-2-Clause */
/* A SYN on a connection that is synchronized: RFC 5961 4.2, RFC 9293 3.10.7.4 fourth. */
#include "matrix.h"

static void syn_in_window_is_challenged(struct script *s, enum tcp_state st)
{
    int64_t snd_nxt = s->p->rcv_nxt, rcv_nxt = s->p->snd_nxt;

    inject(s, SEG(SYN, .seq = rcv_nxt + 10));
    expect_plain_ack(s, snd_nxt, rcv_nxt);
    expect_drop(s, DROP_SYN_SYNCHRONIZED);
    expect_state(s, st);
}

/* 4.2: irrespective of the sequence number. */
static void syn_anywhere_is_challenged(struct script *s, enum tcp_state st)
{
    int64_t snd_nxt = s->p->rcv_nxt, rcv_nxt = s->p->snd_nxt;

    inject(s, SEG(SYN, .seq = rcv_nxt + 100000000));
    expect_plain_ack(s, snd_nxt, rcv_nxt);
    inject(s, SEG(SYN | ACK, .seq = rcv_nxt - 100000000));
    expect_plain_ack(s, snd_nxt, rcv_nxt);
    expect_state(s, st);
}

/* A late copy of the handshake's SYN-ACK: its ACK was lost. */
static void old_syn_ack_is_acknowledged_again(struct script *s, enum tcp_state st)
{
    int64_t snd_nxt = s->p->rcv_nxt, rcv_nxt = s->p->snd_nxt;

    inject(s, SEG(SYN | ACK, .seq = 0, .ack = 1));
    expect_plain_ack(s, snd_nxt, rcv_nxt);
    expect_state(s, st);
}

#define X(st)                                                                                      \
    MATRIX_TEST(syn_in_window_is_challenged, st)                                                   \
    MATRIX_TEST(syn_anywhere_is_challenged, st)                                                    \
    MATRIX_TEST(old_syn_ack_is_acknowledged_again, st)
EACH_OPEN_STATE(X)
#undef X

static const struct CMUnitTest tests[] = {
#define X(st)                                                                                      \
    SCENARIO(syn_in_window_is_challenged_##st), SCENARIO(syn_anywhere_is_challenged_##st),         \
        SCENARIO(old_syn_ack_is_acknowledged_again_##st),
    EACH_OPEN_STATE(X)
#undef X
};

SCRIPT_MAIN("matrix/rcv_syn", tests)
