/* SPDX-License-Identifier: BSD-2-Clause */
/* An ACK field that is no use: RFC 9293 3.10.7.4 fifth, RFC 5961 5.2. */
#include "matrix.h"

static void ack_of_unsent_is_answered_by_an_ack(struct script *s, enum tcp_state st)
{
    int64_t snd_nxt = s->p->rcv_nxt, rcv_nxt = s->p->snd_nxt;

    inject(s, SEG(ACK, .ack = snd_nxt + 100));
    expect_plain_ack(s, snd_nxt, rcv_nxt);
    expect_drop(s, DROP_ACK_UNSENT);
    expect_state(s, st);
}

static void data_with_an_ack_of_unsent_is_not_taken(struct script *s, enum tcp_state st)
{
    int64_t rcv_nxt = s->p->snd_nxt;

    inject(s, SEG(ACK, .ack = s->p->rcv_nxt + 100, .len = 10));
    expect_plain_ack(s, s->p->rcv_nxt, rcv_nxt);
    expect_no_event(s, TCP_EV_READABLE);
    expect_state(s, st);
}

/* RFC 5961 5.2: below SND.UNA - MAX.SND.WND. */
static void ack_from_long_ago_is_challenged(struct script *s, enum tcp_state st)
{
    int64_t snd_nxt = s->p->rcv_nxt, rcv_nxt = s->p->snd_nxt;

    inject(s, SEG(ACK, .ack = snd_nxt - 1000000));
    expect_plain_ack(s, snd_nxt, rcv_nxt);
    expect_drop(s, DROP_ACK_OLD);
    expect_state(s, st);
}

/* RFC 9293 3.10.7.4 fifth: no ACK bit: drop. */
static void segment_without_ack_is_dropped(struct script *s, enum tcp_state st)
{
    inject(s, SEG(0, .seq = s->p->snd_nxt, .len = 10));
    inject(s, SEG(FIN, .seq = s->p->snd_nxt));
    expect_nothing(s);
    expect_drop(s, DROP_NO_ACK);
    expect_state(s, st);
}

/* SYN-RECEIVED: <SEQ=SEG.ACK><CTL=RST>. */
static void bad_ack_is_reset(struct script *s, enum tcp_state st)
{
    inject(s, SEG(ACK, .ack = 77));
    expect(s, SEG(RST, .seq = 77));
    expect_state(s, st);
}

/* An old but not ancient ACK is ignored, and its data taken. */
static void duplicate_ack_changes_nothing(struct script *s, enum tcp_state st)
{
    inject(s, SEG(ACK));
    inject(s, SEG(ACK, .ack = 1));
    expect_nothing(s);
    expect_state(s, st);
}

#define X(st)                                                                                      \
    MATRIX_TEST(ack_of_unsent_is_answered_by_an_ack, st)                                           \
    MATRIX_TEST(ack_from_long_ago_is_challenged, st)                                               \
    MATRIX_TEST(segment_without_ack_is_dropped, st)
EACH_OPEN_STATE(X)
#undef X
MATRIX_TEST(data_with_an_ack_of_unsent_is_not_taken, ESTABLISHED)
MATRIX_TEST(data_with_an_ack_of_unsent_is_not_taken, FIN_WAIT_1)
MATRIX_TEST(data_with_an_ack_of_unsent_is_not_taken, FIN_WAIT_2)
MATRIX_TEST(bad_ack_is_reset, SYN_RCVD)
MATRIX_TEST(segment_without_ack_is_dropped, SYN_RCVD)
MATRIX_TEST(duplicate_ack_changes_nothing, ESTABLISHED)
MATRIX_TEST(duplicate_ack_changes_nothing, FIN_WAIT_2)
MATRIX_TEST(duplicate_ack_changes_nothing, CLOSE_WAIT)

static const struct CMUnitTest tests[] = {
#define X(st)                                                                                      \
    SCENARIO(ack_of_unsent_is_answered_by_an_ack_##st),                                            \
        SCENARIO(ack_from_long_ago_is_challenged_##st),                                            \
        SCENARIO(segment_without_ack_is_dropped_##st),
    EACH_OPEN_STATE(X)
#undef X
    SCENARIO(data_with_an_ack_of_unsent_is_not_taken_ESTABLISHED),
    SCENARIO(data_with_an_ack_of_unsent_is_not_taken_FIN_WAIT_1),
    SCENARIO(data_with_an_ack_of_unsent_is_not_taken_FIN_WAIT_2),
    SCENARIO(bad_ack_is_reset_SYN_RCVD),
    SCENARIO(segment_without_ack_is_dropped_SYN_RCVD),
    SCENARIO(duplicate_ack_changes_nothing_ESTABLISHED),
    SCENARIO(duplicate_ack_changes_nothing_FIN_WAIT_2),
    SCENARIO(duplicate_ack_changes_nothing_CLOSE_WAIT),
};

SCRIPT_MAIN("matrix/rcv_ack_bad", tests)
