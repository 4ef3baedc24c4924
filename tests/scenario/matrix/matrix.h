/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One event in every state: a file a row of the matrix, a test a state. A claim is
 * a function (script in that state, the state); MATRIX_TEST makes a test of it.
 */
#ifndef TCPD_TESTS_MATRIX_H
#define TCPD_TESTS_MATRIX_H

#include "lib/script.h"

#define EACH_OPEN_STATE(X)                                                                         \
    X(ESTABLISHED) X(FIN_WAIT_1) X(FIN_WAIT_2) X(CLOSE_WAIT) X(CLOSING) X(LAST_ACK)
#define EACH_SYNCHRONIZED_STATE(X) EACH_OPEN_STATE(X) X(TIME_WAIT)
#define EACH_STATE_WITH_PEER(X)    X(SYN_RCVD) EACH_SYNCHRONIZED_STATE(X)

#define MATRIX_TEST(claim, st)                                                                     \
    static void claim##_##st(void **state)                                                         \
    {                                                                                              \
        claim(in_state(state, TCP_##st), TCP_##st);                                                \
    }

/* The ACK that RFC 9293 3.10.7.4 asks for: <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>. */
static inline void expect_plain_ack(struct script *s, int64_t snd_nxt, int64_t rcv_nxt)
{
    expect(s, SEG(ACK, .seq = snd_nxt, .ack = rcv_nxt, .len = 0));
    expect_nothing(s);
}

static inline bool peer_has_closed(enum tcp_state st)
{
    return st == TCP_CLOSE_WAIT || st == TCP_CLOSING || st == TCP_LAST_ACK || st == TCP_TIME_WAIT;
}

#endif
