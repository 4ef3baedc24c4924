/* SPDX-License-Identifier: BSD-2-Clause */
/* A RST at exactly RCV.NXT: RFC 9293 3.10.7.4 second check, RFC 5961 3.2 case 2. */
#include "matrix.h"

static void rst_at_rcv_nxt_ends(struct script *s, enum tcp_state st)
{
    inject(s, SEG(RST));
    expect_nothing(s);
    expect_gone(s);
    if (st == TCP_SYN_RCVD)
        expect_closed(s, ECONNREFUSED);
    else if (st != TCP_CLOSING && st != TCP_LAST_ACK)
        expect_closed(s, ECONNRESET);
}

/* RFC 9293 3.10.7.4: the ACK field of such a RST does not matter. */
static void rst_with_ack_at_rcv_nxt_ends(struct script *s, enum tcp_state st)
{
    inject(s, SEG(RST | ACK));
    expect_nothing(s);
    expect_gone(s);
}

/* RFC 1337 3: TIME-WAIT is not assassinated. */
static void rst_leaves(struct script *s, enum tcp_state st)
{
    inject(s, SEG(RST));
    expect_nothing(s);
    expect_drop(s, DROP_TIME_WAIT_RST);
    expect_state(s, st);
}

#define X(st) MATRIX_TEST(rst_at_rcv_nxt_ends, st) MATRIX_TEST(rst_with_ack_at_rcv_nxt_ends, st)
X(SYN_RCVD)
EACH_OPEN_STATE(X)
#undef X
MATRIX_TEST(rst_leaves, TIME_WAIT)

static const struct CMUnitTest tests[] = {
#define X(st) SCENARIO(rst_at_rcv_nxt_ends_##st), SCENARIO(rst_with_ack_at_rcv_nxt_ends_##st),
    X(SYN_RCVD)
    EACH_OPEN_STATE(X)
#undef X
    SCENARIO(rst_leaves_TIME_WAIT),
};

SCRIPT_MAIN("matrix/rcv_rst_exact", tests)
