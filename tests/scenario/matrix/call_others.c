/* SPDX-License-Identifier: BSD-2-Clause */
/* ABORT, SEND, RECEIVE and STATUS in every state: RFC 9293 3.10.2, 3.10.3, 3.10.5, 3.10.6. */
#include "matrix.h"

/* 3.10.5: <SEQ=SND.NXT><CTL=RST>, and the TCB is gone. */
static void abort_resets(struct script *s, enum tcp_state st)
{
    int64_t snd_nxt = s->p->rcv_nxt;
    struct sent p;

    app_aborts(s);
    p = next_sent(s);
    assert_true(p.seg.flags & TCP_RST);
    assert_int_equal(p.seq, snd_nxt);
    expect_nothing(s);
    expect_gone(s);
}

/* 3.10.5: with nothing left to say in CLOSING, LAST-ACK and TIME-WAIT: delete the TCB. */
static void abort_deletes(struct script *s, enum tcp_state st)
{
    app_aborts(s);
    forget_output(s);
    expect_gone(s);
    advance(s, SEC(600));
    expect_nothing(s);
}

/* 3.10.2: SEND is an error once CLOSE was called. */
static void nothing_can_be_written(struct script *s, enum tcp_state st)
{
    struct iovec iov[2];

    assert_int_equal(tcp_conn_tx_space(s->p->conn, 100, iov), 0);
}

static void bytes_can_be_written(struct script *s, enum tcp_state st)
{
    app_writes(s, 100);
    expect(s, SEG(ACK | PSH, .seq = 1, .len = 100));
    assert_int_equal(tcp_conn_tx_unacked(s->p->conn), 100);
    peer_acks(s, 101);
    assert_int_equal(tcp_conn_tx_unacked(s->p->conn), 0);
    expect_state(s, st);
}

/* 3.10.3: RECEIVE after the peer's FIN: "connection closing", once all is read. */
static void end_of_stream_is_seen(struct script *s, enum tcp_state st)
{
    assert_true(tcp_conn_rx_fin(s->p->conn));
}

static void end_of_stream_is_not_there_yet(struct script *s, enum tcp_state st)
{
    assert_false(tcp_conn_rx_fin(s->p->conn));
}

/* 3.10.6: STATUS. */
static void status_tells_the_state(struct script *s, enum tcp_state st)
{
    struct tcp_conn_info i = info(s);

    assert_int_equal(i.state, st);
    assert_int_equal(i.snd_nxt - s->p->iss_ours, s->p->rcv_nxt);
    assert_int_equal(i.rcv_nxt - s->p->iss, s->p->snd_nxt);
    assert_int_equal(i.flow.rport, SCRIPT_RPORT);
}

#define X(st) MATRIX_TEST(abort_resets, st)
X(SYN_RCVD) X(ESTABLISHED) X(FIN_WAIT_1) X(FIN_WAIT_2) X(CLOSE_WAIT)
#undef X
#define X(st) MATRIX_TEST(abort_deletes, st)
X(CLOSING) X(LAST_ACK) X(TIME_WAIT)
#undef X
#define X(st) MATRIX_TEST(nothing_can_be_written, st)
X(FIN_WAIT_1) X(FIN_WAIT_2) X(CLOSING) X(LAST_ACK) X(TIME_WAIT)
#undef X
MATRIX_TEST(bytes_can_be_written, ESTABLISHED)
MATRIX_TEST(bytes_can_be_written, CLOSE_WAIT)
#define X(st) MATRIX_TEST(end_of_stream_is_seen, st)
X(CLOSE_WAIT) X(CLOSING) X(TIME_WAIT)
#undef X
#define X(st) MATRIX_TEST(end_of_stream_is_not_there_yet, st)
X(SYN_SENT) X(SYN_RCVD) X(ESTABLISHED) X(FIN_WAIT_1) X(FIN_WAIT_2)
#undef X
#define X(st) MATRIX_TEST(status_tells_the_state, st)
EACH_STATE_WITH_PEER(X)
#undef X

static const struct CMUnitTest tests[] = {
#define X(st) SCENARIO(abort_resets_##st),
    X(SYN_RCVD) X(ESTABLISHED) X(FIN_WAIT_1) X(FIN_WAIT_2) X(CLOSE_WAIT)
#undef X
#define X(st) SCENARIO(abort_deletes_##st),
    X(CLOSING) X(LAST_ACK) X(TIME_WAIT)
#undef X
#define X(st) SCENARIO(nothing_can_be_written_##st),
    X(FIN_WAIT_1) X(FIN_WAIT_2) X(CLOSING) X(LAST_ACK) X(TIME_WAIT)
#undef X
    SCENARIO(bytes_can_be_written_ESTABLISHED),
    SCENARIO(bytes_can_be_written_CLOSE_WAIT),
#define X(st) SCENARIO(end_of_stream_is_seen_##st),
    X(CLOSE_WAIT) X(CLOSING) X(TIME_WAIT)
#undef X
#define X(st) SCENARIO(end_of_stream_is_not_there_yet_##st),
    X(SYN_SENT) X(SYN_RCVD) X(ESTABLISHED) X(FIN_WAIT_1) X(FIN_WAIT_2)
#undef X
#define X(st) SCENARIO(status_tells_the_state_##st),
    EACH_STATE_WITH_PEER(X)
#undef X
};

SCRIPT_MAIN("matrix/call_others", tests)
