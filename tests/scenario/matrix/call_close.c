/* SPDX-License-Identifier: BSD-2-Clause */
/* The CLOSE call in every state: RFC 9293 3.10.4. Half of it is shutdown(). */
#include "matrix.h"

static void shutdown_in_ESTABLISHED_moves_to_FIN_WAIT_1(void **state)
{
    struct script *s = established(state);

    app_shuts(s);
    expect(s, SEG(FIN | ACK, .seq = 1, .ack = 1, .len = 0));
    expect_state(s, TCP_FIN_WAIT_1);
}

static void close_in_ESTABLISHED_moves_to_FIN_WAIT_1(void **state)
{
    struct script *s = established(state);

    app_closes(s);
    expect(s, SEG(FIN | ACK, .seq = 1, .ack = 1, .len = 0));
    expect_state(s, TCP_FIN_WAIT_1);
}

static void shutdown_in_CLOSE_WAIT_moves_to_LAST_ACK(void **state)
{
    struct script *s = in_state(state, TCP_CLOSE_WAIT);

    app_shuts(s);
    expect(s, SEG(FIN | ACK, .seq = 1, .ack = 2));
    expect_state(s, TCP_LAST_ACK);
}

static void close_in_CLOSE_WAIT_moves_to_LAST_ACK(void **state)
{
    struct script *s = in_state(state, TCP_CLOSE_WAIT);

    app_closes(s);
    expect(s, SEG(FIN | ACK, .seq = 1, .ack = 2));
    expect_state(s, TCP_LAST_ACK);
}

/* "Queue this until all preceding SENDs have been segmentized." */
static void the_fin_follows_all_data(void **state)
{
    struct script *s = established(state);

    app_writes(s, 2500);
    expect(s, SEG(ACK, .seq = 1, .len = 1000));
    expect(s, SEG(ACK, .seq = 1001, .len = 1000));
    app_shuts(s);
    if (packets_waiting(s) == 2)
        expect(s, SEG(ACK | PSH, .seq = 2001, .len = 500));
    else
        expect(s, SEG(FIN | ACK | PSH, .seq = 2001, .len = 500));
    if (packets_waiting(s))
        expect(s, SEG(FIN | ACK, .seq = 2501, .len = 0));
    assert_int_equal(s->p->rcv_nxt, 2502);
    expect_state(s, TCP_FIN_WAIT_1);
}

/* Data that the windows hold back hold back the FIN as well. */
static void the_fin_waits_for_the_window(void **state)
{
    struct script *s = established(state);

    app_writes(s, 6000);
    assert_int_equal(forget_output(s), 4);
    app_shuts(s);
    expect_nothing(s);
    inject(s, SEG(ACK, .ack = 4001));
    expect(s, SEG(ACK, .seq = 4001, .len = 1000));
    assert_true(s->p->rcv_nxt == 6002);
    expect_state(s, TCP_FIN_WAIT_1);
}

/* A second CLOSE changes nothing. */
static void close_again_is_silent(struct script *s, enum tcp_state st)
{
    app_closes(s);
    expect_nothing(s);
    expect_state(s, st);
}

static void shutdown_again_is_silent(struct script *s, enum tcp_state st)
{
    app_shuts(s);
    expect_nothing(s);
    expect_state(s, st);
}

/* RFC 9293 3.8.1: the FIN is resent until it is acknowledged. */
static void fin_without_answer_is_resent(struct script *s, enum tcp_state st)
{
    expect_within(s, MS(400), MS(1100), SEG(FIN | ACK, .seq = 1, .len = 0));
    expect_within(s, MS(800), MS(2200), SEG(FIN | ACK, .seq = 1, .len = 0));
    expect_state(s, st);
}

static void fin_without_answer_is_given_up(struct script *s, enum tcp_state st)
{
    advance(s, SEC(600));
    expect_gone(s);
}

/* design.md 4: close with a program that will not read: unread data reset. RFC 9293 3.6.1. */
static void close_with_unread_data_resets(struct script *s, enum tcp_state st)
{
    struct sent p;

    peer_sends(s, 100);
    forget_output(s);
    app_closes(s);
    p = next_sent(s);
    assert_true(p.seg.flags & TCP_RST);
    expect_gone(s);
}

/* RFC 9293 3.6.1: and data that come later do so too. */
static void data_after_close_reset(struct script *s, enum tcp_state st)
{
    struct sent p;

    app_closes(s);
    forget_output(s);
    peer_sends(s, 100);
    p = next_sent(s);
    assert_true(p.seg.flags & TCP_RST);
    expect_gone(s);
}

MATRIX_TEST(close_again_is_silent, FIN_WAIT_1)
MATRIX_TEST(close_again_is_silent, FIN_WAIT_2)
MATRIX_TEST(close_again_is_silent, CLOSING)
MATRIX_TEST(close_again_is_silent, TIME_WAIT)
MATRIX_TEST(shutdown_again_is_silent, FIN_WAIT_1)
MATRIX_TEST(shutdown_again_is_silent, FIN_WAIT_2)
MATRIX_TEST(shutdown_again_is_silent, CLOSING)
MATRIX_TEST(shutdown_again_is_silent, LAST_ACK)
MATRIX_TEST(fin_without_answer_is_resent, FIN_WAIT_1)
MATRIX_TEST(fin_without_answer_is_resent, CLOSING)
MATRIX_TEST(fin_without_answer_is_resent, LAST_ACK)
MATRIX_TEST(fin_without_answer_is_given_up, FIN_WAIT_1)
MATRIX_TEST(fin_without_answer_is_given_up, CLOSING)
MATRIX_TEST(fin_without_answer_is_given_up, LAST_ACK)
MATRIX_TEST(close_with_unread_data_resets, ESTABLISHED)
MATRIX_TEST(close_with_unread_data_resets, FIN_WAIT_1)
MATRIX_TEST(close_with_unread_data_resets, FIN_WAIT_2)
MATRIX_TEST(data_after_close_reset, ESTABLISHED)
MATRIX_TEST(data_after_close_reset, FIN_WAIT_1)
MATRIX_TEST(data_after_close_reset, FIN_WAIT_2)

static const struct CMUnitTest tests[] = {
    SCENARIO(shutdown_in_ESTABLISHED_moves_to_FIN_WAIT_1),
    SCENARIO(close_in_ESTABLISHED_moves_to_FIN_WAIT_1),
    SCENARIO(shutdown_in_CLOSE_WAIT_moves_to_LAST_ACK),
    SCENARIO(close_in_CLOSE_WAIT_moves_to_LAST_ACK),
    SCENARIO(the_fin_follows_all_data),
    SCENARIO(the_fin_waits_for_the_window),
    SCENARIO(close_again_is_silent_FIN_WAIT_1),
    SCENARIO(close_again_is_silent_FIN_WAIT_2),
    SCENARIO(close_again_is_silent_CLOSING),
    SCENARIO(close_again_is_silent_TIME_WAIT),
    SCENARIO(shutdown_again_is_silent_FIN_WAIT_1),
    SCENARIO(shutdown_again_is_silent_FIN_WAIT_2),
    SCENARIO(shutdown_again_is_silent_CLOSING),
    SCENARIO(shutdown_again_is_silent_LAST_ACK),
    SCENARIO(fin_without_answer_is_resent_FIN_WAIT_1),
    SCENARIO(fin_without_answer_is_resent_CLOSING),
    SCENARIO(fin_without_answer_is_resent_LAST_ACK),
    SCENARIO(fin_without_answer_is_given_up_FIN_WAIT_1),
    SCENARIO(fin_without_answer_is_given_up_CLOSING),
    SCENARIO(fin_without_answer_is_given_up_LAST_ACK),
    SCENARIO(close_with_unread_data_resets_ESTABLISHED),
    SCENARIO(close_with_unread_data_resets_FIN_WAIT_1),
    SCENARIO(close_with_unread_data_resets_FIN_WAIT_2),
    SCENARIO(data_after_close_reset_ESTABLISHED),
    SCENARIO(data_after_close_reset_FIN_WAIT_1),
    SCENARIO(data_after_close_reset_FIN_WAIT_2),
};

SCRIPT_MAIN("matrix/call_close", tests)
